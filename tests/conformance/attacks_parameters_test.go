package conformance

import (
	"bytes"
	"encoding/hex"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A tag that is short, or an IV that is not there, makes of GCM and CCM what can
// be forged.
func TestAttackTagsAndIVsAtTheirExtremes(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
		try := func(what string, m *p11.Mechanism, rv p11.RV) {
			h.Helper()
			for name, begin := range map[string]func() error{
				"encrypt": func() error { return h.EncryptInit(s, m, k) }, "decrypt": func() error { return h.DecryptInit(s, m, k) },
			} {
				if err := begin(); p11.Code(err) != rv {
					h.Errorf("%s, %s: %v, want %v", what, name, err, rv)
				}
				h.Idle(s)
			}
		}
		for bits, rv := range map[uint64]p11.RV{
			0: p11.CKR_MECHANISM_PARAM_INVALID, 1: p11.CKR_MECHANISM_PARAM_INVALID, 8: p11.CKR_MECHANISM_PARAM_INVALID, 32: p11.CKR_MECHANISM_PARAM_INVALID,
			64: p11.CKR_MECHANISM_PARAM_INVALID, 95: p11.CKR_MECHANISM_PARAM_INVALID, 97: p11.CKR_MECHANISM_PARAM_INVALID, 96: ok, 104: ok, 112: ok, 120: ok, 128: ok,
			129: p11.CKR_MECHANISM_PARAM_INVALID, 136: p11.CKR_MECHANISM_PARAM_INVALID, 1 << 32: p11.CKR_MECHANISM_PARAM_INVALID, 1<<64 - 128: p11.CKR_MECHANISM_PARAM_INVALID,
		} {
			try("GCM with a tag of "+hex.EncodeToString([]byte{byte(bits)})+" bits", Mech(p11.CKM_AES_GCM, p11.GCMParams{IV: make([]byte, 12), TagBits: bits}), rv)
		}
		try("GCM without an IV", Mech(p11.CKM_AES_GCM, p11.GCMParams{IV: []byte{}, TagBits: 128}), p11.CKR_MECHANISM_PARAM_INVALID)
		for _, n := range []int{0, 6, 14, 255} {
			try("CCM with a nonce of a wrong length", Mech(p11.CKM_AES_CCM, p11.CCMParams{DataLen: 16, Nonce: make([]byte, n), MACLen: 16}), p11.CKR_MECHANISM_PARAM_INVALID)
		}
		for _, n := range []uint64{0, 1, 2, 3, 5, 17, 1 << 40} {
			try("CCM with a MAC of a wrong length", Mech(p11.CKM_AES_CCM, p11.CCMParams{DataLen: 16, Nonce: make([]byte, 12), MACLen: n}), p11.CKR_MECHANISM_PARAM_INVALID)
		}
		try("CCM of more than the nonce leaves room for", Mech(p11.CKM_AES_CCM, p11.CCMParams{DataLen: 1 << 16, Nonce: make([]byte, 13), MACLen: 16}), p11.CKR_MECHANISM_PARAM_INVALID)
	})
}

// Counter mode opens what GCM has locked, tag or no tag, with a key that may be
// used for both, which is for the key's owner to say: CKA_ALLOWED_MECHANISMS.
func TestAttackStrippingTheTagIsStoppedByAllowedMechanisms(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		plain := random(64)
		strip := func(k p11.ObjectHandle) []byte {
			h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_GCM, gcm), k))
			ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, plain, out) })
			ct[3] ^= 0x80 // unnoticed
			if h.DecryptInit(s, Mech(p11.CKM_AES_CTR, p11.CTRParams{CounterBits: 32, Counter: [16]byte{15: 2}}), k) != nil {
				return nil
			}
			return h.Output(func(out *p11.Out) error { return h.Decrypt(s, ct[:len(plain)], out) })
		}
		uses := Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT)
		if got := strip(h.AES(s, uses)); got == nil || !bytes.Equal(got[4:], plain[4:]) || got[3] != plain[3]^0x80 {
			h.Error("the attack does not work where it should")
		}
		if got := strip(h.AES(s, uses, attr.Values{mechanisms(p11.CKM_AES_GCM)})); got != nil {
			h.Error("a key for GCM was used in counter mode")
		}
	})
}

// lowOrder are points of Curve25519 and its twist of order 1, 2, 4 and 8, also as
// numbers that are not below the prime (cr.yp.to/ecdh.html).
var lowOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000080",
}

// With a point that is not on the curve, or of small order, the shared secret
// tells the private key modulo a small number.
func TestAttackPointsThatAreNotOfTheGroup(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		agree := func(k p11.ObjectHandle, point []byte) error {
			_, err := h.DeriveKey(s, Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point}), k,
				Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(32)}, openly))
			return err
		}
		x := h.Create(s, KeyOf(p11.CKK_EC_MONTGOMERY).Own, Yes(p11.CKA_DERIVE))
		for _, point := range lowOrder {
			raw, err := hex.DecodeString(point)
			h.Must(err)
			for _, form := range [][]byte{raw, append([]byte{4, 32}, raw...)} {
				h.Want(agree(x, form), p11.CKR_MECHANISM_PARAM_INVALID)
			}
		}
		ec := KeyOf(p11.CKK_EC)
		k := h.Create(s, ec.Own, Yes(p11.CKA_DERIVE))
		good := ec.Public.Bytes(p11.CKA_EC_POINT)[2:]
		h.Want(agree(k, good), ok)
		prime, err := hex.DecodeString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")
		h.Must(err)
		changed := func(f func(p []byte)) []byte {
			p := bytes.Clone(good)
			f(p)
			return p
		}
		bad := map[string][]byte{
			"Y is another":         changed(func(p []byte) { p[64] ^= 1 }),
			"X is another":         changed(func(p []byte) { p[32] ^= 1 }),
			"X and Y are 0":        changed(func(p []byte) { clear(p[1:]) }),
			"X is the prime":       changed(func(p []byte) { copy(p[1:], prime) }),
			"all ones":             changed(func(p []byte) { copy(p[1:], bytes.Repeat([]byte{0xff}, 64)) }),
			"the point of nothing": {0},
			"nothing":              {},
			"hybrid":               changed(func(p []byte) { p[0] = 6 | p[64]&1 }),
			"no square root":       append([]byte{2}, changed(func(p []byte) { clear(p); p[32] = 7 })[1:33]...),
			"cut":                  good[:64],
			"longer":               append(bytes.Clone(good), 0),
		}
		for name, point := range bad {
			if rv := p11.Code(agree(k, point)); rv != p11.CKR_MECHANISM_PARAM_INVALID {
				h.Errorf("%s: %v", name, rv)
			}
			_, err := h.CreateObject(s, Join(ec.Public, attr.Values{attr.NewBytes(p11.CKA_EC_POINT, point)}))
			h.Want(err, p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_PUBLIC_KEY_INVALID, p11.CKR_TEMPLATE_INCOMPLETE)
		}
	})
}

// Two signatures with one nonce give the private key away.
func TestAttackNoncesOfECDSANeverRepeat(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for name, oid := range map[string]string{
			"P-224": "\x06\x05\x2b\x81\x04\x00\x21", "P-256": "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-384": "\x06\x05\x2b\x81\x04\x00\x22",
			"P-521": "\x06\x05\x2b\x81\x04\x00\x23", "secp256k1": "\x06\x05\x2b\x81\x04\x00\x0a",
		} {
			_, priv := h.Pair(s, p11.CKM_EC_KEY_PAIR_GEN, attr.NewString(p11.CKA_EC_PARAMS, oid), nil, nil)
			seen := map[string]bool{}
			for range 40 {
				sig := macOf(h, s, Mech(p11.CKM_ECDSA), priv, make([]byte, 32)) // the same digest each time
				if r := string(sig[:len(sig)/2]); seen[r] {
					h.Errorf("%s: an r has come twice", name)
				} else {
					seen[r] = true
				}
			}
		}
	})
}
