package object

import (
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
)

// The defaults that the standard leaves to the token (footnote 9 and "default
// is token-specific"), and the three where a rule depends on the origin.
//
//	attribute        public  private  secret   other
//	CKA_PRIVATE      FALSE   TRUE     TRUE     FALSE
//	CKA_SENSITIVE      -     TRUE     FALSE, derived from a secret key: as that one
//	CKA_EXTRACTABLE    -     created FALSE, generated FALSE, unwrapped TRUE, encapsulated TRUE,
//	                         derived by key agreement TRUE, from a secret key: as that one
//	CKA_WRAP, CKA_UNWRAP and the uses that undo them: see separated
//	CKA_ENCAPSULATE, CKA_DECAPSULATE: TRUE if it is all that the key type can do
//	other uses       TRUE if some mechanism here can put the key type to the use
//	CKA_DERIVE       FALSE, which the standard says
//	CKA_TRUSTED      FALSE
//	CKA_OBJECT_VALIDATION_FLAGS  0: the module has no validation to claim
//
// CKA_SENSITIVE of a private key is TRUE however it is made, so that only a
// template that says so makes a readable one. (SoftHSM2 says FALSE, but its
// keys are not extractable by default and so as unreadable.) Of a secret key
// the standard itself says FALSE.
//
// CKA_EXTRACTABLE is FALSE as with SoftHSM2, also for created keys: with it a
// key of a template that says nothing stays inside. The standard makes it TRUE
// for unwrapped keys. A key agreed on by ECDH or DH is TRUE because SunPKCS11
// reads CKA_VALUE of what C_DeriveKey made of its bare template; the standard
// lets both flags "take on some default value". A key derived from a secret
// key is no more exposed than that one unless the template asks for it.
//
// All uses are TRUE by default, as with SoftHSM2, NSS and openCryptoki, because
// SunPKCS11 and openCryptoki's tests generate and create keys without any. Not
// so encapsulation, which no client knew before version 3.2: with CKM_RSA_X_509
// it is the bare private operation, which signs and decrypts, and a template
// that withholds CKA_SIGN and CKA_DECRYPT shall not let it in by silence.
type choice struct {
	attr  p11.AttributeType
	value func(c *setting) attr.Value
}

// setting is what a default may depend on.
type setting struct {
	attr   p11.AttributeType
	kind   kind
	origin origin
	given  attr.Values // the caller's template
	can    p11.Flags   // what mechanisms can do with the key type
	wants  Defaults
}

var choices = []choice{
	{p11.CKA_PRIVATE, yes(func(c *setting) bool {
		return c.kind.class == p11.CKO_PRIVATE_KEY || c.kind.class == p11.CKO_SECRET_KEY
	})},
	{p11.CKA_SENSITIVE, yes((*setting).sensitive)},
	{p11.CKA_EXTRACTABLE, yes((*setting).extractable)},
	{p11.CKA_ENCRYPT, able(p11.CKF_ENCRYPT)},
	{p11.CKA_DECRYPT, able(p11.CKF_DECRYPT)},
	{p11.CKA_SIGN, able(p11.CKF_SIGN)},
	{p11.CKA_VERIFY, able(p11.CKF_VERIFY)},
	{p11.CKA_SIGN_RECOVER, able(p11.CKF_SIGN_RECOVER)},
	{p11.CKA_VERIFY_RECOVER, able(p11.CKF_VERIFY_RECOVER)},
	{p11.CKA_WRAP, able(p11.CKF_WRAP)},
	{p11.CKA_UNWRAP, able(p11.CKF_UNWRAP)},
	{p11.CKA_ENCAPSULATE, only(p11.CKF_ENCAPSULATE)},
	{p11.CKA_DECAPSULATE, only(p11.CKF_DECAPSULATE)},
	{p11.CKA_TRUSTED, yes(func(*setting) bool { return false })},
	{p11.CKA_OBJECT_VALIDATION_FLAGS, func(c *setting) attr.Value { return attr.NewULong(c.attr, 0) }},
}

func yes(f func(c *setting) bool) func(*setting) attr.Value {
	return func(c *setting) attr.Value { return attr.NewBool(c.attr, f(c)) }
}

func able(flag p11.Flags) func(*setting) attr.Value {
	return yes(func(c *setting) bool { return c.can&flag != 0 && !c.separated() })
}

// only is able for a use that is TRUE unless the key type has others.
func only(flag p11.Flags) func(*setting) attr.Value {
	const others = p11.CKF_ENCRYPT | p11.CKF_DECRYPT | p11.CKF_SIGN | p11.CKF_VERIFY | p11.CKF_WRAP | p11.CKF_UNWRAP | p11.CKF_DERIVE
	return yes(func(c *setting) bool { return c.can&flag != 0 && c.can&others == 0 })
}

func (c *setting) sensitive() bool {
	if c.kind.class == p11.CKO_PRIVATE_KEY || c.wants.Hidden {
		return true
	}
	base := c.secretBase()
	return base != nil && base.Sensitive()
}

func (c *setting) extractable() bool {
	switch c.origin.how {
	case attr.Unwrap, attr.Encapsulate:
		return true
	case attr.Derive:
		base := c.secretBase()
		return base == nil || base.Extractable()
	default:
		return false
	}
}

// secretBase returns the secret key that the object is derived from, nil if it
// is derived from none.
func (c *setting) secretBase() *Object {
	for _, b := range c.origin.bases {
		if b.class == p11.CKO_SECRET_KEY {
			return b
		}
	}
	return nil
}

// separated keeps a default from joining two uses of a key that undo each
// other. With CKA_WRAP and CKA_DECRYPT in one secret key, whoever has a session
// wraps a sensitive key and decrypts the result; with CKA_UNWRAP and
// CKA_ENCRYPT, he plants a key that he knows. CKA_SIGN is as good as
// CKA_ENCRYPT: CBC-MAC of one block is the block cipher, and GMAC of nothing is
// the first block of the key stream of CCM. An RSA key that unwraps opens the
// blob itself with CKA_DECRYPT, or with CKA_SIGN and CKM_RSA_X_509, whatever its
// CKA_UNWRAP_TEMPLATE says of what is unwrapped.
//
// So a template that asks for wrapping or unwrapping gets no other use unless it
// asks for that too, and for a secret key the other way round. A template that
// names none of them gets all: SunPKCS11's AESWrap and openCryptoki's wrapping
// tests name none, and what such a template makes is itself not extractable.
//
// Where the policy wants it, no key of any kind wraps or unwraps unless its
// template says so.
func (c *setting) separated() bool {
	if c.wants.Separate && slices.Contains(wrappingUses, c.attr) {
		return true
	}
	asked := func(types []p11.AttributeType) bool { return slices.ContainsFunc(types, c.given.True) }
	switch {
	case c.kind.class == p11.CKO_PRIVATE_KEY:
		return slices.Contains(otherUses, c.attr) && c.given.True(p11.CKA_UNWRAP)
	case c.kind.class != p11.CKO_SECRET_KEY:
		return false
	case slices.Contains(otherUses, c.attr):
		return asked(wrappingUses)
	case slices.Contains(wrappingUses, c.attr):
		return asked(otherUses)
	default:
		return false
	}
}

// The uses of a key that separated keeps apart.
var (
	wrappingUses = []p11.AttributeType{p11.CKA_WRAP, p11.CKA_UNWRAP}
	otherUses    = []p11.AttributeType{
		p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_SIGN_RECOVER, p11.CKA_VERIFY_RECOVER,
	}
)

// withDefaults adds the token's choices to checked, the template with the
// table's defaults, where given, the caller's template, says nothing; and the
// attributes that tell the origin of a key, which no template can have.
func (f *Factory) withDefaults(k kind, o origin, given, checked attr.Values) attr.Values {
	c := setting{kind: k, origin: o, given: given, wants: f.wants}
	if k.row != nil {
		c.can = f.can()[k.row.Type]
	}
	chosen := make(attr.Values, 0, len(choices))
	for _, ch := range choices {
		if k.table.Find(ch.attr) != nil && !given.Has(ch.attr) {
			c.attr = ch.attr
			chosen = append(chosen, ch.value(&c))
		}
	}
	return withOrigin(k, o, checked.With(chosen...))
}

// withOrigin tells how a key came into being (PKCS #11 v3.2, C_CreateObject,
// C_GenerateKey, C_UnwrapKey, and for derived keys the rule that all
// derivation mechanisms of this module share, as in "Elliptic curve
// Diffie-Hellman key derivation").
func withOrigin(k kind, o origin, values attr.Values) attr.Values {
	generated := o.how == attr.Generate
	if k.domain != nil {
		return values.With(attr.NewBool(p11.CKA_LOCAL, generated))
	}
	if k.row == nil {
		return values
	}
	always, never := generated, generated
	if o.how == attr.Derive {
		always, never = true, true
		for _, b := range o.bases {
			always = always && b.values.True(p11.CKA_ALWAYS_SENSITIVE)
			never = never && b.values.True(p11.CKA_NEVER_EXTRACTABLE)
		}
	}
	mechanism := p11.Unavailable
	if generated {
		mechanism = uint64(o.mechanism)
	}
	local, by := attr.NewBool(p11.CKA_LOCAL, generated), attr.NewULong(p11.CKA_KEY_GEN_MECHANISM, mechanism)
	if k.table.Find(p11.CKA_ALWAYS_SENSITIVE) == nil {
		return values.With(local, by)
	}
	return values.With(local, by,
		attr.NewBool(p11.CKA_ALWAYS_SENSITIVE, always && values.True(p11.CKA_SENSITIVE)),
		attr.NewBool(p11.CKA_NEVER_EXTRACTABLE, never && !values.True(p11.CKA_EXTRACTABLE)),
	)
}
