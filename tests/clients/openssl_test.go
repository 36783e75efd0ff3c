package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/tests/built"
)

// The keys are used through libp11's engine (libengine-pkcs11-openssl 0.4.12)
// of OpenSSL 3.0, configured by a file of the test's own. What the token made
// is checked by an OpenSSL without it, and the other way round.

// uri names a private key.
func uri(key string) string { return "pkcs11:token=" + label + ";object=" + key + ";type=private" }

// engine writes the configuration that an application of OpenSSL would have,
// with a PIN in it.
func (b *bench) engine(pin string) {
	b.t.Helper()
	if found, _ := filepath.Glob("/usr/lib/*/engines-3/pkcs11.so"); len(found) == 0 {
		built.Missing(b.t, "OpenSSL's engine pkcs11 is not installed (Debian package libengine-pkcs11-openssl)")
	}
	b.write("openssl.cnf", fmt.Appendf(nil, `openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
MODULE_PATH = %s
PIN = %s
init = 0
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:true
keyUsage = keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:false
subjectAltName = DNS:localhost
`, b.lib, pin))
}

// ssl runs OpenSSL with the engine.
func (b *bench) ssl(args ...string) string {
	b.t.Helper()
	return b.withEngine().openssl(args...)
}

func (b *bench) withEngine() *bench {
	c := *b
	c.env = append(append([]string{}, b.env...), "OPENSSL_CONF="+filepath.Join(b.dir, "openssl.cnf"))
	return &c
}

// newEngine makes a bench with keys of all types that the engine knows, named
// as their types, and their public halves in NAME.pem.
func newEngine(t *testing.T) *bench {
	b := newBench(t)
	b.engine(pin)
	for i, key := range [][2]string{{"rsa", "rsa:2048"}, {"p256", "EC:prime256v1"}, {"p384", "EC:secp384r1"}, {"p521", "EC:secp521r1"}} {
		id := fmt.Sprintf("%02x", i+1)
		b.user("--keypairgen", "--key-type", key[1], "--id", id, "--label", key[0])
		b.write(key[0]+".pem", b.read(b.public(id)))
	}
	b.messages()
	return b
}

func TestOpenSSLEngineSigns(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	for _, c := range []struct {
		name, key string
		options   []string
	}{
		{"RSA, SHA-1", "rsa", []string{"-sha1"}},
		{"RSA, SHA-256", "rsa", []string{"-sha256"}},
		{"RSA, SHA-512", "rsa", []string{"-sha512"}},
		{"RSA, PSS", "rsa", []string{"-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"}},
		{"RSA, PSS, SHA-512, mask SHA-256", "rsa", []string{"-sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20", "-sigopt", "rsa_mgf1_md:sha256"}},
		{"P-256, SHA-256", "p256", []string{"-sha256"}},
		{"P-256, SHA-512", "p256", []string{"-sha512"}},
		{"P-384, SHA-384", "p384", []string{"-sha384"}},
		{"P-521, SHA-512", "p521", []string{"-sha512"}},
	} {
		t.Run("dgst, "+c.name, func(t *testing.T) {
			b := b.in(t)
			args := append([]string{"dgst"}, c.options...)
			b.ssl(append(args, "-engine", "pkcs11", "-keyform", "engine", "-sign", uri(c.key), "-out", "signature", "long")...)
			b.verified(append(args, "-verify", c.key+".pem", "-signature", "signature", "long")...)
		})
	}
	for _, c := range []struct {
		name, key string
		hash      int
		options   []string
	}{
		{"RSA, DigestInfo", "rsa", 2, []string{"-pkeyopt", "digest:sha256"}},
		{"RSA, PSS", "rsa", 3, []string{"-pkeyopt", "digest:sha384", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:48"}},
		{"P-256", "p256", 2, nil},
		{"P-521", "p521", 4, nil},
	} {
		t.Run("pkeyutl, "+c.name, func(t *testing.T) {
			b := b.in(t)
			b.write("digest", b.hash(hashes[c.hash].sum, "short"))
			b.ssl(append([]string{"pkeyutl", "-sign", "-engine", "pkcs11", "-keyform", "engine", "-inkey", uri(c.key),
				"-in", "digest", "-out", "signature"}, c.options...)...)
			b.verified(append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", c.key + ".pem", "-in", "digest", "-sigfile", "signature"}, c.options...)...)
		})
	}
}

func TestOpenSSLEngineDecryptsAndDerives(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	b.write("plain", pattern(100))
	for name, options := range map[string][]string{
		"PKCS #1":      nil,
		"OAEP":         {"-pkeyopt", "rsa_padding_mode:oaep"},
		"OAEP SHA-256": {"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"},
		"OAEP SHA-512, mask SHA-1": {"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha512",
			"-pkeyopt", "rsa_mgf1_md:sha1"},
	} {
		t.Run("pkeyutl, "+name, func(t *testing.T) {
			b := b.in(t)
			b.openssl(append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pem", "-in", "plain", "-out", "cipher"}, options...)...)
			b.ssl(append([]string{"pkeyutl", "-decrypt", "-engine", "pkcs11", "-keyform", "engine", "-inkey", uri("rsa"),
				"-in", "cipher", "-out", "again"}, options...)...)
			b.same("again", "plain")
		})
	}
	for key, curve := range map[string]string{"p256": "prime256v1", "p384": "secp384r1", "p521": "secp521r1"} {
		t.Run("pkeyutl, ECDH "+curve, func(t *testing.T) {
			b := b.in(t)
			b.openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", "peer.pem")
			b.openssl("pkey", "-in", "peer.pem", "-pubout", "-out", "peer.pub")
			b.openssl("pkeyutl", "-derive", "-inkey", "peer.pem", "-peerkey", key+".pem", "-out", "want")
			b.ssl("pkeyutl", "-derive", "-engine", "pkcs11", "-keyform", "engine", "-inkey", uri(key), "-peerkey", "peer.pub", "-out", "shared")
			b.same("shared", "want")
		})
	}
}

// selfSigned makes a certificate of a key in the token, NAME.crt.
func (b *bench) selfSigned(key, extensions string) {
	b.t.Helper()
	b.ssl("req", "-new", "-x509", "-engine", "pkcs11", "-keyform", "engine", "-key", uri(key), "-subj", "/CN="+key,
		"-days", "2", "-extensions", extensions, "-out", key+".crt")
	if out := b.openssl("verify", "-check_ss_sig", "-CAfile", key+".crt", key+".crt"); !strings.Contains(out, ": OK") {
		b.t.Error(out)
	}
	if got, want := b.openssl("x509", "-in", key+".crt", "-noout", "-pubkey"), string(b.read(key+".pem")); got != want {
		b.t.Errorf("the certificate is of\n%s, not of\n%s", got, want)
	}
}

func TestOpenSSLEngineIssuesCertificates(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	for _, key := range []string{"rsa", "p256", "p384"} {
		t.Run(key, func(t *testing.T) {
			b := b.in(t)
			b.selfSigned(key, "ca")
			b.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key",
				"-subj", "/CN=leaf", "-out", "leaf.csr")
			b.ssl("x509", "-req", "-in", "leaf.csr", "-engine", "pkcs11", "-CA", key+".crt", "-CAkeyform", "engine", "-CAkey", uri(key),
				"-set_serial", "17", "-days", "1", "-extfile", "openssl.cnf", "-extensions", "leaf", "-out", "leaf.crt")
			if out := b.openssl("verify", "-CAfile", key+".crt", "leaf.crt"); !strings.Contains(out, ": OK") {
				t.Error(out)
			}
			// And a request of a key in the token.
			b.ssl("req", "-new", "-engine", "pkcs11", "-keyform", "engine", "-key", uri(key), "-subj", "/CN=request", "-out", "request.csr")
			b.openssl("req", "-in", "request.csr", "-noout", "-verify")
		})
	}
}

func TestOpenSSLEngineSignsAndOpensCMS(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	for _, key := range []string{"rsa", "p256"} {
		b.selfSigned(key, "leaf")
		sign := [][]string{nil}
		encrypt := [][]string{nil}
		if key == "rsa" {
			sign = append(sign, []string{"-keyopt", "rsa_padding_mode:pss"})
			encrypt = append(encrypt, []string{"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"})
		}
		for _, options := range sign {
			t.Run(strings.Join(append([]string{"sign", key}, options...), " "), func(t *testing.T) {
				b := b.in(t)
				b.ssl(append([]string{"cms", "-sign", "-binary", "-in", "long", "-engine", "pkcs11", "-keyform", "engine", "-inkey", uri(key),
					"-signer", key + ".crt", "-md", "sha256", "-nodetach", "-outform", "DER", "-out", "signed"}, options...)...)
				b.openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", "signed", "-CAfile", key+".crt", "-purpose", "any", "-out", "again")
				b.same("again", "long")
			})
		}
		for _, options := range encrypt {
			t.Run(strings.Join(append([]string{"decrypt", key}, options...), " "), func(t *testing.T) {
				b := b.in(t)
				b.openssl(append([]string{"cms", "-encrypt", "-binary", "-in", "long", "-aes256", "-outform", "DER", "-out", "enveloped",
					"-recip", key + ".crt"}, options...)...)
				b.ssl("cms", "-decrypt", "-inform", "DER", "-in", "enveloped", "-engine", "pkcs11", "-keyform", "engine", "-inkey", uri(key),
					"-recip", key+".crt", "-out", "again")
				b.same("again", "long")
			})
		}
	}
}

// TestOpenSSLEngineFailsCleanly: SoftHSM2 2.6.1 crashes here, at the exit of
// the program, in its atexit handler; the bench fails a test whose program
// dies by a signal.
func TestOpenSSLEngineFailsCleanly(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_PIN_DELAY=1ms")
	b.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "p256")
	b.messages()
	sign := func(key string) []string {
		return []string{"dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", key, "-out", "signature", "short"}
	}
	for _, c := range []struct{ name, pin, key, why string }{
		{"a wrong PIN", "wrong", uri("p256"), "PIN incorrect"},
		{"a PIN that is too long", strings.Repeat("1", 300), uri("p256"), "PIN incorrect"},
		{"a key that is not there", pin, uri("missing"), "object not found"},
		{"a token that is not there", pin, "pkcs11:token=missing;object=p256;type=private", "No matching initialized token was found"},
		{"not a URI", pin, "pkcs11:nonsense=1", "not a valid PKCS#11 URI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b.in(t)
			b.engine(c.pin)
			b.withEngine().fails(c.why, "openssl", sign(c.key)...)
			if _, err := os.Stat(filepath.Join(b.dir, "signature")); err == nil && len(b.read("signature")) > 0 {
				t.Error("there is a signature")
			}
		})
	}
	b.engine(pin)
	b.ssl(sign(uri("p256"))...)
}

// TestOpenSSLEngineTakesThePINFromTheURI
func TestOpenSSLEngineTakesThePINFromTheURI(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	b.engine("")
	b.ssl("dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", uri("p256")+"?pin-value="+pin, "-out", "signature", "short")
	b.verified("dgst", "-sha256", "-verify", "p256.pem", "-signature", "signature", "short")
}
