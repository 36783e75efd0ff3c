package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// An output is one call that has an output, in the middle of what it belongs
// to.
type output struct {
	name  string
	begin func() error
	call  func(out *p11.Out) error
	want  int // bytes of output
	bound int // the most that a length query may say; 0: want
	// again says what the same call answers after it has succeeded.
	again p11.RV
}

// check takes the call through the convention of PKCS #11 v3.2, 5.2.
func (o *output) check(h *Host) {
	bound := max(o.want, o.bound)
	asks := func(when string) {
		h.Helper()
		var out p11.Out
		h.Want(o.call(&out), p11.CKR_OK)
		if out.N < o.want || out.N > bound {
			h.Errorf("%s the length is %d, want %d to %d", when, out.N, o.want, bound)
		}
	}
	h.Must(o.begin())
	asks("asked first,")
	asks("asked again,")
	if o.want > 0 {
		for _, n := range []int{o.want - 1, 0} {
			out := p11.Out{Buf: make([]byte, n)}
			h.Want(o.call(&out), p11.CKR_BUFFER_TOO_SMALL)
			if out.N < o.want || out.N > bound {
				h.Errorf("with a buffer of %d bytes the length is %d, want %d to %d", n, out.N, o.want, bound)
			}
		}
		asks("after a buffer that was too small,")
	}
	out := p11.Out{Buf: bytes.Repeat([]byte{0xa5}, bound+50)}
	h.Want(o.call(&out), p11.CKR_OK)
	if out.N != o.want {
		h.Errorf("%d bytes of output, want %d", out.N, o.want)
	}
	if rest := out.Buf[bound:]; !bytes.Equal(rest, bytes.Repeat([]byte{0xa5}, len(rest))) {
		h.Error("more than the output was written to the buffer")
	}
	h.Want(o.call(&p11.Out{Buf: make([]byte, bound+50)}), o.again)
}

// checkExact sees that a buffer of exactly the right length will do.
func (o *output) checkExact(h *Host) {
	h.Must(o.begin())
	out := p11.Out{Buf: make([]byte, o.want)}
	err := o.call(&out)
	if p11.Code(err) == p11.CKR_BUFFER_TOO_SMALL && o.bound > o.want && out.N <= o.bound {
		return // a decrypting token may ask for more than the plaintext
	}
	h.Want(err, p11.CKR_OK)
	if out.N != o.want {
		h.Errorf("%d bytes of output, want %d", out.N, o.want)
	}
}

func (o *output) run(h *Host, s p11.SessionHandle) {
	h.Case(o.name, func(h *Host) {
		h.Idle(s)
		o.check(h)
		h.Idle(s)
		o.checkExact(h)
		h.Idle(s)
	})
}

const notInitialized = p11.CKR_OPERATION_NOT_INITIALIZED

var (
	zeroIV = p11.IV(make([]byte, 16))
	gcm    = p11.GCMParams{IV: make([]byte, 12), AAD: []byte("aad"), TagBits: 128}
	ctr    = p11.CTRParams{CounterBits: 128}
	oaep   = p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: p11.CKZ_DATA_SPECIFIED}
	pss    = p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, SaltLen: 32}
)

// importPair creates both halves of a known pair, with every use.
func importPair(h *Host, s p11.SessionHandle, k *Key, parts ...attr.Values) (pub, priv p11.ObjectHandle) {
	h.Helper()
	return h.Create(s, k.Public), h.Create(s, k.Own, Join(parts...))
}

func TestTheLengthConventionOfCallsOfOnePart(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		aes := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
		rsaPub, rsaPriv := importPair(h, s, KeyOf(p11.CKK_RSA))
		hmac := h.Create(s, KeyOf(p11.CKK_GENERIC_SECRET).Own)
		_, ec := h.Pair(s, p11.CKM_EC_KEY_PAIR_GEN, P256, nil, nil)
		_, ed := h.Pair(s, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, Ed25519, nil, nil)

		encrypts := func(m *p11.Mechanism, pub, priv p11.ObjectHandle, plain []byte, sealed, bound int) {
			name := m.Type.String()
			enc := output{name: name + " encrypts", want: sealed, again: notInitialized,
				begin: func() error { return h.EncryptInit(s, m, pub) },
				call:  func(out *p11.Out) error { return h.Encrypt(s, plain, out) }}
			enc.run(h, s)
			h.Must(h.EncryptInit(s, m, pub))
			ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, plain, out) })
			dec := output{name: name + " decrypts", want: len(plain), bound: bound, again: notInitialized,
				begin: func() error { return h.DecryptInit(s, m, priv) },
				call:  func(out *p11.Out) error { return h.Decrypt(s, ct, out) }}
			dec.run(h, s)
		}
		twenty := []byte("twenty bytes of text")
		encrypts(Mech(p11.CKM_AES_ECB), aes, aes, make([]byte, 32), 32, 32)
		encrypts(Mech(p11.CKM_AES_CBC, zeroIV), aes, aes, make([]byte, 48), 48, 48)
		encrypts(Mech(p11.CKM_AES_CTR, ctr), aes, aes, twenty, 20, 20)
		encrypts(Mech(p11.CKM_AES_CBC_PAD, zeroIV), aes, aes, twenty, 32, 32)
		encrypts(Mech(p11.CKM_AES_GCM, gcm), aes, aes, twenty, 36, 36)
		encrypts(Mech(p11.CKM_AES_KEY_WRAP), aes, aes, make([]byte, 24), 32, 32)
		encrypts(Mech(p11.CKM_AES_KEY_WRAP_KWP), aes, aes, twenty, 32, 32)
		encrypts(Mech(p11.CKM_RSA_PKCS), rsaPub, rsaPriv, twenty, 256, 256)
		encrypts(Mech(p11.CKM_RSA_PKCS_OAEP, oaep), rsaPub, rsaPriv, twenty, 256, 256)
		encrypts(Mech(p11.CKM_RSA_X_509), rsaPub, rsaPriv, make([]byte, 256), 256, 256)
		// Nothing to encrypt, or nothing left after decryption.
		encrypts(Mech(p11.CKM_AES_ECB), aes, aes, []byte{}, 0, 0)
		encrypts(Mech(p11.CKM_AES_CTR, ctr), aes, aes, []byte{}, 0, 0)
		encrypts(Mech(p11.CKM_AES_CBC_PAD, zeroIV), aes, aes, []byte{}, 16, 16)
		encrypts(Mech(p11.CKM_AES_GCM, gcm), aes, aes, []byte{}, 16, 16)
		encrypts(Mech(p11.CKM_RSA_PKCS, nil), rsaPub, rsaPriv, []byte{}, 256, 256)
		encrypts(Mech(p11.CKM_RSA_PKCS_OAEP, oaep), rsaPub, rsaPriv, []byte{}, 256, 256)

		signs := func(m *p11.Mechanism, k p11.ObjectHandle, data []byte, want int) {
			o := output{name: m.Type.String() + " signs", want: want, again: notInitialized,
				begin: func() error { return h.SignInit(s, m, k) },
				call:  func(out *p11.Out) error { return h.Sign(s, data, out) }}
			o.run(h, s)
		}
		signs(Mech(p11.CKM_AES_CMAC), aes, twenty, 16)
		signs(Mech(p11.CKM_AES_CMAC_GENERAL, p11.ULongParam(5)), aes, twenty, 5)
		signs(Mech(p11.CKM_SHA256_HMAC), hmac, twenty, 32)
		signs(Mech(p11.CKM_SHA512_HMAC_GENERAL, p11.ULongParam(1)), hmac, twenty, 1)
		signs(Mech(p11.CKM_RSA_PKCS), rsaPriv, twenty, 256)
		signs(Mech(p11.CKM_SHA256_RSA_PKCS), rsaPriv, nil, 256)
		signs(Mech(p11.CKM_SHA256_RSA_PKCS_PSS, pss), rsaPriv, twenty, 256)
		signs(Mech(p11.CKM_ECDSA), ec, make([]byte, 32), 64)
		signs(Mech(p11.CKM_ECDSA_SHA384), ec, twenty, 64)
		signs(Mech(p11.CKM_EDDSA), ed, twenty, 64)

		for m, want := range map[p11.MechanismType]int{p11.CKM_SHA_1: 20, p11.CKM_SHA256: 32, p11.CKM_SHA3_512: 64} {
			o := output{name: m.String() + " digests", want: want, again: notInitialized,
				begin: func() error { return h.DigestInit(s, Mech(m)) },
				call:  func(out *p11.Out) error { return h.Digest(s, twenty, out) }}
			o.run(h, s)
		}
	})
}

func TestTheLengthConventionOfCallsInParts(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		aes := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
		big := func() *p11.Out { return &p11.Out{Buf: make([]byte, 256)} }
		encrypted := func(m *p11.Mechanism, plain []byte) []byte {
			h.Must(h.EncryptInit(s, m, aes))
			return h.Output(func(out *p11.Out) error { return h.Encrypt(s, plain, out) })
		}
		plain := bytes.Repeat([]byte("p"), 40)
		const first = 5
		for _, tt := range []struct {
			m         *p11.Mechanism
			in        int // bytes encrypted, after 5 others
			part, end int // output of C_EncryptUpdate for them, and of C_EncryptFinal
			dpart     int // output of C_DecryptUpdate for the first 16 bytes of it all
			dend      int // and of C_DecryptFinal after everything
			dmax      int // the most that a length query may say of that
		}{
			{m: Mech(p11.CKM_AES_CTR, ctr), in: 20, part: 20, end: 0, dpart: 16, dend: 0},
			{m: Mech(p11.CKM_AES_CBC, zeroIV), in: 27, part: 32, end: 0, dpart: 16, dend: 0},
			{m: Mech(p11.CKM_AES_CBC_PAD, zeroIV), in: 20, part: 16, end: 16, dpart: 0, dend: 9, dmax: 32},
			{m: Mech(p11.CKM_AES_GCM, gcm), in: 20, part: 20, end: 16, dpart: 0, dend: 25},
		} {
			name := tt.m.Type.String()
			n := first + tt.in
			update := output{name: name + " encrypts a part", want: tt.part, again: p11.CKR_OK,
				begin: func() error {
					if err := h.EncryptInit(s, tt.m, aes); err != nil {
						return err
					}
					return h.EncryptUpdate(s, plain[:first], big())
				},
				call: func(out *p11.Out) error { return h.EncryptUpdate(s, plain[first:n], out) }}
			update.run(h, s)
			final := output{name: name + " ends an encryption", want: tt.end, again: notInitialized,
				begin: func() error {
					if err := h.EncryptInit(s, tt.m, aes); err != nil {
						return err
					}
					return h.EncryptUpdate(s, plain[:n], big())
				},
				call: func(out *p11.Out) error { return h.EncryptFinal(s, out) }}
			final.run(h, s)
			ct := encrypted(tt.m, plain[:n])
			dupdate := output{name: name + " decrypts a part", want: tt.dpart, bound: 16, again: p11.CKR_OK,
				begin: func() error { return h.DecryptInit(s, tt.m, aes) },
				call:  func(out *p11.Out) error { return h.DecryptUpdate(s, ct[:16], out) }}
			dupdate.run(h, s)
			dfinal := output{name: name + " ends a decryption", want: tt.dend, bound: tt.dmax, again: notInitialized,
				begin: func() error {
					if err := h.DecryptInit(s, tt.m, aes); err != nil {
						return err
					}
					return h.DecryptUpdate(s, ct, big())
				},
				call: func(out *p11.Out) error { return h.DecryptFinal(s, out) }}
			dfinal.run(h, s)
		}
		for _, o := range []output{
			{name: "a digest in parts", want: 32, again: notInitialized,
				begin: func() error {
					if err := h.DigestInit(s, Mech(p11.CKM_SHA256)); err != nil {
						return err
					}
					return h.DigestUpdate(s, plain)
				}, call: func(out *p11.Out) error { return h.DigestFinal(s, out) }},
			{name: "a digest of no parts", want: 32, again: notInitialized,
				begin: func() error { return h.DigestInit(s, Mech(p11.CKM_SHA256)) },
				call:  func(out *p11.Out) error { return h.DigestFinal(s, out) }},
			{name: "a MAC in parts", want: 16, again: notInitialized,
				begin: func() error {
					if err := h.SignInit(s, Mech(p11.CKM_AES_CMAC), aes); err != nil {
						return err
					}
					return h.SignUpdate(s, plain)
				}, call: func(out *p11.Out) error { return h.SignFinal(s, out) }},
		} {
			o.run(h, s)
		}
	})
}

func TestTheLengthConventionOfWrapping(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		key := h.Create(s, Secret(p11.CKK_AES, make([]byte, 16)), Yes(p11.CKA_EXTRACTABLE))
		aes := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		rsa := h.Create(s, KeyOf(p11.CKK_RSA).Public, Yes(p11.CKA_WRAP))
		ec := h.Create(s, KeyOf(p11.CKK_EC).Public, Yes(p11.CKA_WRAP))
		for _, tt := range []struct {
			m    *p11.Mechanism
			with p11.ObjectHandle
			want int
		}{
			{Mech(p11.CKM_AES_KEY_WRAP_KWP), aes, 24},
			{Mech(p11.CKM_AES_CBC_PAD, zeroIV), aes, 32},
			{Mech(p11.CKM_AES_GCM, gcm), aes, 32},
			{Mech(p11.CKM_RSA_PKCS_OAEP, oaep), rsa, 256},
			{Mech(p11.CKM_RSA_AES_KEY_WRAP, p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: oaep}), rsa, 280},
			{Mech(p11.CKM_ECDH_AES_KEY_WRAP, p11.ECDHAESWrapParams{AESKeyBits: 256, KDF: p11.CKD_SHA256_KDF}), ec, 65 + 24},
		} {
			o := output{name: tt.m.Type.String(), want: tt.want, again: p11.CKR_OK,
				begin: func() error { return nil },
				call:  func(out *p11.Out) error { return h.WrapKey(s, tt.m, tt.with, key, out) }}
			o.run(h, s)
		}
	})
}

// Of two operations at once neither is fed when no output is made.
func TestTheLengthConventionOfDualFunctions(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		aes := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
		data := bytes.Repeat([]byte("0123456789abcdef"), 2)
		h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_CBC, zeroIV), aes))
		ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, data, out) })
		h.Must(h.DigestInit(s, Mech(p11.CKM_SHA256)))
		sum := h.Output(func(out *p11.Out) error { return h.Digest(s, data, out) })
		h.Must(h.SignInit(s, Mech(p11.CKM_AES_CMAC), aes))
		mac := h.Output(func(out *p11.Out) error { return h.Sign(s, data, out) })

		init := func(cipher, other func() error) func() error {
			return func() error {
				if err := cipher(); err != nil {
					return err
				}
				return other()
			}
		}
		encrypt := func() error { return h.EncryptInit(s, Mech(p11.CKM_AES_CBC, zeroIV), aes) }
		decrypt := func() error { return h.DecryptInit(s, Mech(p11.CKM_AES_CBC, zeroIV), aes) }
		digest := func() error { return h.DigestInit(s, Mech(p11.CKM_SHA256)) }
		sign := func() error { return h.SignInit(s, Mech(p11.CKM_AES_CMAC), aes) }
		verify := func() error { return h.VerifyInit(s, Mech(p11.CKM_AES_CMAC), aes) }
		digested := func() []byte { return h.Output(func(out *p11.Out) error { return h.DigestFinal(s, out) }) }
		for _, tt := range []struct {
			output
			right func() bool
		}{
			{output{name: "C_DigestEncryptUpdate", begin: init(encrypt, digest),
				call: func(out *p11.Out) error { return h.DigestEncryptUpdate(s, data, out) }},
				func() bool { return bytes.Equal(digested(), sum) }},
			{output{name: "C_DecryptDigestUpdate", begin: init(decrypt, digest),
				call: func(out *p11.Out) error { return h.DecryptDigestUpdate(s, ct, out) }},
				func() bool { return bytes.Equal(digested(), sum) }},
			{output{name: "C_SignEncryptUpdate", begin: init(encrypt, sign),
				call: func(out *p11.Out) error { return h.SignEncryptUpdate(s, data, out) }},
				func() bool {
					return bytes.Equal(h.Output(func(out *p11.Out) error { return h.SignFinal(s, out) }), mac)
				}},
			{output{name: "C_DecryptVerifyUpdate", begin: init(decrypt, verify),
				call: func(out *p11.Out) error { return h.DecryptVerifyUpdate(s, ct, out) }},
				func() bool { return h.VerifyFinal(s, mac) == nil }},
		} {
			tt.want, tt.again = 32, p11.CKR_OK
			tt.run(h, s)
			h.Case(tt.name+" feeds what it gives out, once", func(h *Host) {
				h.Must(tt.begin())
				h.Must(tt.call(&p11.Out{}))
				h.Want(tt.call(&p11.Out{Buf: make([]byte, 31)}), p11.CKR_BUFFER_TOO_SMALL)
				h.Must(tt.call(&p11.Out{Buf: make([]byte, 32)}))
				if !tt.right() {
					h.Error("the other operation was fed something else")
				}
				h.Idle(s)
			})
		}
	})
}
