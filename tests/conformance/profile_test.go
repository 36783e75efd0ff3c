package conformance

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math/big"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A profileTest is an official test case of the PKCS #11 Profiles v3.2.
type profileTest struct {
	name string
	// prepare makes the token that the test assumes.
	prepare func(h *Host, x *script)
	// differ are the values, by their place in the test, that are not the
	// test's, with the reason. One that is the test's after all fails, so that
	// the list stays true.
	differ map[string]difference
	// after looks at what the test got.
	after func(h *Host, x *script)
}

type difference struct{ want, got, why string }

var profileTests = []profileTest{
	{name: "BL-M-1-32", prepare: func(h *Host, _ *script) { h.Create(h.User(), Data("anything"), Yes(p11.CKA_TOKEN)) }},
	{name: "EXT-M-1-32", prepare: func(h *Host, _ *script) { h.Create(h.User(), Data("anything"), Yes(p11.CKA_TOKEN)) },
		differ: map[string]difference{
			"C_GetMechanismInfo(RSA_PKCS_KEY_PAIR_GEN)/MechanismInfo/MinKeySize": {"512", "1024", "crypto/rsa makes no smaller keys, which are broken in hours"},
			"C_GetMechanismInfo(RSA_PKCS_KEY_PAIR_GEN)/MechanismInfo/MaxKeySize": {"16384", "8192", "larger ones take minutes to make: they can be imported"},
			"C_GetMechanismInfo(RSA_PKCS)/MechanismInfo/MinKeySize":              {"512", "1024", "as for generation"},
			"C_GetMechanismInfo(RSA_PKCS)/MechanismInfo/Flags": {"ENCRYPT|DECRYPT|SIGN|VERIFY|WRAP|UNWRAP", "ENCRYPT|DECRYPT|SIGN|VERIFY|WRAP|UNWRAP|SIGN_RECOVER|VERIFY_RECOVER|ENCAPSULATE|DECAPSULATE|MESSAGE_SIGN|MESSAGE_VERIFY",
				"the test's module has less of the mechanism"},
		}},
	{name: "AUTH-M-1-32", prepare: prepareAuthentication, after: verifyAuthentication},
	{name: "CERT-M-1-32", prepare: prepareCertificates,
		differ: map[string]difference{
			"C_GetAttributeValue/Template/LABEL": {"22", "21", "the test's own label, two steps on, has 21 characters"},
		}},
}

// prepareAuthentication makes an RSA pair: the test's own is not published.
func prepareAuthentication(h *Host, _ *script) {
	s := h.User()
	k := KeyOf(p11.CKK_RSA)
	h.Create(s, k.Public, Yes(p11.CKA_TOKEN), attr.Values{Label("testrsa-pub")})
	h.Create(s, k.Own, Yes(p11.CKA_TOKEN, p11.CKA_SIGN), attr.Values{Label("testrsa-pri")})
}

// verifyAuthentication checks the signature by the key that was read, since
// neither can be what is printed.
func verifyAuthentication(h *Host, x *script) {
	bytesOf := func(name string) []byte {
		b, err := hex.DecodeString(x.got[name])
		if err != nil || len(b) == 0 {
			h.Fatalf("the test got no %s", name)
		}
		return b
	}
	e := new(big.Int).SetBytes(bytesOf("C_GetAttributeValue/Template/PUBLIC_EXPONENT"))
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(bytesOf("C_GetAttributeValue/Template/MODULUS")), E: int(e.Int64())}
	sum := sha256.Sum256(bytesOf("C_Sign(Data)"))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], bytesOf("C_Sign/Signature")); err != nil {
		h.Error(err)
	}
}

// prepareCertificates makes five times the test's certificate with the test's
// label: the order in which the test finds them is illustrative.
func prepareCertificates(h *Host, x *script) {
	var label, value string
	for _, r := range x.results {
		for _, a := range r.all("Attribute") {
			switch v, has := a.value(); {
			case has && a.attrs["type"] == "LABEL":
				label = v
			case has && a.attrs["type"] == "VALUE":
				value = v
			}
		}
	}
	der, err := hex.DecodeString(value)
	h.Must(err)
	s := h.User()
	for range 5 {
		h.Create(s, certificate, attr.Values{Label(label), Value(der)}, Yes(p11.CKA_TOKEN))
	}
}

func TestProfiles(t *testing.T) {
	Each(t, func(h *Host) {
		for _, p := range profileTests {
			h.Case(p.name, func(h *Host) {
				x := readScript(h, "profiles/"+p.name+".xml")
				h.Fresh()
				s := h.User()
				for _, o := range h.Find(s, attr.NewBool(p11.CKA_TOKEN, true)) {
					h.Must(h.DestroyObject(s, o))
				}
				p.prepare(h, x)
				h.Fresh()
				x.run(h)
				h.Reopen()
				expected := maps.Clone(p.differ)
				for at, d := range x.differences {
					if e, known := expected[at]; !known || e.want != d.want || e.got != d.got {
						h.Errorf("%s: want %q, got %q", at, d.want, d.got)
					}
					delete(expected, at)
				}
				for at := range expected {
					h.Errorf("%s does not differ any more", at)
				}
				if p.after != nil {
					p.after(h, x)
				}
			})
		}
	})
}

// A token announces what it conforms to, before anybody logs in.
func TestProfileObjects(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.Session(RO)
		announced := map[p11.ProfileID]bool{}
		for _, o := range h.Find(s, Class(p11.CKO_PROFILE)) {
			v := attr.Values{{Type: p11.CKA_PROFILE_ID, Raw: h.Read(s, o, p11.CKA_PROFILE_ID)}}
			id, _ := v.ULong(p11.CKA_PROFILE_ID)
			announced[p11.ProfileID(id)] = true
		}
		if !announced[p11.CKP_BASELINE_PROVIDER] {
			h.Errorf("announced: %v", announced)
		}
		// The extended profile's test passes but for sizes and flags.
		if announced[p11.CKP_EXTENDED_PROVIDER] || announced[p11.CKP_COMPLETE_PROVIDER] {
			h.Error("a profile is announced that the token does not conform to")
		}
	})
}
