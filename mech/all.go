package mech

// All returns every family of this package.
func All() []Family {
	return []Family{
		aesFamily,
		aesMACFamily,
		ccmFamily,
		chachaFamily,
		composeFamily,
		ctsFamily,
		des3Family,
		dhFamily,
		digestFamily,
		dsaFamily,
		ecFamily,
		ecdhFamily,
		edwardsFamily,
		encryptDataFamily,
		feedbackFamily,
		genericFamily,
		hashDeriveFamily,
		hkdfFamily,
		hmacFamily,
		ikeFamily,
		kbkdfFamily,
		mldsaFamily,
		mlkemFamily,
		montgomeryFamily,
		pbkdf2Family,
		rsaFamily,
		slhdsaFamily,
		tlsFamily,
		xtsFamily,
	}
}
