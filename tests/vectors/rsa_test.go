package vectors

import (
	"encoding/json"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	encoding "encoding/asn1"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// rsaPublic brings in the public half.
func (c *client) rsaPublic(raw json.RawMessage) (p11.ObjectHandle, error) {
	var key struct{ Modulus, PublicExponent hexBytes }
	if err := json.Unmarshal(raw, &key); err != nil {
		return 0, err
	}
	return c.object(attr.Values{
		Class(p11.CKO_PUBLIC_KEY), Type(p11.CKK_RSA), attr.NewBytes(p11.CKA_MODULUS, trim(key.Modulus)),
		attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, trim(key.PublicExponent)),
	}, Yes(p11.CKA_VERIFY))
}

func trim(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// digestInfo is what CKM_RSA_PKCS signs for the hashes that have no mechanism.
func digestInfo(name string, msg []byte) []byte {
	oids := map[string]encoding.ObjectIdentifier{
		"SHA-512/224": {2, 16, 840, 1, 101, 3, 4, 2, 5}, "SHA-512/256": {2, 16, 840, 1, 101, 3, 4, 2, 6},
	}
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oids[name])
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(sum(name, msg))
	})
	return b.BytesOrPanic()
}

// pkcs1 returns the mechanism of PKCS #1 v1.5 with a hash, and what it signs.
func pkcs1(g *group, v *vector) (*p11.Mechanism, []byte) {
	if m := hashes[g.Sha].pkcs1; m != 0 {
		return Mech(m), v.Msg
	}
	return Mech(p11.CKM_RSA_PKCS), digestInfo(g.Sha, v.Msg)
}

// pkcs1Verify runs RsassaPkcs1Verify.
func pkcs1Verify(c *client, g *group, v *vector) verdict {
	k, err := c.rsaPublic(g.PublicKey)
	if err != nil {
		return no(err)
	}
	m, data := pkcs1(g, v)
	return c.verify(m, k, data, v.Sig)
}

// pkcs1Sign runs RsassaPkcs1Generate.
func pkcs1Sign(c *client, g *group, v *vector) verdict {
	k, err := c.unwrap(g.PrivateKeyPkcs8, p11.CKK_RSA, Yes(p11.CKA_SIGN))
	if err != nil {
		return no(err)
	}
	m, data := pkcs1(g, v)
	got, err := c.sign(m, k, data)
	return expect("signing", got, err, v.Sig)
}

const noMGF = "PKCS #11 has no mask generation function with this hash"

// pss runs RsassaPssVerify and RsassaPssWithParametersVerify.
func pss(c *client, g *group, v *vector) verdict {
	h, mgf := hashes[g.Sha], hashes[g.MGFSha].mgf
	if g.MGF != "MGF1" || mgf == 0 {
		return unfitFor(noMGF)
	}
	k, err := c.rsaPublic(g.PublicKey)
	if err != nil {
		return no(err)
	}
	p := p11.PSSParams{Hash: h.digest, MGF: mgf, SaltLen: uint64(g.SLen)}
	raw := c.verify(Mech(p11.CKM_RSA_PKCS_PSS, p), k, sum(g.Sha, v.Msg), v.Sig)
	if h.pss == 0 {
		return raw
	}
	return both(c.verify(Mech(h.pss, p), k, v.Msg, v.Sig), raw)
}

// decryptsRSA brings in a private key and decrypts.
func (c *client) decryptsRSA(m *p11.Mechanism, g *group, v *vector) verdict {
	k, err := c.unwrap(g.PrivateKeyPkcs8, p11.CKK_RSA, Yes(p11.CKA_DECRYPT))
	if err != nil {
		return no(err)
	}
	got, err := c.decrypt(m, k, v.CT)
	return expect("decrypting", got, err, v.Msg)
}

// pkcs1Decrypt runs RsaesPkcs1Decrypt.
func pkcs1Decrypt(c *client, g *group, v *vector) verdict {
	return c.decryptsRSA(Mech(p11.CKM_RSA_PKCS), g, v)
}

// oaep runs RsaesOaepDecrypt.
func oaep(c *client, g *group, v *vector) verdict {
	mgf := hashes[g.MGFSha].mgf
	if mgf == 0 {
		return unfitFor(noMGF)
	}
	return c.decryptsRSA(Mech(p11.CKM_RSA_PKCS_OAEP, p11.OAEPParams{
		Hash: hashes[g.Sha].digest, MGF: mgf, Source: p11.CKZ_DATA_SPECIFIED, Label: v.Label,
	}), g, v)
}

// dsa runs DsaP1363Verify, dsaInDER DsaVerify.
func dsa(c *client, g *group, v *vector) verdict {
	var key struct{ P, Q, G, Y hexBytes }
	if err := json.Unmarshal(g.PublicKey, &key); err != nil {
		return no(err)
	}
	k, err := c.object(attr.Values{
		Class(p11.CKO_PUBLIC_KEY), Type(p11.CKK_DSA), attr.NewBytes(p11.CKA_PRIME, trim(key.P)), attr.NewBytes(p11.CKA_SUBPRIME, trim(key.Q)),
		attr.NewBytes(p11.CKA_BASE, trim(key.G)), attr.NewBytes(p11.CKA_VALUE, trim(key.Y)),
	}, Yes(p11.CKA_VERIFY))
	if err != nil {
		return no(err)
	}
	return c.verify(Mech(hashes[g.Sha].dsa), k, v.Msg, v.Sig)
}

func dsaInDER(c *client, g *group, v *vector) verdict {
	var key struct{ Q hexBytes }
	_ = json.Unmarshal(g.PublicKey, &key)
	sig, ok := plain(v.Sig, len(trim(key.Q)))
	if !ok {
		return unfitFor(notDER)
	}
	w := *v
	w.Sig = sig
	return dsa(c, g, &w)
}
