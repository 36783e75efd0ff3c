package token

import (
	"sync"
	"sync/atomic"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/policy"
)

// What is parsed of a private key is wiped with it: not before the operation
// that signs with it has ended.
func TestAPrivateKeyIsWholeUntilItsLastSignature(t *testing.T) {
	curve := func(oid string) attr.Values { return attr.Values{attr.NewString(p11.CKA_EC_PARAMS, oid)} }
	for _, tt := range []struct {
		name           string
		generate, sign p11.MechanismType
		public         attr.Values
		rounds         int
	}{
		{"P-256", p11.CKM_EC_KEY_PAIR_GEN, p11.CKM_ECDSA_SHA256, curve("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), rounds()},
		{"Ed25519", p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p11.CKM_EDDSA, curve("\x06\x03\x2b\x65\x70"), rounds()},
		{"RSA", p11.CKM_RSA_PKCS_KEY_PAIR_GEN, p11.CKM_SHA256_RSA_PKCS, attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 1024)}, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, func(c *Config) { c.Policy.Global = policy.Legacy() }) // for an RSA key that is quickly made
			owner := h.user()
			type pair struct{ public, private p11.ObjectHandle }
			var current atomic.Pointer[pair]
			generate := func() {
				pub, priv, err := h.GenerateKeyPair(owner, mechanism(tt.generate), join(tt.public, yes(p11.CKA_VERIFY)), yes(p11.CKA_SIGN))
				h.must(err)
				current.Store(&pair{pub, priv})
			}
			generate()
			var stop atomic.Bool
			var done atomic.Int64
			var wg sync.WaitGroup
			for range 2 {
				s := h.session(rw)
				wg.Go(func() {
					for !stop.Load() {
						k := current.Load()
						if err := h.SignInit(s, mechanism(tt.sign), k.private); err != nil {
							if p11.Code(err) != p11.CKR_KEY_HANDLE_INVALID {
								t.Error(err)
							}
							continue
						}
						out := p11.Out{Buf: make([]byte, 256)}
						if err := h.Sign(s, message, &out); err != nil {
							t.Error("a signature that had begun: ", err)
							continue
						}
						if err := h.VerifyInit(s, mechanism(tt.sign), k.public); err != nil {
							t.Error(err)
						} else if err := h.Verify(s, message, out.Buf[:out.N]); err != nil {
							t.Error("a signature of a key that went: ", err)
						}
						done.Add(1)
					}
				})
			}
			for i := 0; i < tt.rounds || done.Load() == 0; i++ {
				h.must(h.DestroyObject(owner, current.Load().private))
				generate()
			}
			stop.Store(true)
			wg.Wait()
		})
	}
}
