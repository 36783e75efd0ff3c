package token

import (
	"bytes"
	"reflect"
	"testing"

	"coffer/p11"
	"coffer/token/policy"
)

var someOps = []savedOp{
	{purpose: digest, phase: multiPart, kind: p11.CKM_SHA256, progress: []byte("how far it is")},
	{purpose: encrypt, phase: ready, kind: p11.CKM_AES_CTR, params: encodeParams(p11.CTRParams{CounterBits: 32}), key: &keyRef{generation: 7, private: true}, progress: []byte{}},
	{purpose: verify, phase: multiPart, kind: p11.CKM_SHA256_HMAC, key: &keyRef{session: true}, progress: []byte{1}},
}

// FuzzSavedState: what is in the seal is taken apart as if anybody had made it.
func FuzzSavedState(f *testing.F) {
	f.Add(encodeState(someOps))
	f.Add(encodeState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		ops, err := decodeState(b)
		if err != nil {
			if p11.Code(err) != p11.CKR_SAVED_STATE_INVALID {
				t.Fatal(err)
			}
			return
		}
		if again := encodeState(ops); !bytes.Equal(again, b) {
			t.Fatalf("%x is taken apart, and makes %x", b, again)
		}
		for _, o := range ops {
			if p, err := decodeParams(o.params); err == nil && !bytes.Equal(encodeParams(p), o.params) {
				t.Fatalf("the parameter %x makes %x", o.params, encodeParams(p))
			}
		}
	})
}

func TestParametersInASavedState(t *testing.T) {
	for _, p := range []p11.Params{
		nil, p11.ULongParam(9), p11.IV{1, 2, 3}, p11.CTRParams{CounterBits: 128, Counter: [16]byte{15: 7}},
		p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, SaltLen: 32},
		p11.ChaCha20Params{Counter: 1 << 40, CounterBits: 64, Nonce: make([]byte, 24)},
	} {
		b := encodeParams(p)
		got, err := decodeParams(b)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%#v comes back as %#v, %v", p, got, err)
		}
		for i := range b {
			if i > 0 && i < 9 {
				if _, err := decodeParams(b[:i]); err == nil && b[0] != savedIV {
					t.Errorf("%d bytes of %x were taken", i, b)
				}
			}
		}
	}
	if b := encodeParams(p11.GCMParams{}); b == nil || len(b) != 0 {
		t.Error("a parameter that no saved operation has")
	}
}

// TestAStateAgainstAnotherPolicy: what the policy refuses by now is not taken
// up again.
func TestAStateAgainstAnotherPolicy(t *testing.T) {
	h := newHost(t, under("legacy"))
	s := h.user()
	h.must(h.DigestInit(s, mechanism(p11.CKM_BLAKE2B_256)))
	out := p11.Out{Buf: make([]byte, 4096)}
	h.must(h.GetOperationState(s, &out))
	h.reopen(under("strict"))
	s = h.user()
	h.want(h.SetOperationState(s, out.Buf[:out.N], 0, 0), p11.CKR_SAVED_STATE_INVALID)
	h.reopen(func(c *Config) { c.Policy.Global = policy.Legacy() })
	s = h.user()
	h.want(h.SetOperationState(s, out.Buf[:out.N], 0, 0), p11.CKR_OK)
}
