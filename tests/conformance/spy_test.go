package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	. "coffer/tests/p11test"
	"coffer/token"
)

// A spy looks at everything that leaves the token for secrets that must not.
type spy struct {
	Driver
	t       testing.TB
	secrets [][]byte
}

// watch sets a spy on the host.
func watch(h *Host, secrets ...[]byte) {
	h.Driver = &spy{h.Driver, h.T, secrets}
}

func (s *spy) see(what string, b []byte) {
	for _, secret := range s.secrets {
		if len(secret) > 0 && bytes.Contains(b, secret) {
			s.t.Errorf("%s gives a secret away", what)
		}
	}
}

func (s *spy) seeQueries(queries []token.Query) {
	for _, q := range queries {
		s.see("C_GetAttributeValue of "+q.Type.String(), q.Buf)
		s.seeQueries(q.Inner)
	}
}

func (s *spy) GetAttributeValue(h p11.SessionHandle, o p11.ObjectHandle, queries []token.Query) error {
	defer s.seeQueries(queries)
	return s.Driver.GetAttributeValue(h, o, queries)
}

func (s *spy) WrapKey(h p11.SessionHandle, m *p11.Mechanism, w, k p11.ObjectHandle, out *p11.Out) error {
	defer func() { s.see("C_WrapKey", out.Buf) }()
	return s.Driver.WrapKey(h, m, w, k, out)
}

func (s *spy) Encrypt(h p11.SessionHandle, data []byte, out *p11.Out) error {
	defer func() { s.see("C_Encrypt", out.Buf) }()
	return s.Driver.Encrypt(h, data, out)
}

func (s *spy) Decrypt(h p11.SessionHandle, data []byte, out *p11.Out) error {
	defer func() { s.see("C_Decrypt", out.Buf) }()
	return s.Driver.Decrypt(h, data, out)
}

func (s *spy) DecryptUpdate(h p11.SessionHandle, data []byte, out *p11.Out) error {
	defer func() { s.see("C_DecryptUpdate", out.Buf) }()
	return s.Driver.DecryptUpdate(h, data, out)
}

func (s *spy) Sign(h p11.SessionHandle, data []byte, out *p11.Out) error {
	defer func() { s.see("C_Sign", out.Buf) }()
	return s.Driver.Sign(h, data, out)
}

func (s *spy) Digest(h p11.SessionHandle, data []byte, out *p11.Out) error {
	defer func() { s.see("C_Digest", out.Buf) }()
	return s.Driver.Digest(h, data, out)
}
