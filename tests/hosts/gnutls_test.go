package hosts

import (
	"fmt"
	"strings"
	"testing"

	"coffer/tests/built"
)

// GnuTLS 3.7.9 asks for the PIN by GNUTLS_PIN.
func TestGnuTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t).with("GNUTLS_PIN="+pin, "GNUTLS_SO_PIN="+soPIN)
	path := built.Need(t, "p11tool", "gnutls-bin")
	p11tool := func(b *bench, args ...string) string {
		b.t.Helper()
		return b.run(path, append([]string{"--batch", "--provider", b.lib}, args...)...)
	}
	token := "pkcs11:token=" + label

	b.contains(p11tool(b, "--list-tokens"), "Label: "+label, "Manufacturer: coffer")
	b.contains(p11tool(b, "--list-mechanisms", token), "CKM_RSA_PKCS", "CKM_ECDSA", "CKM_AES_GCM")
	p11tool(b, "--login", "--generate-privkey=rsa", "--bits=2048", "--label=rsa", "--id=01", "--outfile=rsa.pub", token)
	p11tool(b, "--login", "--generate-privkey=ecdsa", "--curve=secp256r1", "--label=p256", "--id=02", "--outfile=p256.pub", token)
	for _, key := range []string{"rsa", "p256"} {
		b.openssl("pkey", "-pubin", "-in", key+".pub", "-noout")
		p11tool(b, "--login", "--export-pubkey", "--outfile=again.pub", token+";object="+key+";type=private")
		if b.read("again.pub") != b.read(key+".pub") {
			t.Errorf("the public key of %s differs from the one that came of its generation", key)
		}
		p11tool(b, "--login", "--test-sign", uri(key))
		b.contains(p11tool(b, "--login", "--info", uri(key)), "CKA_SENSITIVE", "CKA_NEVER_EXTRACTABLE")
		if r := b.try(path, "--batch", "--provider", b.lib, "--login", "--export", uri(key)); r.err == nil {
			t.Errorf("a private key was exported:\n%s", r.stdout)
		}
	}
	b.contains(p11tool(b, "--login", "--list-all", token), "Label: rsa", "Label: p256")
	b.contains(p11tool(b, "--login", "--list-privkeys", token), "object=rsa;type=private", "object=p256;type=private")

	// Certificates, signed by certtool with the keys of the token, and put there.
	b.write("template", "cn = localhost\ndns_name = localhost\nca\nexpiration_days = 2\nsigning_key\nencryption_key\ntls_www_server\n")
	for i, key := range []string{"rsa", "p256"} {
		crt := key + ".crt"
		b.run(built.Need(t, "certtool", "gnutls-bin"), "--provider", b.lib, "--generate-self-signed", "--template", "template",
			"--load-privkey", uri(key), "--load-pubkey", key+".pub", "--outfile", crt)
		b.openssl("verify", "-CAfile", crt, crt)
		p11tool(b, "--login", "--write", "--load-certificate="+crt, fmt.Sprintf("--id=0%d", i+1), "--label="+key, token)
		p11tool(b, "--export", "--outfile=again.crt", token+";object="+key+";type=cert")
		b.openssl("x509", "-in", "again.crt", "-noout", "-checkhost", "localhost")
		p11tool(b, "--export-chain", "--outfile=chain.crt", token+";object="+key+";type=cert")
	}
	b.contains(p11tool(b, "--list-all-certs", token), "Label: rsa", "Label: p256")
	p11tool(b, "--generate-random=64", "--outfile=random", token)

	t.Run("server", func(t *testing.T) { gnutlsServer(b.in(t)) })

	p11tool(b, "--login", "--delete", token+";object=rsa")
	if out := p11tool(b, "--login", "--list-all", token); strings.Contains(out, "Label: rsa") {
		t.Errorf("deleted objects are listed:\n%s", out)
	}
}

// gnutlsServer serves TLS with both keys to gnutls-cli, and then to Go.
// gnutls-serv has no option for the address that it listens on.
func gnutlsServer(b *bench) {
	port := freePort(b.t)
	args := []string{"--http", "--port", port, "--provider", b.lib}
	for _, key := range []string{"rsa", "p256"} {
		args = append(args, "--x509keyfile", uri(key), "--x509certfile", "pkcs11:token="+label+";object="+key+";type=cert")
	}
	s := b.start(built.Need(b.t, "gnutls-serv", "gnutls-bin"), args...)
	s.listens("127.0.0.1:" + port)

	b.write("trusted.crt", b.read("rsa.crt")+b.read("p256.crt"))
	cli := built.Need(b.t, "gnutls-cli", "gnutls-bin")
	for _, priority := range []string{
		"NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256",
		"NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", // the server decrypts
	} {
		out := b.runWith("GET / HTTP/1.0\r\n\r\n", cli, "--priority", priority, "--x509cafile", "trusted.crt",
			"--port", port, "--verify-hostname", "localhost", "127.0.0.1")
		b.contains(out, "Handshake was completed", "HTTP/1.0 200 OK")
	}
	b.newVisitor("127.0.0.1:"+port, "trusted.crt").visits(b.t, 8, 200, []int{0, 1, 2}, false, nil)
}
