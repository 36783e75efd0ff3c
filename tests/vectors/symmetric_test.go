package vectors

import (
	"bytes"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// aead runs AeadTest; params makes the parameter, of which the plaintext's
// length is a part in CCM.
func aead(m p11.MechanismType, t p11.KeyType, params func(g *group, v *vector) p11.Params) adapter {
	return func(c *client, g *group, v *vector) verdict {
		k, err := c.object(Secret(t, v.Key), Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
		if err != nil {
			return no(err)
		}
		return c.crypts(Mech(m, params(g, v)), k, v.Msg, append(bytes.Clone(v.CT), v.Tag...))
	}
}

func gcmParams(g *group, v *vector) p11.Params {
	return p11.GCMParams{IV: v.IV, AAD: v.AAD, TagBits: uint64(g.TagSize)}
}

func ccmParams(g *group, v *vector) p11.Params {
	return p11.CCMParams{DataLen: uint64(len(v.CT)), Nonce: v.IV, AAD: v.AAD, MACLen: uint64(g.TagSize / 8)}
}

// chacha runs the files of the two algorithms that one mechanism tells apart by
// the length of the nonce.
func chacha(nonce int) adapter {
	run := aead(p11.CKM_CHACHA20_POLY1305, p11.CKK_CHACHA20, func(_ *group, v *vector) p11.Params {
		return p11.ChaCha20Poly1305Params{Nonce: v.IV, AAD: v.AAD}
	})
	return func(c *client, g *group, v *vector) verdict {
		if n := len(v.IV); n != nonce && (n == 12 || n == 24) {
			return unfitFor("a nonce of this length asks for the other of ChaCha20-Poly1305 and XChaCha20-Poly1305")
		}
		return run(c, g, v)
	}
}

// cbc runs IndCpaTest.
func cbc(m p11.MechanismType, t p11.KeyType) adapter {
	return func(c *client, _ *group, v *vector) verdict {
		k, err := c.object(Secret(t, v.Key), Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
		if err != nil {
			return no(err)
		}
		return c.crypts(Mech(m, p11.IV(v.IV)), k, v.Msg, v.CT)
	}
}

// xts gives the number of the data unit as IEEE 1619 has it: 16 bytes, the
// least significant first.
func xts(c *client, _ *group, v *vector) verdict {
	k, err := c.object(Secret(p11.CKK_AES_XTS, v.Key), Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
	if err != nil {
		return no(err)
	}
	unit := append(bytes.Clone(v.IV), make([]byte, 16-len(v.IV))...)
	return c.crypts(Mech(p11.CKM_AES_XTS, p11.IV(unit)), k, v.Msg, v.CT)
}

// mac runs MacTest: the mechanism of the whole MAC, and that of a shorter one.
func mac(whole, general p11.MechanismType, t p11.KeyType, size int) adapter {
	return func(c *client, g *group, v *vector) verdict {
		m := Mech(whole)
		if n := g.TagSize / 8; n != size {
			m = Mech(general, p11.ULongParam(n))
		}
		return c.macs(m, t, v)
	}
}

func gmac(c *client, g *group, v *vector) verdict {
	return c.macs(Mech(p11.CKM_AES_GMAC, p11.GCMParams{IV: v.IV, TagBits: uint64(g.TagSize)}), p11.CKK_AES, v)
}

// macs is the verdict on a MAC: whether the token verifies it, which is whether
// it makes the same.
func (c *client) macs(m *p11.Mechanism, t p11.KeyType, v *vector) verdict {
	k, err := c.object(Secret(t, v.Key), Yes(p11.CKA_SIGN, p11.CKA_VERIFY))
	if err != nil {
		return no(err)
	}
	got, err := c.sign(m, k, v.Msg)
	if err != nil {
		return no(err)
	}
	same := yes
	if !bytes.Equal(got, v.Tag) {
		same.kind = refused
	}
	return both(c.verify(m, k, v.Msg, v.Tag), same)
}

// keywrap runs KeywrapTest by all four functions that open or make a blob.
func keywrap(m p11.MechanismType) adapter {
	return func(c *client, _ *group, v *vector) verdict {
		k, err := c.object(Secret(p11.CKK_AES, v.Key), Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP))
		if err != nil {
			return no(err)
		}
		return both(c.crypts(Mech(m), k, v.Msg, v.CT), c.wraps(Mech(m), k, v.Msg, v.CT))
	}
}

func (c *client) wraps(m *p11.Mechanism, k p11.ObjectHandle, value, blob []byte) verdict {
	template := secret(0).Without(p11.CKA_VALUE_LEN)
	o, err := c.UnwrapKey(c.s, c.with(m), k, blob, template)
	if err != nil {
		return no(err)
	}
	defer c.DestroyObject(c.s, o)
	h := Host{Driver: c.Driver}
	got, err := h.Get(c.s, o, p11.CKA_VALUE)
	if v := expect("unwrapping", got, err, value); v != yes {
		return v
	}
	got, err = Output(func(out *p11.Out) error { return c.WrapKey(c.s, m, k, o, out) })
	return expect("wrapping", got, err, blob)
}
