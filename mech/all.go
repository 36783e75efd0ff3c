package mech

// All returns every family of this package.
func All() []Family {
	return []Family{
		aesFamily,
		aesMACFamily,
		ccmFamily,
		chachaFamily,
		ctsFamily,
		des3Family,
		digestFamily,
		ecFamily,
		ecdhFamily,
		edwardsFamily,
		feedbackFamily,
		genericFamily,
		hkdfFamily,
		hmacFamily,
		montgomeryFamily,
		rsaFamily,
		xtsFamily,
	}
}
