package vectors

import (
	"bytes"
	"fmt"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A verdict is how the token took a case.
type verdict struct {
	kind verdictKind
	why  string
	err  error
}

type verdictKind int

const (
	_        verdictKind = iota
	accepted             // it did what the vector says
	refused              // it answered with a code
	wrong                // it answered with something else
	unfit                // the case cannot be said in PKCS #11
	absent               // coffer has not what it takes
)

var yes = verdict{kind: accepted}

func no(err error) verdict        { return verdict{kind: refused, err: err} }
func unfitFor(why string) verdict { return verdict{kind: unfit, why: why} }
func without(what string) verdict { return verdict{kind: absent, why: what} }
func given(what string, b []byte) verdict {
	return verdict{kind: wrong, why: fmt.Sprintf("%s gives %x", what, b)}
}

// both is a verdict on two functions that must agree.
func both(a, b verdict) verdict {
	if a.kind == b.kind {
		return a
	}
	return verdict{kind: wrong, why: fmt.Sprintf("two functions do not agree: %v and %v", a, b)}
}

// A client is a session that a file's cases run in.
type client struct {
	Driver
	s p11.SessionHandle

	// used are the mechanisms that ran, for the table.
	used []p11.MechanismType

	// The key of the case before, which most often is that of the next.
	made string
	key  p11.ObjectHandle
}

// readable is the rest of a template of a key whose value is looked at.
var readable = Join(No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))

// secret is the template of a secret key that comes out of nothing but the
// mechanism.
func secret(n int) attr.Values {
	return Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(n)}, readable)
}

// object makes an object, once for cases in a row that have the same.
func (c *client) object(parts ...attr.Values) (p11.ObjectHandle, error) {
	template := Join(parts...)
	return c.once(string(attr.Encode(template)), func() (p11.ObjectHandle, error) { return c.CreateObject(c.s, template) })
}

func (c *client) once(name string, make func() (p11.ObjectHandle, error)) (p11.ObjectHandle, error) {
	if c.made == name {
		return c.key, nil
	}
	c.drop()
	o, err := make()
	if err != nil {
		return 0, err
	}
	c.made, c.key = name, o
	return o, nil
}

func (c *client) drop() {
	if c.made != "" {
		_ = c.DestroyObject(c.s, c.key)
		c.made = ""
	}
}

// value reads the value of a new key and destroys it.
func (c *client) value(o p11.ObjectHandle) ([]byte, error) {
	defer c.DestroyObject(c.s, o)
	h := Host{Driver: c.Driver}
	return h.Get(c.s, o, p11.CKA_VALUE)
}

// with notes that a mechanism runs.
func (c *client) with(m *p11.Mechanism) *p11.Mechanism {
	if !slices.Contains(c.used, m.Type) {
		c.used = append(c.used, m.Type)
	}
	return m
}

func (c *client) encrypt(m *p11.Mechanism, k p11.ObjectHandle, in []byte) ([]byte, error) {
	if err := c.EncryptInit(c.s, c.with(m), k); err != nil {
		return nil, err
	}
	return Output(func(out *p11.Out) error { return c.Encrypt(c.s, in, out) })
}

func (c *client) decrypt(m *p11.Mechanism, k p11.ObjectHandle, in []byte) ([]byte, error) {
	if err := c.DecryptInit(c.s, c.with(m), k); err != nil {
		return nil, err
	}
	return Output(func(out *p11.Out) error { return c.Decrypt(c.s, in, out) })
}

func (c *client) sign(m *p11.Mechanism, k p11.ObjectHandle, in []byte) ([]byte, error) {
	if err := c.SignInit(c.s, c.with(m), k); err != nil {
		return nil, err
	}
	return Output(func(out *p11.Out) error { return c.Sign(c.s, in, out) })
}

func (c *client) verify(m *p11.Mechanism, k p11.ObjectHandle, in, sig []byte) verdict {
	if err := c.VerifyInit(c.s, c.with(m), k); err != nil {
		return no(err)
	}
	if err := c.Verify(c.s, in, sig); err != nil {
		return no(err)
	}
	return yes
}

// expect is the verdict on an answer.
func expect(what string, got []byte, err error, want []byte) verdict {
	switch {
	case err != nil:
		return no(err)
	case !bytes.Equal(got, want):
		return given(what, got)
	}
	return yes
}

// crypts is the verdict on a pair of plaintext and ciphertext: the token opens
// it, and, of what it opens, makes it.
func (c *client) crypts(m *p11.Mechanism, k p11.ObjectHandle, plain, cipher []byte) verdict {
	got, err := c.decrypt(m, k, cipher)
	if v := expect("decrypting", got, err, plain); v != yes {
		return v
	}
	got, err = c.encrypt(m, k, plain)
	return expect("encrypting", got, err, cipher)
}

// wrappingKey is the value of the key under which encoded keys come in.
var wrappingKey = bytes.Repeat([]byte{0x5a}, 32)

// unwrap brings in a private key as PKCS #8.
func (c *client) unwrap(pkcs8 []byte, t p11.KeyType, parts ...attr.Values) (p11.ObjectHandle, error) {
	return c.once(string(pkcs8), func() (p11.ObjectHandle, error) {
		kek, err := c.CreateObject(c.s, Join(Secret(p11.CKK_AES, wrappingKey), Yes(p11.CKA_ENCRYPT, p11.CKA_UNWRAP)))
		if err != nil {
			return 0, err
		}
		defer c.DestroyObject(c.s, kek)
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		importer := &client{Driver: c.Driver, s: c.s}
		blob, err := importer.encrypt(kwp, kek, pkcs8)
		if err != nil {
			return 0, err
		}
		return c.UnwrapKey(c.s, kwp, kek, blob, Join(append(parts, attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(t)})...))
	})
}
