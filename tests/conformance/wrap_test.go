package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A wrapping is a mechanism that wraps, and what it refuses.
type wrapping struct {
	m   *p11.Mechanism
	key p11.KeyType // it wraps with; 0, which is CKK_RSA, only where rsa says so
	rsa bool        // with an RSA pair
	// curve is set where it wraps with a pair on a curve.
	curve p11.KeyType
	// refuses says what is answered for a key that encodes to n bytes: CKA_VALUE,
	// or PKCS #8 for a private key.
	refuses func(n int, private bool) p11.RV
}

func anyLength(int, bool) p11.RV { return ok }

// blocks takes whole blocks of secret keys only: what it pads could not be
// told from the key.
func blocks(size int) func(int, bool) p11.RV {
	return func(n int, private bool) p11.RV {
		switch {
		case private:
			return p11.CKR_KEY_NOT_WRAPPABLE
		case n%size != 0:
			return p11.CKR_KEY_SIZE_RANGE
		}
		return ok
	}
}

// stealing takes secret keys of a block or more.
func stealing(n int, private bool) p11.RV {
	switch {
	case private:
		return p11.CKR_KEY_NOT_WRAPPABLE
	case n < 16:
		return p11.CKR_KEY_SIZE_RANGE
	}
	return ok
}

// upTo takes secret keys of at most so many bytes.
func upTo(most int) func(int, bool) p11.RV {
	return func(n int, private bool) p11.RV {
		switch {
		case private:
			return p11.CKR_KEY_NOT_WRAPPABLE
		case n > most:
			return p11.CKR_KEY_SIZE_RANGE
		}
		return ok
	}
}

// wrappings has every mechanism with CKF_WRAP.
var wrappings = []wrapping{
	{m: Mech(p11.CKM_AES_ECB), key: p11.CKK_AES, refuses: blocks(16)},
	{m: Mech(p11.CKM_AES_CBC, zeroIV), key: p11.CKK_AES, refuses: blocks(16)},
	{m: Mech(p11.CKM_AES_CBC_PAD, zeroIV), key: p11.CKK_AES, refuses: anyLength},
	{m: Mech(p11.CKM_AES_CTS, zeroIV), key: p11.CKK_AES, refuses: stealing},
	{m: Mech(p11.CKM_AES_XTS, zeroIV), key: p11.CKK_AES_XTS, refuses: stealing},
	{m: Mech(p11.CKM_AES_GCM, gcm), key: p11.CKK_AES, refuses: anyLength},
	{m: Mech(p11.CKM_AES_CCM, p11.CCMParams{Nonce: make([]byte, 12), AAD: []byte("aad"), MACLen: 16}), key: p11.CKK_AES, refuses: anyLength},
	{m: Mech(p11.CKM_AES_KEY_WRAP), key: p11.CKK_AES, refuses: func(n int, _ bool) p11.RV { // RFC 3394
		if n < 16 || n%8 != 0 {
			return p11.CKR_KEY_SIZE_RANGE
		}
		return ok
	}},
	{m: Mech(p11.CKM_AES_KEY_WRAP_PAD), key: p11.CKK_AES, refuses: anyLength},
	{m: Mech(p11.CKM_AES_KEY_WRAP_KWP), key: p11.CKK_AES, refuses: anyLength},
	{m: Mech(p11.CKM_AES_KEY_WRAP_PKCS7), key: p11.CKK_AES, refuses: anyLength},
	{m: Mech(p11.CKM_DES3_ECB), key: p11.CKK_DES3, refuses: blocks(8)},
	{m: Mech(p11.CKM_DES3_CBC, zeroIV[:8]), key: p11.CKK_DES3, refuses: blocks(8)},
	{m: Mech(p11.CKM_DES3_CBC_PAD, zeroIV[:8]), key: p11.CKK_DES3, refuses: anyLength},
	{m: Mech(p11.CKM_RSA_PKCS), rsa: true, refuses: upTo(256 - 11)},
	{m: Mech(p11.CKM_RSA_PKCS_OAEP, oaep), rsa: true, refuses: upTo(256 - 2 - 64)},
	{m: Mech(p11.CKM_RSA_AES_KEY_WRAP, p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: oaep}), rsa: true, refuses: anyLength},
	{m: Mech(p11.CKM_ECDH_AES_KEY_WRAP, p11.ECDHAESWrapParams{AESKeyBits: 256, KDF: p11.CKD_SHA256_KDF}), curve: p11.CKK_EC, refuses: anyLength},
	{m: Mech(p11.CKM_ECDH_COF_AES_KEY_WRAP, p11.ECDHAESWrapParams{AESKeyBits: 128, KDF: p11.CKD_NULL}), curve: p11.CKK_EC, refuses: anyLength},
	{m: Mech(p11.CKM_ECDH_X_AES_KEY_WRAP, p11.ECDHAESWrapParams{AESKeyBits: 192, KDF: p11.CKD_SHA512_KDF}), curve: p11.CKK_EC_MONTGOMERY, refuses: anyLength},
}

func TestEveryWrappingOfEveryKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		aes := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		pub := h.Create(s, KeyOf(p11.CKK_RSA).Public, Yes(p11.CKA_WRAP))
		priv := h.Create(s, KeyOf(p11.CKK_RSA).Own, Yes(p11.CKA_UNWRAP))
		secrets := map[p11.KeyType]p11.ObjectHandle{
			p11.CKK_AES:     aes,
			p11.CKK_AES_XTS: h.Create(s, Secret(p11.CKK_AES_XTS, random(64)), Yes(p11.CKA_WRAP, p11.CKA_UNWRAP)),
			p11.CKK_DES3:    h.Create(s, Secret(p11.CKK_DES3, bytes.Repeat([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, 3)), Yes(p11.CKA_WRAP, p11.CKA_UNWRAP)),
		}
		curves := map[p11.KeyType][2]p11.ObjectHandle{}
		for t, gen := range map[p11.KeyType]struct {
			m     p11.MechanismType
			curve string
		}{
			p11.CKK_EC:            {p11.CKM_EC_KEY_PAIR_GEN, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"},
			p11.CKK_EC_MONTGOMERY: {p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "\x06\x03\x2b\x65\x6e"},
		} {
			pub, priv := h.Pair(s, gen.m, attr.NewString(p11.CKA_EC_PARAMS, gen.curve), Yes(p11.CKA_WRAP), Yes(p11.CKA_UNWRAP))
			curves[t] = [2]p11.ObjectHandle{pub, priv}
		}
		known := map[p11.MechanismType]bool{}
		for _, w := range wrappings {
			known[w.m.Type] = true
			with, back := secrets[w.key], secrets[w.key]
			if w.rsa {
				with, back = pub, priv
			} else if pair, ok := curves[w.curve]; ok {
				with, back = pair[0], pair[1]
			}
			for _, k := range Keys() {
				h.Case(w.m.Type.String()+", "+k.Name, func(h *Host) { w.check(h, s, with, back, aes, k) })
			}
		}
		list, err := h.GetMechanismList(0)
		h.Must(err)
		for _, m := range list {
			info, err := h.GetMechanismInfo(0, m)
			h.Must(err)
			if (info.Flags&p11.CKF_WRAP != 0) != known[m] {
				h.Errorf("%v: CKF_WRAP is %v, the table of this test says %v", m, info.Flags&p11.CKF_WRAP != 0, known[m])
			}
		}
	})
}

// check wraps, destroys, unwraps and uses a key; or sees it refused.
func (w *wrapping) check(h *Host, s p11.SessionHandle, with, back, aes p11.ObjectHandle, k *Key) {
	key := h.Create(s, k.Own, k.Uses, Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
	proof, err := k.Proof(h, s, key)
	h.Must(err)
	// GCM adds 16 bytes to whatever the encoding is.
	var length p11.Out
	h.Must(h.WrapKey(s, Mech(p11.CKM_AES_GCM, gcm), aes, key, &length))
	n := length.N - 16

	want := w.refuses(n, !k.Secret())
	blob, err := Output(func(out *p11.Out) error { return h.WrapKey(s, w.m, with, key, out) })
	h.Want(err, want)
	if err != nil {
		return
	}
	for _, secret := range k.Leaks() {
		if bytes.Contains(blob, secret) {
			h.Fatal("the blob has the key in it")
		}
	}
	h.Must(h.DestroyObject(s, key))
	template := Join(attr.Values{Class(k.Class()), Type(k.Type)}, k.Uses, Yes(p11.CKA_SENSITIVE, p11.CKA_TOKEN))
	again, err := h.UnwrapKey(s, w.m, back, blob, template)
	h.Must(err)
	got, err := k.Proof(h, s, again)
	h.Must(err)
	if !bytes.Equal(got, proof) {
		h.Error("another key came back")
	}
	h.Must(h.DestroyObject(s, again))

	before := len(h.Find(s))
	w.checkBadBlobs(h, s, back, blob, template, k)
	if after := len(h.Find(s)); after != before {
		h.Errorf("refused blobs made %d objects", after-before)
	}
}

// authentic says that a changed blob is always found out.
func (w *wrapping) authentic() bool {
	switch w.m.Type {
	case p11.CKM_AES_ECB, p11.CKM_AES_CBC, p11.CKM_AES_CBC_PAD, p11.CKM_AES_CTS, p11.CKM_AES_XTS,
		p11.CKM_DES3_ECB, p11.CKM_DES3_CBC, p11.CKM_DES3_CBC_PAD, p11.CKM_RSA_PKCS:
		return false
	}
	return true
}

// anyBytes says that whatever is long enough unwraps to something.
func (w *wrapping) anyBytes() bool {
	return w.m.Type == p11.CKM_RSA_PKCS || w.m.Type == p11.CKM_AES_CTS || w.m.Type == p11.CKM_AES_XTS
}

var blobCodes = []p11.RV{p11.CKR_WRAPPED_KEY_INVALID, p11.CKR_WRAPPED_KEY_LEN_RANGE}

func (w *wrapping) checkBadBlobs(h *Host, s p11.SessionHandle, back p11.ObjectHandle, blob []byte, template attr.Values, k *Key) {
	flipped := bytes.Clone(blob)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string][]byte{
		"no bytes": {}, "one byte": {1}, "cut short": blob[:len(blob)-1], "one byte too many": append(bytes.Clone(blob), 0),
		"one bit flipped": flipped,
	} {
		o, err := h.UnwrapKey(s, w.m, back, bad, template)
		switch {
		case err == nil && !w.authentic() && name == "one bit flipped":
			h.Must(h.DestroyObject(s, o)) // another key, which nothing tells from the right one
		case err == nil && w.anyBytes():
			h.Must(h.DestroyObject(s, o))
		case err == nil:
			h.Errorf("%s: a key was made of it", name)
		case p11.Code(err) == p11.CKR_ATTRIBUTE_VALUE_INVALID:
			h.Errorf("%s: %v, a code of another function", name, err)
		default:
			h.Want(err, blobCodes...)
		}
	}
	if n := len(k.Own.Bytes(p11.CKA_VALUE)); k.Secret() && n != 16 && w.m.Type != p11.CKM_RSA_PKCS { // which makes another of it
		if _, err := h.UnwrapKey(s, w.m, back, blob, template.With(Type(p11.CKK_AES), Length(16))); err == nil {
			h.Errorf("a key of %d bytes was unwrapped as one of 16", n)
		}
	}
}

func TestKeysThatMayNotBeWrapped(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		w := h.AES(s, Yes(p11.CKA_WRAP))
		for _, k := range Keys() {
			stays := h.Create(s, k.Own, No(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
			h.Want(h.WrapKey(s, kwp, w, stays, room()), p11.CKR_KEY_UNEXTRACTABLE)
			h.Want(h.WrapKey(s, kwp, w, stays, &p11.Out{}), p11.CKR_KEY_UNEXTRACTABLE)
			goes := h.Create(s, k.Own, Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
			h.Want(h.WrapKey(s, kwp, w, goes, &p11.Out{}), ok)
			h.Must(h.SetAttributeValue(s, goes, No(p11.CKA_EXTRACTABLE)))
			h.Want(h.WrapKey(s, kwp, w, goes, &p11.Out{}), p11.CKR_KEY_UNEXTRACTABLE)
			if k.Secret() {
				continue
			}
			h.Want(h.WrapKey(s, kwp, w, h.Create(s, k.Public), room()), p11.CKR_KEY_NOT_WRAPPABLE, p11.CKR_KEY_HANDLE_INVALID, p11.CKR_KEY_UNEXTRACTABLE)
		}
		target := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE))
		data := h.Create(s, Data("d"))
		h.Want(h.WrapKey(s, kwp, w, data, room()), p11.CKR_KEY_HANDLE_INVALID)
		h.Want(h.WrapKey(s, kwp, w, 0, room()), p11.CKR_KEY_HANDLE_INVALID)
		h.Want(h.WrapKey(s, kwp, data, target, room()), p11.CKR_WRAPPING_KEY_HANDLE_INVALID)
		h.Want(h.WrapKey(s, kwp, 0, target, room()), p11.CKR_WRAPPING_KEY_HANDLE_INVALID)
		h.Want(h.WrapKey(s, kwp, h.Create(s, KeyOf(p11.CKK_RSA).Public), target, room()), p11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT)
		h.Want(h.WrapKey(s, Mech(p11.CKM_SHA256), w, target, room()), p11.CKR_MECHANISM_INVALID)
		h.Want(h.WrapKey(s, Mech(p11.CKM_AES_CBC_PAD), w, target, room()), p11.CKR_MECHANISM_PARAM_INVALID)
	})
}
