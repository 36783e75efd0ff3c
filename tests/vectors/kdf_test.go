package vectors

import (
	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// hkdf runs HkdfTest.
func hkdf(hash p11.MechanismType) adapter {
	return func(c *client, _ *group, v *vector) verdict {
		k, err := c.object(Secret(p11.CKK_GENERIC_SECRET, v.IKM), Yes(p11.CKA_DERIVE), readable)
		if err != nil {
			return no(err)
		}
		p := p11.HKDFParams{Extract: true, Expand: true, PRF: hash, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: v.Salt, Info: v.Info}
		return c.derives(Mech(p11.CKM_HKDF_DERIVE, p), k, v.Size, v.OKM)
	}
}

func (c *client) derives(m *p11.Mechanism, k p11.ObjectHandle, n int, want []byte) verdict {
	o, err := c.DeriveKey(c.s, c.with(m), k, secret(n))
	if err != nil {
		return no(err)
	}
	got, err := c.value(o)
	return expect("deriving", got, err, want)
}

func pbkdf2Mech(prf uint64, v *vector) *p11.Mechanism {
	return Mech(p11.CKM_PKCS5_PBKD2, p11.PBKD2Params{
		SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: v.Salt, Iterations: uint64(v.IterationCount), PRF: prf, Password: v.Password,
	})
}

// pbkdf2 runs PbkdfTest.
func pbkdf2(prf uint64) adapter {
	return func(c *client, _ *group, v *vector) verdict {
		if v.IterationCount > 5000 {
			return unfitFor("the count of iterations would cost more time than it shows")
		}
		o, err := c.GenerateKey(c.s, c.with(pbkdf2Mech(prf, v)), secret(v.DKLen))
		if err != nil {
			return no(err)
		}
		got, err := c.value(o)
		return expect("generating", got, err, v.DK)
	}
}

// pbes2 runs PbeTest: the key never leaves the token.
func pbes2(prf uint64, bits int) adapter {
	return func(c *client, _ *group, v *vector) verdict {
		k, err := c.GenerateKey(c.s, c.with(pbkdf2Mech(prf, v)), Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(bits / 8)},
			Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SENSITIVE)))
		if err != nil {
			return no(err)
		}
		defer c.DestroyObject(c.s, k)
		return c.crypts(Mech(p11.CKM_AES_CBC_PAD, p11.IV(v.IV)), k, v.Msg, v.CT)
	}
}
