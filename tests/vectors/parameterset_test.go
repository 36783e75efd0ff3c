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
