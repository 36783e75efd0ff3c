package mech

// All returns every family of this package.
func All() []Family {
	return []Family{
		aesFamily,
		digestFamily,
		ecFamily,
		ecdhFamily,
		edwardsFamily,
		genericFamily,
		hkdfFamily,
		hmacFamily,
		montgomeryFamily,
		rsaFamily,
	}
}
