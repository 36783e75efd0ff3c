package conformance

import (
	"bytes"
	"crypto/rsa"
	"math/big"
	"testing"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// recoverable are the mechanisms whose signatures give their data back, with
// the data that a signature of short gives.
func recoverable(short []byte) map[p11.MechanismType][]byte {
	padded := append(make([]byte, 256-len(short)), short...)
	return map[p11.MechanismType][]byte{p11.CKM_RSA_PKCS: short, p11.CKM_RSA_X_509: padded}
}

func TestSignaturesGiveTheirDataBack(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		pub, priv := importPair(h, s, KeyOf(p11.CKK_RSA))
		data := []byte("recovered")
		for m, want := range recoverable(data) {
			h.Case(m.String(), func(h *Host) {
				h.Must(h.SignRecoverInit(s, Mech(m), priv))
				h.Want(h.SignRecoverInit(s, Mech(m), priv), active)
				h.Want(h.SignRecover(s, data, &p11.Out{Buf: make([]byte, 255)}), tooSmall)
				sig := h.Output(func(out *p11.Out) error { return h.SignRecover(s, data, out) })
				h.Want(h.SignRecover(s, data, room()), notInitialized)

				h.Must(h.VerifyInit(s, Mech(m), pub)) // it is the signature that it always is
				h.Must(h.Verify(s, data, sig))

				h.Must(h.VerifyRecoverInit(s, Mech(m), pub))
				h.Want(h.VerifyRecoverInit(s, Mech(m), pub), active)
				h.Want(h.VerifyRecover(s, sig, &p11.Out{Buf: make([]byte, len(want)-1)}), tooSmall)
				got := h.Output(func(out *p11.Out) error { return h.VerifyRecover(s, sig, out) })
				if !bytes.Equal(got, want) {
					h.Errorf("got %x, want %x", got, want)
				}
				h.Want(h.VerifyRecover(s, sig, room()), notInitialized)

				for flag, init := range map[p11.Flags]func() error{
					p11.CKF_SIGN_RECOVER:   func() error { return h.SignRecoverInit(s, Mech(m), priv) },
					p11.CKF_VERIFY_RECOVER: func() error { return h.VerifyRecoverInit(s, Mech(m), pub) },
				} {
					h.Must(init())
					h.Want(h.SessionCancel(s, ^flag), ok)
					h.Want(init(), active)
					h.Want(h.SessionCancel(s, flag), ok)
					h.Want(init(), ok)
					h.Idle(s)
				}
				h.Must(h.SignRecoverInit(s, Mech(m), priv))
				h.Must(h.SignRecoverInit(s, nil, 0))
				h.Want(h.SignRecover(s, data, room()), notInitialized)
				h.Must(h.VerifyRecoverInit(s, Mech(m), pub))
				h.Must(h.VerifyRecoverInit(s, nil, 0))
				h.Want(h.VerifyRecover(s, sig, room()), notInitialized)
			})
		}
	})
}

func TestWrongSignaturesGiveNothingBack(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := KeyOf(p11.CKK_RSA)
		pub, _ := importPair(h, s, k)
		n := new(big.Int).SetBytes(k.Own.Bytes(p11.CKA_MODULUS))
		d := new(big.Int).SetBytes(k.Own.Bytes(p11.CKA_PRIVATE_EXPONENT))
		key := &rsa.PublicKey{N: n, E: 65537}
		// signature makes the signature of a block that nobody should have signed.
		signature := func(head string, fill byte, tail string) []byte {
			block := append([]byte(head), bytes.Repeat([]byte{fill}, key.Size()-len(head)-len(tail))...)
			block = append(block, tail...)
			return new(big.Int).Exp(new(big.Int).SetBytes(block), d, n).FillBytes(make([]byte, key.Size()))
		}
		good := signature("\x00\x01", 0xff, "\x00data")
		for _, tt := range []struct {
			name string
			sig  []byte
			want p11.RV
		}{
			{"that is right", good, ok},
			{"with nothing in it", signature("\x00\x01", 0xff, "\x00"), ok},
			{"of block type 0", signature("\x00\x00", 0, "\x01data"), p11.CKR_SIGNATURE_INVALID},
			{"of block type 2", signature("\x00\x02", 0xff, "\x00data"), p11.CKR_SIGNATURE_INVALID},
			{"that does not begin with zero", signature("\x01\x01", 0xff, "\x00data"), p11.CKR_SIGNATURE_INVALID},
			{"filled with something else", signature("\x00\x01", 0xfe, "\x00data"), p11.CKR_SIGNATURE_INVALID},
			{"filled with too little", signature("\x00\x01\xff\xff\xff\xff\xff\xff\xff\x00", 7, "data"), p11.CKR_SIGNATURE_INVALID},
			{"that is all filling", signature("\x00\x01", 0xff, ""), p11.CKR_SIGNATURE_INVALID},
			{"not below the modulus", bytes.Repeat([]byte{0xff}, 256), p11.CKR_SIGNATURE_INVALID},
			{"that is short", good[1:], p11.CKR_SIGNATURE_LEN_RANGE},
			{"that is long", append(good, 0), p11.CKR_SIGNATURE_LEN_RANGE},
			{"that is nothing", []byte{}, p11.CKR_SIGNATURE_LEN_RANGE},
		} {
			h.Case("a signature "+tt.name, func(h *Host) {
				h.Must(h.VerifyRecoverInit(s, Mech(p11.CKM_RSA_PKCS), pub))
				h.Want(h.VerifyRecover(s, tt.sig, &p11.Out{Buf: make([]byte, 256)}), tt.want)
				h.Want(h.VerifyRecover(s, tt.sig, room()), notInitialized)
				if tt.want == ok {
					return
				}
				// It goes before a buffer that is too small.
				h.Must(h.VerifyRecoverInit(s, Mech(p11.CKM_RSA_PKCS), pub))
				h.Want(h.VerifyRecover(s, tt.sig, &p11.Out{Buf: []byte{}}), tt.want)
			})
		}
	})
}

func TestRecoveryAsksForItsAttribute(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := KeyOf(p11.CKK_RSA)
		m := Mech(p11.CKM_RSA_PKCS)
		priv, pub := h.Create(s, k.Own, No(p11.CKA_SIGN_RECOVER)), h.Create(s, k.Public, No(p11.CKA_VERIFY_RECOVER))
		h.Want(h.SignRecoverInit(s, m, priv), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
		h.Want(h.VerifyRecoverInit(s, m, pub), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
		priv, pub = h.Create(s, k.Own, No(p11.CKA_SIGN), Yes(p11.CKA_SIGN_RECOVER)), h.Create(s, k.Public, No(p11.CKA_VERIFY), Yes(p11.CKA_VERIFY_RECOVER))
		h.Want(h.SignRecoverInit(s, m, pub), p11.CKR_KEY_TYPE_INCONSISTENT)
		h.Want(h.VerifyRecoverInit(s, m, priv), p11.CKR_KEY_TYPE_INCONSISTENT)
		h.Want(h.SignRecoverInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), priv), p11.CKR_MECHANISM_INVALID)
		h.Want(h.SignRecoverInit(s, m, priv), ok)
		h.Want(h.VerifyRecoverInit(s, m, pub), ok)
		h.Idle(s)
		again := h.Create(s, k.Own, Yes(p11.CKA_ALWAYS_AUTHENTICATE, p11.CKA_PRIVATE, p11.CKA_SIGN_RECOVER))
		h.Must(h.SignRecoverInit(s, m, again))
		h.Want(h.SignRecover(s, nil, &p11.Out{Buf: make([]byte, 256)}), p11.CKR_USER_NOT_LOGGED_IN)
		h.Must(h.SignRecoverInit(s, m, again))
		h.Must(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, UserPIN))
		h.Must(h.SignRecover(s, nil, &p11.Out{Buf: make([]byte, 256)}))
	})
}
