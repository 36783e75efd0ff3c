package hotpath

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

// BenchmarkKeys measures what goes from a handle to a key: the Init of an
// operation with a key that is open already, and the making and destruction of
// session keys.
func BenchmarkKeys(b *testing.B) {
	s := open(b)
	for _, c := range []struct {
		name      string
		mechanism p11.MechanismType
		key       p11.ObjectHandle
	}{
		{"sign-init-p256", p11.CKM_ECDSA, s.pair(p11.CKM_EC_KEY_PAIR_GEN, p256)},
		{"sign-init-rsa2048", p11.CKM_SHA256_RSA_PKCS, s.pair(p11.CKM_RSA_PKCS_KEY_PAIR_GEN, rsa2048)},
		{"sign-init-hmac", p11.CKM_SHA256_HMAC, s.secret(true)},
	} {
		m := &p11.Mechanism{Type: c.mechanism}
		b.Run(c.name, call{call: func() error {
			if err := s.module.SignInit(s.handle, m, c.key); err != nil {
				return err
			}
			return s.module.SessionCancel(s.handle, p11.CKF_SIGN)
		}}.count)
	}
	b.Run("session-key", call{call: func() error { return s.module.DestroyObject(s.handle, s.secret(false)) }}.count)
}

// secret generates a generic secret.
func (s *session) secret(onToken bool) p11.ObjectHandle {
	key, err := s.module.GenerateKey(s.handle, &p11.Mechanism{Type: p11.CKM_GENERIC_SECRET_KEY_GEN}, attr.Values{
		attr.NewBool(p11.CKA_TOKEN, onToken),
		attr.NewBool(p11.CKA_SIGN, true),
		attr.NewULong(p11.CKA_VALUE_LEN, 32),
	})
	if err != nil {
		s.b.Fatal(err)
	}
	return key
}
