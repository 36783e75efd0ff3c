package mech

// All returns every family of this package.
func All() []Family {
	return []Family{
		digestFamily,
	}
}
