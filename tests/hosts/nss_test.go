package hosts

import (
	"strings"
	"testing"

	"coffer/tests/built"
)

// nss runs a program of NSS 3.87 on the data base in the folder db.
func (b *bench) nss(program string, args ...string) string {
	b.t.Helper()
	return b.run(built.Need(b.t, program, "libnss3-tools"), append(args, "-d", "sql:db")...)
}

// TestNSS makes keys, requests and certificates in the token with certutil,
// signs mail with one and serves TLS with others.
func TestNSS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("pin", pin+"\n")
	b.write("noise", strings.Repeat("not random, and nothing hangs on it ", 10))
	b.write("db/README", "NSS keeps its data base here")
	b.nss("certutil", "-N", "--empty-password")

	// FRIENDLY: certificates are found without login; else certutil asks for a
	// PIN on the terminal even though -f names a file with it.
	modutil := built.Need(t, "modutil", "libnss3-tools")
	b.run(modutil, "-dbdir", "sql:db", "-force", "-add", "coffer", "-libfile", b.lib, "-mechanisms", "FRIENDLY")
	b.contains(b.run(modutil, "-dbdir", "sql:db", "-list", "coffer"), "Token Name: "+label, "Token Manufacturer: coffer", "User Pin: Initialized")

	token := []string{"-h", label, "-f", "pin"}
	certutil := func(args ...string) string {
		b.t.Helper()
		return b.nss("certutil", append(args, token...)...)
	}
	// -2 asks: is this a CA, with which path length, is that critical?
	b.runWith("y\n-1\ny\n", built.Need(t, "certutil", "libnss3-tools"), append([]string{"-d", "sql:db", "-S", "-x", "-k", "rsa", "-g", "2048", "-z", "noise",
		"-n", "ca", "-s", "CN=ca", "-t", "CT,C,C", "-m", "1", "-2", "--keyUsage", "certSigning"}, token...)...)
	b.write("ca.crt", certutil("-L", "-n", "ca", "-a"))
	b.openssl("verify", "-CAfile", "ca.crt", "ca.crt")
	for i, c := range [][]string{
		{"rsa", "-k", "rsa", "-g", "2048"},
		{"p256", "-k", "ec", "-q", "nistp256"},
		{"mail", "-k", "rsa", "-g", "3072"},
	} {
		name := c[0]
		certutil(append([]string{"-R", "-a", "-z", "noise", "-s", "CN=localhost,E=me@localhost", "-o", name + ".csr"}, c[1:]...)...)
		b.openssl("req", "-verify", "-noout", "-in", name+".csr")
		b.nss("certutil", "-C", "-a", "-c", label+":ca", "-f", "pin", "-i", name+".csr", "-o", name+".crt", "-m", string(rune('2'+i)), "-8", "localhost",
			"-7", "me@localhost", "--keyUsage", "digitalSignature,keyEncipherment", "--extKeyUsage", "serverAuth,emailProtection")
		b.openssl("verify", "-CAfile", "ca.crt", name+".crt")
		certutil("-A", "-a", "-n", name, "-t", ",,", "-i", name+".crt")
	}
	keys := certutil("-K")
	b.contains(keys, label+":ca", label+":rsa", label+":p256", label+":mail")
	if n := strings.Count(keys, "\n<"); n+strings.Count(keys[:1], "<") != 4 {
		t.Errorf("not four keys:\n%s", keys)
	}

	t.Run("CMS", func(t *testing.T) {
		b := b.in(t)
		b.write("message", "a message\n")
		b.nss("cmsutil", "-S", "-N", label+":mail", "-f", "pin", "-G", "-i", "message", "-o", "message.cms")
		b.contains(b.openssl("cms", "-verify", "-inform", "DER", "-in", "message.cms", "-CAfile", "ca.crt"), "a message")
		// Who decrypts: the token unwraps the content's key.
		b.openssl("cms", "-encrypt", "-aes128", "-in", "message", "-outform", "DER", "-out", "secret.cms", "mail.crt")
		b.contains(b.nss("cmsutil", "-D", "-f", "pin", "-i", "secret.cms"), "a message")
	})
	t.Run("PKCS12", func(t *testing.T) {
		b := b.in(t)
		b.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "soft.key", "-out", "soft.crt", "-subj", "/CN=imported", "-days", "2")
		b.openssl("pkcs12", "-export", "-inkey", "soft.key", "-in", "soft.crt", "-name", "imported", "-out", "soft.p12", "-passout", "pass:secret")
		b.nss("pk12util", "-i", "soft.p12", "-h", label, "-k", "pin", "-W", "secret")
		b.contains(certutil("-K"), "imported")
		b.contains(b.tool("--list-objects", "--login", "--pin", pin, "--type", "privkey"), "imported")
	})
	t.Run("server", func(t *testing.T) {
		b := b.in(t)
		port := freePort(t)
		// selfserv has no option for the address that it listens on.
		s := b.start(built.Need(t, "selfserv", "libnss3-tools"), "-d", "sql:db", "-p", port, "-f", "pin", "-N", "-t", "8",
			"-n", label+":rsa", "-e", label+":p256", "-V", "tls1.2:tls1.3", "-H", "0")
		s.listens("127.0.0.1:" + port)
		b.newVisitor("127.0.0.1:"+port, "ca.crt").visits(t, 8, 200, []int{0, 1, 2}, false, nil)
	})

	b.nss("certutil", "-D", "-n", label+":mail", "-f", "pin")
	if out := certutil("-L"); strings.Contains(out, ":mail") || !strings.Contains(out, ":rsa") {
		t.Errorf("after the deletion of mail:\n%s", out)
	}
	b.run(modutil, "-dbdir", "sql:db", "-force", "-delete", "coffer")
}
