package conformance

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// macOf makes a MAC of one part; nil if the key does not.
func macOf(h *Host, s p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle, data []byte) []byte {
	if h.SignInit(s, m, k) != nil {
		return nil
	}
	mac, err := Output(func(out *p11.Out) error { return h.Sign(s, data, out) })
	if err != nil {
		return nil
	}
	return mac
}

// A MAC of AES can be the block cipher itself: CBC-MAC of one block is, and GMAC
// of nothing is it of the IV and the number 1. That is the key stream of what
// the same key wraps in counter mode, so a key asked for with CKA_WRAP does not
// sign by default, any more than it decrypts.
func TestAttackMACsOfAWrappingKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		target := random(16)
		key := h.Create(s, Secret(p11.CKK_AES, target), Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
		attacks := map[string]func(w p11.ObjectHandle) []byte{
			"CCM by GMAC": func(w p11.ObjectHandle) []byte {
				nonce := random(11)
				m := Mech(p11.CKM_AES_CCM, p11.CCMParams{Nonce: nonce, MACLen: 16})
				blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, m, w, key, out) })
				iv := append([]byte{3}, nonce...) // the first counter block is 3, the nonce, and 1 in four bytes
				return xor(blob[:16], macOf(h, s, Mech(p11.CKM_AES_GMAC, p11.GCMParams{IV: iv, TagBits: 128}), w, []byte{}))
			},
			"GCM by CBC-MAC": func(w p11.ObjectHandle) []byte {
				nonce := random(12)
				m := Mech(p11.CKM_AES_GCM, p11.GCMParams{IV: nonce, TagBits: 128})
				blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, m, w, key, out) })
				block := binary.BigEndian.AppendUint32(bytes.Clone(nonce), 2)
				return xor(blob[:16], macOf(h, s, Mech(p11.CKM_AES_MAC_GENERAL, p11.ULongParam(16)), w, block))
			},
		}
		for name, attack := range attacks {
			h.Case(name, func(h *Host) {
				if got := attack(h.AES(s, Yes(p11.CKA_WRAP))); bytes.Equal(got, target) {
					h.Error("a key that was asked for as a wrapping key gives away what it wraps")
				}
				// Whoever asks for both uses gets them: this shows that the attack is one.
				if got := attack(h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_SIGN))); !bytes.Equal(got, target) {
					h.Error("the attack does not work where it should")
				}
				h.Idle(s)
			})
		}
		// The other way round: under a key that encrypts in whatever way, its user
		// plants a key that he knows.
		planting := h.AES(s, Yes(p11.CKA_UNWRAP))
		if mac := macOf(h, s, Mech(p11.CKM_AES_MAC_GENERAL, p11.ULongParam(16)), planting, random(16)); mac != nil {
			h.Error("a key that was asked for to unwrap makes blobs by its MAC")
		}
	})
}

func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	if len(b) != len(a) {
		return nil
	}
	subtle.XORBytes(out, a, b)
	return out
}

// Of an RSA key that was asked for to unwrap, a decryption or a bare signature
// would give the wrapped key's value, whatever its CKA_UNWRAP_TEMPLATE says.
func TestAttackDecryptingWithAnUnwrappingPair(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		value := random(16)
		target := h.Create(s, Secret(p11.CKK_AES, value), Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
		k := KeyOf(p11.CKK_RSA)
		pub := h.Create(s, k.Public, Yes(p11.CKA_WRAP))
		hidden := attr.Values{attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, Join(Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)))}
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, Mech(p11.CKM_RSA_PKCS_OAEP, oaep), pub, target, out) })
		open := func(priv p11.ObjectHandle) []byte {
			h.Idle(s)
			if h.DecryptInit(s, Mech(p11.CKM_RSA_PKCS_OAEP, oaep), priv) == nil {
				return h.Output(func(out *p11.Out) error { return h.Decrypt(s, blob, out) })
			}
			return macOf(h, s, Mech(p11.CKM_RSA_X_509), priv, blob) // the padding is the attacker's to take off
		}
		if got := open(h.Create(s, k.Own, Yes(p11.CKA_UNWRAP), hidden)); got != nil {
			h.Errorf("a key that was asked for to unwrap opens a blob: %x", got)
		}
		if got := open(h.Create(s, k.Own, Yes(p11.CKA_UNWRAP, p11.CKA_DECRYPT), hidden)); !bytes.Equal(got, value) {
			h.Error("the attack does not work where it should")
		}
		// One that was asked for nothing does all, as its clients expect.
		for _, use := range []p11.AttributeType{p11.CKA_UNWRAP, p11.CKA_DECRYPT, p11.CKA_SIGN} {
			if !h.ReadTrue(s, h.Create(s, k.Own), use) {
				h.Errorf("a template that names no use does not get %v", use)
			}
		}
	})
}
