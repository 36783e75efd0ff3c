package interop

import (
	"crypto"
	stdecdsa "crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// A hash is one under everybody's name.
type hash struct {
	name             string // as in FIPS 180 and 202; Java's too
	openssl          string
	jsig             string // in the names of Java's signatures
	of               crypto.Hash
	digest           p11.MechanismType
	pkcs1, pss, ec   p11.MechanismType
	hmac             p11.MechanismType
	mgf              p11.MGF
	pbkd2            uint64
	javaMAC, javaKDF string
}

var hashes = []hash{
	{"SHA-1", "sha1", "SHA1", crypto.SHA1, p11.CKM_SHA_1, p11.CKM_SHA1_RSA_PKCS, p11.CKM_SHA1_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA1, p11.CKM_SHA_1_HMAC, p11.CKG_MGF1_SHA1, p11.CKP_PKCS5_PBKD2_HMAC_SHA1, "HmacSHA1", "PBKDF2WithHmacSHA1"},
	{"SHA-224", "sha224", "SHA224", crypto.SHA224, p11.CKM_SHA224, p11.CKM_SHA224_RSA_PKCS, p11.CKM_SHA224_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA224, p11.CKM_SHA224_HMAC, p11.CKG_MGF1_SHA224, p11.CKP_PKCS5_PBKD2_HMAC_SHA224, "HmacSHA224", "PBKDF2WithHmacSHA224"},
	{"SHA-256", "sha256", "SHA256", crypto.SHA256, p11.CKM_SHA256, p11.CKM_SHA256_RSA_PKCS, p11.CKM_SHA256_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA256, p11.CKM_SHA256_HMAC, p11.CKG_MGF1_SHA256, p11.CKP_PKCS5_PBKD2_HMAC_SHA256, "HmacSHA256", "PBKDF2WithHmacSHA256"},
	{"SHA-384", "sha384", "SHA384", crypto.SHA384, p11.CKM_SHA384, p11.CKM_SHA384_RSA_PKCS, p11.CKM_SHA384_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA384, p11.CKM_SHA384_HMAC, p11.CKG_MGF1_SHA384, p11.CKP_PKCS5_PBKD2_HMAC_SHA384, "HmacSHA384", "PBKDF2WithHmacSHA384"},
	{"SHA-512", "sha512", "SHA512", crypto.SHA512, p11.CKM_SHA512, p11.CKM_SHA512_RSA_PKCS, p11.CKM_SHA512_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA512, p11.CKM_SHA512_HMAC, p11.CKG_MGF1_SHA512, p11.CKP_PKCS5_PBKD2_HMAC_SHA512, "HmacSHA512", "PBKDF2WithHmacSHA512"},
	{"SHA3-224", "sha3-224", "SHA3-224", crypto.SHA3_224, p11.CKM_SHA3_224, p11.CKM_SHA3_224_RSA_PKCS, p11.CKM_SHA3_224_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_224, p11.CKM_SHA3_224_HMAC, p11.CKG_MGF1_SHA3_224, 0, "HmacSHA3-224", ""},
	{"SHA3-256", "sha3-256", "SHA3-256", crypto.SHA3_256, p11.CKM_SHA3_256, p11.CKM_SHA3_256_RSA_PKCS, p11.CKM_SHA3_256_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_256, p11.CKM_SHA3_256_HMAC, p11.CKG_MGF1_SHA3_256, 0, "HmacSHA3-256", ""},
	{"SHA3-384", "sha3-384", "SHA3-384", crypto.SHA3_384, p11.CKM_SHA3_384, p11.CKM_SHA3_384_RSA_PKCS, p11.CKM_SHA3_384_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_384, p11.CKM_SHA3_384_HMAC, p11.CKG_MGF1_SHA3_384, 0, "HmacSHA3-384", ""},
	{"SHA3-512", "sha3-512", "SHA3-512", crypto.SHA3_512, p11.CKM_SHA3_512, p11.CKM_SHA3_512_RSA_PKCS, p11.CKM_SHA3_512_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_512, p11.CKM_SHA3_512_HMAC, p11.CKG_MGF1_SHA3_512, 0, "HmacSHA3-512", ""},
}

func (h *hash) sum(data []byte) []byte {
	w := h.of.New()
	w.Write(data)
	return w.Sum(nil)
}

var message = []byte("what is signed, and what is encrypted")

// signed exchanges signatures of a pair: the partner's functions make and check
// them in coffer's form.
func (x *bench) signed(what string, m *p11.Mechanism, p *pair, partner string, make func() ([]byte, error), check func(sig []byte) error) {
	x.Helper()
	x.exchange("Signatures", what, m.Type, partner, func() error {
		sig, err := x.sign(m, p.priv, message)
		if err != nil {
			return err
		}
		return check(sig)
	}, func() error {
		sig, err := make()
		if err != nil {
			return err
		}
		return x.verify(m, p.pub, message, sig)
	})
}

// byDgst signs and checks with `openssl dgst`.
func (x *bench) byDgst(p *pair, args ...string) (func() ([]byte, error), func([]byte) error) {
	args = append([]string{"dgst"}, args...)
	return func() ([]byte, error) { return x.ssl.run(message, append(args, "-sign", p.privPEM)...) },
		func(sig []byte) error {
			_, err := x.ssl.run(message, append(args, "-verify", p.pubPEM, "-signature", x.ssl.file("sig", sig))...)
			return err
		}
}

// byJava does with java.security.Signature.
func (x *bench) byJava(p *pair, algorithm, keys string) (func() ([]byte, error), func([]byte) error) {
	return func() ([]byte, error) { return x.java.do("sign", algorithm, keys, p.pkcs8, message) },
		func(sig []byte) error {
			_, err := x.java.do("verify", algorithm, keys, p.spki, message, sig)
			return err
		}
}

func signatures(x *bench) {
	p := x.pair("RSA")
	private, err := x509.ParsePKCS8PrivateKey(p.pkcs8)
	x.Must(err)
	key := private.(*rsa.PrivateKey)
	for _, h := range hashes {
		what, m := "RSASSA-PKCS1-v1_5, "+h.name, Mech(h.pkcs1)
		make, check := x.byDgst(p, "-"+h.openssl)
		x.signed(what, m, p, byOpenSSL, make, check)
		make, check = x.byJava(p, h.jsig+"withRSA", "RSA")
		x.signed(what, m, p, byJava, make, check)
		x.signed(what, m, p, byGo, func() ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, h.of, h.sum(message)) },
			func(sig []byte) error { return rsa.VerifyPKCS1v15(&key.PublicKey, h.of, h.sum(message), sig) })
	}
	for _, h := range hashes {
		salt := h.of.Size()
		what := fmt.Sprintf("RSASSA-PSS, %s, a salt of %d bytes", h.name, salt)
		m := Mech(h.pss, p11.PSSParams{Hash: h.digest, MGF: h.mgf, SaltLen: uint64(salt)})
		make, check := x.byDgst(p, "-"+h.openssl, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_mgf1_md:"+h.openssl, "-sigopt", fmt.Sprint("rsa_pss_saltlen:", salt))
		x.signed(what, m, p, byOpenSSL, make, check)
		if h.of < crypto.SHA3_224 { // which Java 17 has not for PSS
			make, check = x.byJava(p, fmt.Sprintf("RSASSA-PSS:%s:%[1]s:%d", h.name, salt), "RSA")
			x.signed(what, m, p, byJava, make, check)
		}
		options := &rsa.PSSOptions{SaltLength: salt}
		x.signed(what, m, p, byGo, func() ([]byte, error) { return rsa.SignPSS(rand.Reader, key, h.of, h.sum(message), options) },
			func(sig []byte) error { return rsa.VerifyPSS(&key.PublicKey, h.of, h.sum(message), sig, options) })
	}
	x.signed("RSASSA-PKCS1-v1_5 over what the caller gives", Mech(p11.CKM_RSA_PKCS), p, byOpenSSL,
		func() ([]byte, error) { return x.ssl.run(message, "pkeyutl", "-sign", "-inkey", p.privPEM) },
		func(sig []byte) error {
			return equal(message)(x.ssl.run(sig, "pkeyutl", "-verifyrecover", "-pubin", "-inkey", p.pubPEM))
		})
	for _, curve := range []string{"P-224", "P-256", "P-384", "P-521"} {
		x.ecdsa(curve)
	}
	x.eddsa()
	x.furtherECDSA()
	x.dsa()
}

// pairOf is a signature in the DER that OpenSSL and Go have.
type pairOf struct{ R, S *big.Int }

func toDER(sig []byte) []byte {
	n := len(sig) / 2
	out, err := asn1.Marshal(pairOf{new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])})
	if err != nil {
		panic(err)
	}
	return out
}

// fromDER returns r || s of two times size bytes.
func fromDER(size int) func(der []byte, err error) ([]byte, error) {
	return func(der []byte, err error) ([]byte, error) {
		var p pairOf
		if err == nil {
			_, err = asn1.Unmarshal(der, &p)
		}
		if err != nil {
			return nil, err
		}
		out := make([]byte, 2*size)
		p.R.FillBytes(out[:size])
		p.S.FillBytes(out[size:])
		return out, nil
	}
}

func (x *bench) ecdsa(curve string) {
	p := x.pair(curve)
	private, err := x509.ParsePKCS8PrivateKey(p.pkcs8)
	x.Must(err)
	key := private.(*stdecdsa.PrivateKey)
	plain := fromDER((key.Params().BitSize + 7) / 8)
	for i, h := range hashes {
		if curve != "P-256" && i != 0 && h.of.Size() != min(64, (key.Params().BitSize+7)/8) {
			continue // every hash on one curve, and each curve's own
		}
		what, m := "ECDSA, "+curve+", "+h.name, Mech(h.ec)
		make, check := x.byDgst(p, "-"+h.openssl)
		x.signed(what, m, p, byOpenSSL, func() ([]byte, error) { return plain(make()) }, func(sig []byte) error { return check(toDER(sig)) })
		if curve != "P-224" { // which Java 17 has no more
			make, check := x.byJava(p, h.jsig+"withECDSAinP1363Format", "EC")
			x.signed(what, m, p, byJava, make, check)
		}
		x.signed(what, m, p, byGo, func() ([]byte, error) { return plain(stdecdsa.SignASN1(rand.Reader, key, h.sum(message))) }, func(sig []byte) error {
			return valid(stdecdsa.VerifyASN1(&key.PublicKey, h.sum(message), toDER(sig)))
		})
	}
}

func valid(ok bool) error {
	if !ok {
		return errors.New("the signature is wrong")
	}
	return nil
}

func (x *bench) eddsa() {
	for _, curve := range []string{"Ed25519", "Ed448"} {
		p, m := x.pair(curve), Mech(p11.CKM_EDDSA)
		if curve == "Ed448" {
			m.Params = p11.EdDSAParams{}
		}
		file := x.ssl.file("message", message)
		x.signed(curve, m, p, byOpenSSL, func() ([]byte, error) {
			return x.ssl.run(nil, "pkeyutl", "-sign", "-rawin", "-in", file, "-inkey", p.privPEM)
		}, func(sig []byte) error {
			_, err := x.ssl.run(nil, "pkeyutl", "-verify", "-rawin", "-in", file, "-pubin", "-inkey", p.pubPEM, "-sigfile", x.ssl.file("sig", sig))
			return err
		})
		make, check := x.byJava(p, curve, curve)
		x.signed(curve, m, p, byJava, make, check)
	}
	p := x.pair("Ed25519")
	private, err := x509.ParsePKCS8PrivateKey(p.pkcs8)
	x.Must(err)
	key := private.(ed25519.PrivateKey)
	for _, c := range []struct {
		what    string
		m       *p11.Mechanism
		options *ed25519.Options
	}{
		{"Ed25519", Mech(p11.CKM_EDDSA), &ed25519.Options{}},
		{"Ed25519ctx", Mech(p11.CKM_EDDSA, p11.EdDSAParams{Context: []byte("context")}), &ed25519.Options{Context: "context"}},
		{"Ed25519ph", Mech(p11.CKM_EDDSA, p11.EdDSAParams{Prehash: true}), &ed25519.Options{Hash: crypto.SHA512}},
		{"Ed25519ph, with context", Mech(p11.CKM_EDDSA, p11.EdDSAParams{Prehash: true, Context: []byte("context")}), &ed25519.Options{Hash: crypto.SHA512, Context: "context"}},
	} {
		data := message
		if c.options.Hash != 0 {
			data = hashes[4].sum(message)
		}
		x.signed(c.what, c.m, p, byGo, func() ([]byte, error) { return key.Sign(nil, data, c.options) },
			func(sig []byte) error {
				return ed25519.VerifyWithOptions(key.Public().(ed25519.PublicKey), data, sig, c.options)
			})
	}
}
