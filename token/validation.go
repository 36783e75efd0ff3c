package token

import (
	"crypto/fips140"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/object"
)

// The library can be built on Go's FIPS 140-3 cryptographic module (GOFIPS140).
// What is validated, or is being validated, is that module: not coffer, nor
// what coffer computes outside of it. The validation object says so by the
// module's name; no operation and no key claims the validation's flag.

// goModule returns the name of Go's module, and false if the library is not
// built on it.
func goModule() (string, bool) {
	if !fips140.Enabled() {
		return "", false
	}
	return "Go Cryptographic Module " + fips140.Version(), true
}

// description is that of the library in CK_INFO, of at most 32 bytes.
func description() string {
	if _, ok := goModule(); ok {
		return "coffer with Go FIPS " + fips140.Version()
	}
	return "coffer software HSM"
}

// validation returns the object of the module's validation, nil if there is
// none. "latest" is what Go's developers work on, which nobody has looked at.
func validation() *object.Object {
	module, ok := goModule()
	if !ok {
		return nil
	}
	authority := p11.CKV_AUTHORITY_TYPE_NIST_CMVP
	if fips140.Version() == "latest" {
		authority = p11.CKV_AUTHORITY_TYPE_UNSPECIFIED
	}
	return object.NewValidation(module+", not coffer",
		attr.NewULong(p11.CKA_VALIDATION_TYPE, p11.CKV_TYPE_SOFTWARE),
		attr.NewBytes(p11.CKA_VALIDATION_VERSION, []byte{3, 0}), // FIPS 140-3
		attr.NewULong(p11.CKA_VALIDATION_LEVEL, 1),
		attr.NewULong(p11.CKA_VALIDATION_FLAG, 1),
		attr.NewULong(p11.CKA_VALIDATION_AUTHORITY_TYPE, authority),
		attr.NewString(p11.CKA_VALIDATION_COUNTRY, ""),
		attr.NewString(p11.CKA_VALIDATION_CERTIFICATE_IDENTIFIER, ""), // in NIST's list, under the module's name
		attr.NewString(p11.CKA_VALIDATION_CERTIFICATE_URI, ""),
		attr.NewString(p11.CKA_VALIDATION_VENDOR_URI, "https://go.dev/doc/security/fips140"),
		attr.NewString(p11.CKA_VALIDATION_PROFILE, ""),
	)
}
