package mech

// All returns every family of this package.
func All() []Family {
	return []Family{
		aesFamily,
		digestFamily,
		genericFamily,
		hkdfFamily,
		hmacFamily,
	}
}
