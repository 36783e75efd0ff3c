package interop

import (
	"bytes"
	"fmt"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// This file has the curves that Go and Java lack, and what is over finite
// fields: Diffie-Hellman and DSA.

var furtherCurves = []struct {
	name string
	size int
}{{"secp256k1", 32}, {"brainpoolP256r1", 32}, {"brainpoolP320r1", 40}, {"brainpoolP384t1", 48}, {"brainpoolP512r1", 64}}

func (x *bench) furtherECDSA() {
	for _, c := range furtherCurves {
		p, plain := x.pair(c.name), fromDER(c.size)
		for _, h := range []hash{hashes[2], hashes[4]} {
			make, check := x.byDgst(p, "-"+h.openssl)
			x.signed("ECDSA, "+c.name+", "+h.name, Mech(h.ec), p, byOpenSSL,
				func() ([]byte, error) { return plain(make()) }, func(sig []byte) error { return check(toDER(sig)) })
		}
	}
}

func (x *bench) furtherECDH(family string) {
	for _, c := range furtherCurves {
		own, other := x.pair(c.name), x.generate(c.name)
		point := x.Read(x.s, other.pub, p11.CKA_EC_POINT)
		x.same(family, c.name, p11.CKM_ECDH1_DERIVE, byOpenSSL, func() ([]byte, error) {
			return x.derive(Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point}), own.priv, c.size)
		}, func() ([]byte, error) {
			return x.ssl.run(nil, "pkeyutl", "-derive", "-inkey", other.privPEM, "-peerkey", own.pubPEM)
		})
	}
}

// inDomain makes a pair with domain parameters that a mechanism generates.
func (x *bench) inDomain(kind string, domain, pair p11.MechanismType, sizes, private attr.Values, of ...p11.AttributeType) *pair {
	x.Helper()
	o, err := x.GenerateKey(x.s, Mech(domain), sizes)
	x.Must(err)
	var public attr.Values
	for _, a := range of {
		public = append(public, attr.NewBytes(a, x.Read(x.s, o, a)))
	}
	return x.keep(kind, pair, public, Join(private, Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE)))
}

// finiteFields has groups that OpenSSL knows by name, whose primes it compares,
// and fresh ones of X9.42.
func (x *bench) finiteFields(family string) {
	bits := func(p, q int) attr.Values {
		out := attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, p)}
		if q != 0 {
			out = append(out, attr.NewULong(p11.CKA_SUBPRIME_BITS, q))
		}
		return out
	}
	agree := func(what string, m *p11.Mechanism, own, other *pair, size int) {
		x.same(family, what, m.Type, byOpenSSL, func() ([]byte, error) { return x.derive(m, own.priv, size) }, func() ([]byte, error) {
			return x.ssl.run(nil, "pkeyutl", "-derive", "-inkey", other.privPEM, "-peerkey", own.pubPEM, "-pkeyopt", "dh_pad:1")
		})
	}
	for _, n := range []int{1024, 1536, 2048, 3072, 4096, 6144, 8192} {
		what := fmt.Sprintf("Diffie-Hellman, %d bits", n)
		made := func() *pair {
			return x.inDomain(what, p11.CKM_DH_PKCS_PARAMETER_GEN, p11.CKM_DH_PKCS_KEY_PAIR_GEN, bits(n, 0), Yes(p11.CKA_DERIVE), p11.CKA_PRIME, p11.CKA_BASE)
		}
		own, other := made(), made()
		agree(what, Mech(p11.CKM_DH_PKCS_DERIVE, p11.PublicValue(x.Read(x.s, other.pub, p11.CKA_VALUE))), own, other, n/8)
		// OpenSSL checks the group and the key, and has the prime under its name.
		_, err := x.ssl.run(nil, "pkey", "-in", own.privPEM, "-check", "-noout")
		x.Must(err)
	}
	o, err := x.GenerateKey(x.s, Mech(p11.CKM_X9_42_DH_PARAMETER_GEN), bits(1024, 160))
	x.Must(err)
	var public attr.Values
	for _, a := range []p11.AttributeType{p11.CKA_PRIME, p11.CKA_BASE, p11.CKA_SUBPRIME} {
		public = append(public, attr.NewBytes(a, x.Read(x.s, o, a)))
	}
	private := Join(Yes(p11.CKA_DERIVE, p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
	own, other := x.keep("X9.42", p11.CKM_X9_42_DH_KEY_PAIR_GEN, public, private), x.keep("X9.42", p11.CKM_X9_42_DH_KEY_PAIR_GEN, public, private)
	// Of X9.42 OpenSSL's command gives the secret without leading zeros.
	number := func(secret []byte, err error) ([]byte, error) { return bytes.TrimLeft(secret, "\x00"), err }
	m := Mech(p11.CKM_X9_42_DH_DERIVE, p11.X942DH1Params{KDF: p11.CKD_NULL, Public: x.Read(x.s, other.pub, p11.CKA_VALUE)})
	x.same(family, "X9.42, 1024 bits of order 160", m.Type, byOpenSSL, func() ([]byte, error) { return number(x.derive(m, own.priv, 128)) }, func() ([]byte, error) {
		return number(x.ssl.run(nil, "pkeyutl", "-derive", "-inkey", other.privPEM, "-peerkey", own.pubPEM))
	})
}

func (x *bench) dsa() {
	p := x.inDomain("DSA", p11.CKM_DSA_PARAMETER_GEN, p11.CKM_DSA_KEY_PAIR_GEN, attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, 1024)},
		Yes(p11.CKA_SIGN), p11.CKA_PRIME, p11.CKA_SUBPRIME, p11.CKA_BASE)
	for _, c := range []struct {
		name string
		m    p11.MechanismType
	}{{"sha1", p11.CKM_DSA_SHA1}, {"sha256", p11.CKM_DSA_SHA256}, {"sha3-256", p11.CKM_DSA_SHA3_256}} {
		plain := fromDER(20)
		make, check := x.byDgst(p, "-"+c.name)
		x.signed("DSA, 1024 bits, "+c.name, Mech(c.m), p, byOpenSSL,
			func() ([]byte, error) { return plain(make()) }, func(sig []byte) error { return check(toDER(sig)) })
	}
}
