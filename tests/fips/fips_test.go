// Package fips tests the library that is built on Go's FIPS 140-3 module.
package fips

import (
	"strings"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/tests/built"
	. "coffer/tests/p11test"
)

// A version of the module that the Go distribution has, frozen.
const version = "v1.0.0"

func TestTheLibraryOnGosModule(t *testing.T) {
	t.Setenv("COFFER_LIB", built.FIPS(t, version))
	h := NewHost(t, CUnder(""))
	if info, err := h.GetInfo(); err != nil || !strings.Contains(info.Description, "Go FIPS "+version) {
		t.Errorf("the library calls itself %q, %v", info.Description, err)
	}
	s := h.Session(RW)
	found := h.Find(s, Class(p11.CKO_VALIDATION)) // before anybody logs in
	if len(found) != 1 {
		t.Fatalf("%d validation objects, want 1", len(found))
	}
	text := func(a p11.AttributeType) string { return string(h.Read(s, found[0], a)) }
	number := func(a p11.AttributeType) uint64 {
		n, _ := attr.Values{{Type: a, Raw: h.Read(s, found[0], a)}}.ULong(a)
		return n
	}
	if got := text(p11.CKA_VALIDATION_MODULE_ID); got != "Go Cryptographic Module "+version+", not coffer" {
		t.Errorf("the module is %q", got)
	}
	if number(p11.CKA_VALIDATION_TYPE) != p11.CKV_TYPE_SOFTWARE || number(p11.CKA_VALIDATION_AUTHORITY_TYPE) != p11.CKV_AUTHORITY_TYPE_NIST_CMVP ||
		number(p11.CKA_VALIDATION_LEVEL) != 1 || text(p11.CKA_VALIDATION_VERSION) != "\x03\x00" || text(p11.CKA_VALIDATION_VENDOR_URI) == "" {
		t.Error("the validation is not that of FIPS 140-3, level 1")
	}
	h.Want(h.DestroyObject(s, found[0]), p11.CKR_ACTION_PROHIBITED)

	s = h.User()
	for _, k := range Keys() {
		o := h.Create(s, k.Own, k.Uses)
		if _, err := k.Proof(h, s, o); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	_, _, err := h.GenerateKeyPair(s, Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN), attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 2048)}, nil)
	h.Want(err, p11.CKR_OK)
	// The module's validation is not claimed for what coffer did.
	if flags, err := h.GetSessionValidationFlags(s, p11.CKS_LAST_VALIDATION_OK); err != nil || flags != 0 {
		t.Errorf("the last operation's flags are %#x, %v", uint64(flags), err)
	}
}
