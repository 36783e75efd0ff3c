package clients

import (
	"strings"
	"testing"

	"coffer/tests/built"
)

// GnuTLS 3.7.9 (gnutls-bin) looks at every slot, also at the free one, which
// has to answer CKR_TOKEN_NOT_RECOGNIZED to C_OpenSession, and asks for many
// attributes in one call, some of them unknown. 3.8.11, and Debian's
// 3.7.9-2+deb12u6 and later, forbid the library threads of its own
// (CKF_LIBRARY_CANT_CREATE_OS_THREADS) and give up if it refuses.

// gnutls runs p11tool or certtool with the library as its only provider.
func (b *bench) gnutls(program string, args ...string) string {
	b.t.Helper()
	c := *b
	c.env = append(append([]string{}, b.env...), "GNUTLS_PIN="+pin, "GNUTLS_SO_PIN="+soPIN)
	return c.run(built.Need(b.t, program, "gnutls-bin"), append([]string{"--provider", b.lib}, args...)...)
}

const gnutlsToken = "pkcs11:token=" + label

func TestGnuTLSListsTokensAndObjects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("EC:prime256v1", "01")
	tokens := b.gnutls("p11tool", "--list-tokens")
	for _, want := range []string{"Label: " + label, "Manufacturer: coffer", "Model: coffer", "token=" + label} {
		if !strings.Contains(tokens, want) {
			t.Errorf("no %q in\n%s", want, tokens)
		}
	}
	if n := strings.Count(tokens, "URL:"); n != 1 {
		t.Errorf("%d tokens, want 1:\n%s", n, tokens)
	}
	public := b.gnutls("p11tool", "--list-all", gnutlsToken)
	if !strings.Contains(public, "type=public") || strings.Contains(public, "type=private") {
		t.Errorf("without login:\n%s", public)
	}
	all := b.gnutls("p11tool", "--login", "--list-all", gnutlsToken)
	for _, want := range []string{"type=public", "type=private", "EC/ECDSA", "CKA_SENSITIVE", "ID: 01"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	mechanisms := b.gnutls("p11tool", "--list-mechanisms", gnutlsToken)
	if !strings.Contains(mechanisms, "CKM_RSA_PKCS_PSS") {
		t.Errorf("mechanisms:\n%s", mechanisms)
	}
}

// TestGnuTLSGeneratesAndSigns: keys made by p11tool, a certificate signed by
// certtool with one, verified by OpenSSL.
func TestGnuTLSGeneratesAndSigns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("template", []byte("cn = \"made by GnuTLS\"\nca\ncert_signing_key\nserial = 5\nexpiration_days = 2\n"))
	for name, options := range map[string][]string{
		"rsa":  {"--generate-privkey", "RSA", "--bits", "2048"},
		"p256": {"--generate-privkey", "ECDSA", "--curve", "SECP256R1"},
		"p384": {"--generate-privkey", "ECDSA", "--curve", "SECP384R1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.in(t)
			b.gnutls("p11tool", append(options, "--login", "--label", name, "--outfile", name+".pem", gnutlsToken)...)
			key := gnutlsToken + ";object=" + name
			b.gnutls("p11tool", "--login", "--test-sign", key+";type=private")
			if name == "rsa" {
				b.gnutls("p11tool", "--login", "--test-sign", "--sign-params", "rsa-pss", "--hash", "SHA384", key+";type=private")
			}
			b.gnutls("certtool", "--generate-self-signed", "--template", "template", "--load-privkey", key+";type=private",
				"--load-pubkey", key+";type=public", "--outfile", name+".crt")
			if out := b.openssl("verify", "-check_ss_sig", "-CAfile", name+".crt", name+".crt"); !strings.Contains(out, ": OK") {
				t.Error(out)
			}
			b.gnutls("p11tool", "--login", "--write", "--load-certificate", name+".crt", "--label", name, gnutlsToken)
			b.gnutls("p11tool", "--export", key+";type=cert", "--outfile", "again.crt")
			if got, want := b.openssl("x509", "-in", "again.crt"), b.openssl("x509", "-in", name+".crt"); got != want {
				t.Errorf("read\n%s, wrote\n%s", got, want)
			}
		})
	}
}
