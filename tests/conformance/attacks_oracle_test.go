package conformance

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// oaepGo is what the parameter oaep says.
var oaepGo = &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA256}

// publicRSA is the public half of the RSA key of Keys.
func publicRSA() *rsa.PublicKey {
	k := KeyOf(p11.CKK_RSA)
	return &rsa.PublicKey{N: new(big.Int).SetBytes(k.Public.Bytes(p11.CKA_MODULUS)), E: 65537}
}

// raw encrypts an encoded message of the attacker's.
func raw(em []byte) []byte {
	pub := publicRSA()
	m := new(big.Int).SetBytes(em)
	return m.Exp(m, big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, pub.Size()))
}

// padded is an encoded message of PKCS #1 v1.5 with n bytes of data.
func padded(n int) []byte {
	em := bytes.Repeat([]byte{0xa5}, 256)
	em[0], em[1], em[256-n-1] = 0, 2, 0
	return em
}

// wrongly are encoded messages whose padding is wrong in every way that
// Bleichenbacher's attack and its kin tell apart.
func wrongly() map[string][]byte {
	out := map[string][]byte{}
	for name, change := range map[string]func(em []byte){
		"the first byte is not 0":    func(em []byte) { em[0] = 1 },
		"the second byte is not 2":   func(em []byte) { em[1] = 1 },
		"the padding is too short":   func(em []byte) { em[7] = 0 },
		"there is no end of padding": func(em []byte) { em[256-17] = 0xa5 },
		"another length":             func(em []byte) { em[100] = 0 },
	} {
		em := padded(16)
		change(em)
		out[name] = em
	}
	return out
}

// C_UnwrapKey and C_DecapsulateKey tell nothing of the padding of PKCS #1 v1.5
// where the length is known: they make a key of anything, the same each time.
func TestAttackPKCS1PaddingOracleOfUnwrapping(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		priv := h.Create(s, KeyOf(p11.CKK_RSA).Own, Yes(p11.CKA_UNWRAP, p11.CKA_DECAPSULATE))
		m := Mech(p11.CKM_RSA_PKCS)
		unwrap := func(ct []byte, want ...attr.Value) []byte {
			h.Helper()
			o, err := h.UnwrapKey(s, m, priv, ct, Join(attr.Values{Class(p11.CKO_SECRET_KEY)}, want, openly))
			h.Must(err)
			defer h.DestroyObject(s, o)
			return h.Read(s, o, p11.CKA_VALUE)
		}
		right := bytes.Repeat([]byte{0xa5}, 16)
		if got := unwrap(raw(padded(16)), Type(p11.CKK_AES), Length(16)); !bytes.Equal(got, right) {
			h.Errorf("the right padding gives %x", got)
		}
		seen := map[string]string{string(right): "the right padding"}
		for name, em := range wrongly() {
			ct := raw(em)
			got := unwrap(ct, Type(p11.CKK_AES), Length(16))
			if again := unwrap(ct, Type(p11.CKK_AES), Length(16)); !bytes.Equal(got, again) {
				h.Errorf("%s: two keys of one blob", name)
			}
			if other, ok := seen[string(got)]; ok {
				h.Errorf("%s gives the key of %s", name, other)
			}
			seen[string(got)] = name
			if n := len(unwrap(ct, Type(p11.CKK_GENERIC_SECRET), Length(21))); n != 21 {
				h.Errorf("%s: a key of %d bytes", name, n)
			}
			des := unwrap(ct, Type(p11.CKK_DES3)) // of one length, and with parity
			h.Must(h.DestroyObject(s, h.Create(s, Secret(p11.CKK_DES3, des))))
		}
		_, err := h.UnwrapKey(s, m, priv, raw(padded(16))[1:], attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)})
		h.Want(err, p11.CKR_WRAPPED_KEY_LEN_RANGE)
		_, err = h.UnwrapKey(s, m, priv, bytes.Repeat([]byte{0xff}, 256), attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)})
		h.Want(err, p11.CKR_WRAPPED_KEY_INVALID) // more than the modulus, which everybody sees
	})
}

// C_Decrypt has to say that a padding is wrong, and is the oracle of the
// standard's making. It says no more than that, and CKA_ALLOWED_MECHANISMS rules
// it out.
func TestAttackPaddingOraclesOfDecryptionSayOneThing(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		priv := h.Create(s, KeyOf(p11.CKK_RSA).Own, Yes(p11.CKA_DECRYPT))
		answer := func(m *p11.Mechanism, k p11.ObjectHandle, ct []byte, room int) (p11.RV, int) {
			h.Must(h.DecryptInit(s, m, k))
			out := p11.Out{}
			h.Must(h.Decrypt(s, ct, &out)) // the length that is asked for beforehand
			asked := out.N
			out = p11.Out{Buf: make([]byte, room)}
			err := h.Decrypt(s, ct, &out)
			h.Idle(s)
			return p11.Code(err), asked
		}
		one := map[p11.RV]bool{}
		_, length := answer(Mech(p11.CKM_RSA_PKCS), priv, raw(padded(16)), 256)
		for name, em := range wrongly() {
			if name == "another length" {
				continue // a right padding, of more data
			}
			for _, room := range []int{256, 16, 0} {
				rv, asked := answer(Mech(p11.CKM_RSA_PKCS), priv, raw(em), room)
				one[rv] = true
				if asked != length {
					h.Errorf("%s: the length asked for is %d, of the right padding %d", name, asked, length)
				}
			}
		}
		if len(one) != 1 || !one[p11.CKR_ENCRYPTED_DATA_INVALID] {
			h.Errorf("wrong paddings of PKCS #1 v1.5 are answered with %v", one)
		}

		// Manger's attack asks whether the first byte of OAEP's message is 0.
		clear(one)
		pub := publicRSA()
		good, err := rsa.EncryptOAEPWithOptions(rand.Reader, pub, []byte("message"), oaepGo)
		h.Must(err)
		_, length = answer(Mech(p11.CKM_RSA_PKCS_OAEP, oaep), priv, good, 256)
		for _, em := range [][]byte{append([]byte{0}, random(255)...), append([]byte{0}, make([]byte, 255)...), append([]byte{1}, random(255)...), append([]byte{2}, random(255)...)} {
			rv, asked := answer(Mech(p11.CKM_RSA_PKCS_OAEP, oaep), priv, raw(em), 256)
			one[rv] = true
			if asked != length {
				h.Errorf("OAEP: the length asked for is %d and %d", asked, length)
			}
		}
		labelled, err := rsa.EncryptOAEPWithOptions(rand.Reader, pub, []byte("message"), &rsa.OAEPOptions{Hash: oaepGo.Hash, MGFHash: oaepGo.MGFHash, Label: []byte("another label")})
		h.Must(err)
		rv, _ := answer(Mech(p11.CKM_RSA_PKCS_OAEP, oaep), priv, labelled, 256)
		if one[rv] = true; len(one) != 1 || !one[p11.CKR_ENCRYPTED_DATA_INVALID] {
			h.Errorf("wrong messages of OAEP are answered with %v", one)
		}

		// Vaudenay's attack: whichever byte of CBC's padding is wrong.
		clear(one)
		aes := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
		cbc, ecb := Mech(p11.CKM_AES_CBC_PAD, zeroIV), Mech(p11.CKM_AES_ECB)
		lengths := map[int]bool{}
		for _, end := range [][]byte{{0}, {17}, {0xff}, {3, 2, 3}, {1, 2}, {16}, {2, 16, 16}} {
			block := append(bytes.Repeat([]byte{0x5a}, 16-len(end)), end...)
			h.Must(h.EncryptInit(s, ecb, aes))
			ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, block, out) })
			for _, room := range []int{16, 1} {
				rv, asked := answer(cbc, aes, ct, room)
				one[rv], lengths[asked] = true, true
			}
		}
		if len(one) != 1 || !one[p11.CKR_ENCRYPTED_DATA_INVALID] || len(lengths) != 1 {
			h.Errorf("wrong paddings of CBC are answered with %v, lengths %v", one, lengths)
		}
		only := h.Create(s, KeyOf(p11.CKK_RSA).Own, Yes(p11.CKA_DECRYPT, p11.CKA_UNWRAP), attr.Values{mechanisms(p11.CKM_RSA_PKCS_OAEP)})
		h.Want(h.DecryptInit(s, Mech(p11.CKM_RSA_PKCS), only), p11.CKR_MECHANISM_INVALID)
		_, err = h.UnwrapKey(s, Mech(p11.CKM_RSA_PKCS), only, good, attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)})
		h.Want(err, p11.CKR_MECHANISM_INVALID)
	})
}

// Unwrapping with CBC and its padding is Vaudenay's oracle too, and with an IV of
// the attacker's choice. What stops it is an unwrapping key that says which
// mechanisms it takes.
func TestAttackCBCPaddingOracleOfUnwrappingIsStoppedByAllowedMechanisms(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		target := h.Create(s, Secret(p11.CKK_AES, random(16)), Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
		codes := func(w p11.ObjectHandle, m func(iv p11.IV) *p11.Mechanism) map[p11.RV]int {
			blob, err := Output(func(out *p11.Out) error { return h.WrapKey(s, m(zeroIV), w, target, out) })
			h.Must(err)
			seen := map[p11.RV]int{}
			for b := range 256 {
				iv := append(bytes.Clone(zeroIV[:15]), byte(b))
				o, err := h.UnwrapKey(s, m(iv), w, blob[:16], attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)})
				if seen[p11.Code(err)]++; err == nil {
					h.Must(h.DestroyObject(s, o))
				}
			}
			return seen
		}
		cbc := func(iv p11.IV) *p11.Mechanism { return Mech(p11.CKM_AES_CBC_PAD, iv) }
		if seen := codes(h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP)), cbc); seen[ok] == 0 {
			h.Error("there is no such oracle any more: this test can be stricter")
		}
		kwp := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP), attr.Values{mechanisms(p11.CKM_AES_KEY_WRAP_KWP)})
		_, err := h.UnwrapKey(s, cbc(zeroIV), kwp, random(32), attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)})
		h.Want(err, p11.CKR_MECHANISM_INVALID)
		if seen := codes(kwp, func(p11.IV) *p11.Mechanism { return Mech(p11.CKM_AES_KEY_WRAP_KWP) }); len(seen) != 1 || seen[ok] != 0 {
			h.Errorf("a cut blob of the key wrap is answered with %v", seen)
		}
	})
}
