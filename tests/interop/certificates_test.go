package interop

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"time"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A signer is a crypto.Signer with its key in coffer.
type signer struct {
	x      *bench
	p      *pair
	public crypto.PublicKey
	ec     bool
	m      *p11.Mechanism // for what crypto/x509 hands over: a digest, or all of it
}

func (s *signer) Public() crypto.PublicKey { return s.public }

func (s *signer) Sign(_ io.Reader, data []byte, opts crypto.SignerOpts) ([]byte, error) {
	m := s.m
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		i := 0
		for hashes[i].of != pss.HashFunc() {
			i++
		}
		m = Mech(p11.CKM_RSA_PKCS_PSS, p11.PSSParams{Hash: hashes[i].digest, MGF: hashes[i].mgf, SaltLen: uint64(pss.HashFunc().Size())})
	}
	if m.Type == p11.CKM_RSA_PKCS { // which wants the DigestInfo
		data = append([]byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"), data...)
	}
	sig, err := s.x.sign(m, s.p.priv, data)
	if err == nil && s.ec {
		sig = toDER(sig)
	}
	return sig, err
}

// certificates has PKCS #8, SubjectPublicKeyInfo and X.509 going in and out.
func certificates(x *bench) {
	x.encodings()
	const family = "Certificates"
	for _, c := range []struct {
		kind string
		m    *p11.Mechanism
		algo x509.SignatureAlgorithm
	}{
		{"RSA", Mech(p11.CKM_RSA_PKCS), x509.SHA256WithRSA},
		{"RSA", Mech(p11.CKM_RSA_PKCS_PSS), x509.SHA384WithRSAPSS},
		{"P-256", Mech(p11.CKM_ECDSA), x509.ECDSAWithSHA256},
		{"P-521", Mech(p11.CKM_ECDSA), x509.ECDSAWithSHA512},
		{"Ed25519", Mech(p11.CKM_EDDSA), x509.PureEd25519},
	} {
		p := x.pair(c.kind)
		public, err := x509.ParsePKIXPublicKey(p.spki)
		x.Must(err)
		s := &signer{x, p, public, c.kind[0] == 'P', c.m}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "coffer"}, SignatureAlgorithm: c.algo,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, s)
		x.Must(err)
		cert, err := x509.ParseCertificate(der)
		x.Must(err)
		what := fmt.Sprintf("a certificate signed with %s", c.algo)
		file := x.ssl.pem("cert", "CERTIFICATE", der)
		x.exchange(family, what, c.m.Type, byOpenSSL, func() error {
			_, err := x.ssl.run(nil, "verify", "-check_ss_sig", "-CAfile", file, file)
			return err
		}, func() error { return x.issued(c.kind, p) })
		x.exchange(family, what, c.m.Type, byGo, func() error { return cert.CheckSignatureFrom(cert) }, func() error { return x.kept(cert) })
	}
}

// issued is a certificate by OpenSSL for the pair that coffer made: it goes into
// the token and comes out as it was, with the pair's public key in it.
func (x *bench) issued(kind string, p *pair) error {
	der, err := x.ssl.run(nil, "req", "-new", "-x509", "-key", p.privPEM, "-subj", "/CN=issued", "-days", "2", "-outform", "DER", "-config", x.ssl.file("req.cnf", []byte("[req]\ndistinguished_name=n\n[n]\n")))
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if !bytes.Equal(cert.RawSubjectPublicKeyInfo, p.spki) {
		return fmt.Errorf("%s: CKA_PUBLIC_KEY_INFO is %x, and OpenSSL's is %x", kind, p.spki, cert.RawSubjectPublicKeyInfo)
	}
	return x.kept(cert)
}

// kept puts a certificate into the token and finds it there.
func (x *bench) kept(cert *x509.Certificate) error {
	template := attr.Values{
		Class(p11.CKO_CERTIFICATE), attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509), Value(cert.Raw),
		attr.NewBytes(p11.CKA_SUBJECT, cert.RawSubject), attr.NewBytes(p11.CKA_ISSUER, cert.RawIssuer),
	}
	o, err := x.CreateObject(x.s, template)
	if err != nil {
		return err
	}
	defer x.DestroyObject(x.s, o)
	found := x.Find(x.s, attr.NewBytes(p11.CKA_SUBJECT, cert.RawSubject), attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509))
	if len(found) != 1 {
		return fmt.Errorf("%d certificates with the subject", len(found))
	}
	return equal(cert.Raw)(x.Get(x.s, found[0], p11.CKA_VALUE))
}

// encodings has private keys as PKCS #8 and public ones as SubjectPublicKeyInfo,
// both in both directions.
func (x *bench) encodings() {
	const family = "Encodings of keys: PKCS #8 and SubjectPublicKeyInfo"
	const m = p11.CKM_AES_KEY_WRAP_KWP
	for _, c := range []struct {
		kind, java string
		t          p11.KeyType
		genpkey    []string
	}{
		{"RSA", "RSA", p11.CKK_RSA, []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}},
		{"P-224", "", p11.CKK_EC, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"}},
		{"P-256", "EC", p11.CKK_EC, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}},
		{"P-384", "EC", p11.CKK_EC, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}},
		{"P-521", "EC", p11.CKK_EC, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}},
		{"Ed25519", "Ed25519", p11.CKK_EC_EDWARDS, []string{"-algorithm", "ED25519"}},
		{"Ed448", "Ed448", p11.CKK_EC_EDWARDS, []string{"-algorithm", "ED448"}},
		{"X25519", "X25519", p11.CKK_EC_MONTGOMERY, []string{"-algorithm", "X25519"}},
		{"X448", "X448", p11.CKK_EC_MONTGOMERY, []string{"-algorithm", "X448"}},
	} {
		p := x.pair(c.kind)
		x.exchange(family, c.kind, m, byOpenSSL, func() error {
			if _, err := x.ssl.run(nil, "pkey", "-in", p.privPEM, "-check", "-noout"); err != nil {
				return err
			}
			return equal(p.spki)(x.ssl.run(nil, "pkey", "-in", p.privPEM, "-pubout", "-outform", "DER"))
		}, func() error {
			der, err := x.ssl.run(nil, append([]string{"genpkey", "-outform", "DER"}, c.genpkey...)...)
			if err != nil {
				return err
			}
			der = x.pkcs8(der)
			spki, err := x.ssl.run(der, "pkey", "-inform", "DER", "-pubout", "-outform", "DER")
			if err != nil {
				return err
			}
			in := x.load(c.t, der, Yes(p11.CKA_EXTRACTABLE))
			if err := equal(spki)(in.spki, nil); err != nil {
				return err
			}
			// Out again, it is the same key to OpenSSL.
			again := x.ssl.pem("again", "PRIVATE KEY", x.export(in.priv))
			return equal(spki)(x.ssl.run(nil, "pkey", "-in", again, "-pubout", "-outform", "DER"))
		})
		if c.java != "" && c.kind != "X25519" && c.kind != "X448" {
			algorithm := map[string]string{"RSA": "SHA256withRSA", "EC": "SHA256withECDSA"}[c.java]
			if algorithm == "" {
				algorithm = c.java
			}
			x.exchange(family, c.kind, m, byJava, func() error {
				sig, err := x.java.do("sign", algorithm, c.java, p.pkcs8, message)
				if err != nil {
					return err
				}
				_, err = x.java.do("verify", algorithm, c.java, p.spki, message, sig)
				return err
			}, func() error {
				spki, pkcs8, err := x.javaPair(c.java, c.kind)
				if err != nil {
					return err
				}
				return equal(spki)(x.load(c.t, pkcs8, nil).spki, nil)
			})
		}
	}
}

// javaPair has Java generate a pair.
func (x *bench) javaPair(algorithm, kind string) (spki, pkcs8 []byte, err error) {
	curve := map[string]string{"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}[kind]
	both, err := x.java.do("pair", algorithm, curve)
	if err != nil {
		return nil, nil, err
	}
	n := int(both[0])<<8 | int(both[1])
	return both[2 : 2+n], both[2+n:], nil
}
