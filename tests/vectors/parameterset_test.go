package vectors

import (
	"encoding/json"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// setKey is the template of a key with a parameter set.
func setKey(class p11.ObjectClass, t p11.KeyType, set uint64, rest ...attr.Value) attr.Values {
	return append(attr.Values{Class(class), Type(t), attr.NewULong(p11.CKA_PARAMETER_SET, set)}, rest...)
}

// hexOf reads a raw value that is a string of hexadecimal digits, and reports
// whether there is one.
func hexOf(raw json.RawMessage) ([]byte, bool) { return bytesOf(raw), raw != nil }

// mldsaParams are the context of a case, if it has one.
func mldsaParams(hedge uint64, v *vector) p11.SignContext {
	p := p11.SignContext{Hedge: hedge}
	if v.Ctx != nil {
		p.Context = *v.Ctx
	}
	return p
}

func mldsaVerify(set uint64) adapter {
	return func(c *client, g *group, v *vector) verdict {
		k, err := c.object(setKey(p11.CKO_PUBLIC_KEY, p11.CKK_ML_DSA, set, Value(bytesOf(g.PublicKey))), Yes(p11.CKA_VERIFY))
		if err != nil {
			return no(err)
		}
		return c.verify(Mech(p11.CKM_ML_DSA, mldsaParams(p11.CKH_HEDGE_PREFERRED, v)), k, v.Msg, v.Sig)
	}
}

// mldsaSign signs with a key that came in as PKCS #8 where a group has it, else
// as the seed or the expanded key.
func mldsaSign(set uint64) adapter {
	return func(c *client, g *group, v *vector) verdict {
		if v.flagged("Internal") {
			return unfitFor("no mechanism takes μ without the message")
		}
		var k p11.ObjectHandle
		var err error
		value, expanded := hexOf(g.PrivateKey)
		switch {
		case len(g.PrivateKeyPkcs8) > 0:
			k, err = c.unwrap(g.PrivateKeyPkcs8, p11.CKK_ML_DSA, Yes(p11.CKA_SIGN))
		case expanded:
			k, err = c.object(setKey(p11.CKO_PRIVATE_KEY, p11.CKK_ML_DSA, set, Value(value)), Yes(p11.CKA_SIGN))
		default:
			k, err = c.object(setKey(p11.CKO_PRIVATE_KEY, p11.CKK_ML_DSA, set, attr.NewBytes(p11.CKA_SEED, g.PrivateSeed)), Yes(p11.CKA_SIGN))
		}
		if err != nil {
			return no(err)
		}
		if v.flagged("Randomized") {
			return unfitFor("the token makes its own randomness")
		}
		got, err := c.sign(Mech(p11.CKM_ML_DSA, mldsaParams(p11.CKH_DETERMINISTIC_REQUIRED, v)), k, v.Msg)
		return expect("signing", got, err, v.Sig)
	}
}

var mlkemSets = map[string]uint64{"ML-KEM-512": p11.CKP_ML_KEM_512, "ML-KEM-768": p11.CKP_ML_KEM_768, "ML-KEM-1024": p11.CKP_ML_KEM_1024}

func (c *client) mlkemPrivate(g *group, rest ...attr.Value) (p11.ObjectHandle, error) {
	return c.object(setKey(p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, mlkemSets[g.ParameterSet], rest...), Yes(p11.CKA_DECAPSULATE), readable)
}

// decapsulates is the verdict on what a key makes of a ciphertext.
func (c *client) decapsulates(k p11.ObjectHandle, err error, v *vector) verdict {
	if err != nil {
		return no(err)
	}
	o, err := c.DecapsulateKey(c.s, c.with(Mech(p11.CKM_ML_KEM)), k, secret(32), v.Ciphertext)
	if err != nil {
		return no(err)
	}
	got, err := c.value(o)
	return expect("decapsulating", got, err, v.Secret)
}

func mlkemSeed(c *client, g *group, v *vector) verdict {
	k, err := c.mlkemPrivate(g, attr.NewBytes(p11.CKA_SEED, v.Seed))
	return c.decapsulates(k, err, v)
}

func mlkemExpanded(c *client, g *group, v *vector) verdict {
	k, err := c.mlkemPrivate(g, Value(v.DK))
	return c.decapsulates(k, err, v)
}

// mlkemKeys reads the expanded key that the token makes of a seed.
func mlkemKeys(c *client, g *group, v *vector) verdict {
	k, err := c.mlkemPrivate(g, attr.NewBytes(p11.CKA_SEED, v.Seed))
	if err != nil {
		return no(err)
	}
	h := Host{Driver: c.Driver}
	got, err := h.Get(c.s, k, p11.CKA_VALUE)
	return expect("expanding", got, err, v.DK)
}

// mlkemPublic tells keys from what is none; that the ciphertext is right is
// known of decapsulating it.
func mlkemPublic(c *client, g *group, v *vector) verdict {
	k, err := c.object(setKey(p11.CKO_PUBLIC_KEY, p11.CKK_ML_KEM, mlkemSets[g.ParameterSet], Value(v.EK)), Yes(p11.CKA_ENCAPSULATE))
	if err != nil {
		return no(err)
	}
	out := p11.Out{Buf: make([]byte, len(v.Ciphertext))}
	o, err := c.EncapsulateKey(c.s, c.with(Mech(p11.CKM_ML_KEM)), k, secret(32), &out)
	if err != nil {
		return no(err)
	}
	if _, err := c.value(o); err != nil {
		return no(err)
	}
	return unfitFor("the token makes its own randomness")
}
