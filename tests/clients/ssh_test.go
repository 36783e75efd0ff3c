package clients

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"coffer/tests/built"
)

// OpenSSH 9.2 finds public keys by CKA_ID without logging in, has the PIN from
// a program, and signs with CKM_RSA_PKCS or CKM_ECDSA.

// sshKeygen runs ssh-keygen, with an answer to its question for the PIN.
func (b *bench) sshKeygen(args ...string) string {
	b.t.Helper()
	b.write("askpass", []byte("#!/bin/sh\necho "+pin+"\n"))
	b.run("chmod", "700", "askpass")
	c := *b
	c.env = append(append([]string{}, b.env...), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS="+filepath.Join(b.dir, "askpass"), "DISPLAY=none")
	return c.run(built.Need(b.t, "ssh-keygen", "openssh-client"), args...)
}

func TestOpenSSHListsKeysAndSignsCertificates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	kinds := []string{"rsa:2048", "EC:prime256v1", "EC:secp384r1", "EC:secp521r1"}
	want := map[string]bool{}
	for i, typ := range kinds {
		id := fmt.Sprintf("%02x", i+1)
		b.generate(typ, id)
		line := strings.TrimSpace(b.sshKeygen("-i", "-m", "PKCS8", "-f", b.public(id)))
		want[line] = true
		b.write(id+".pub", []byte(line+"\n"))
	}
	b.generate("EC:edwards25519", "05") // which OpenSSH passes over

	listing := b.sshKeygen("-D", b.lib)
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		if key := strings.Join(fields[:min(2, len(fields))], " "); !want[key] {
			t.Errorf("listed, but not in the token: %s", line)
		} else {
			delete(want, key)
		}
	}
	if len(want) != 0 {
		t.Errorf("not listed: %v in\n%s", want, listing)
	}

	b.sshKeygen("-q", "-t", "ed25519", "-N", "", "-f", "user")
	for i, typ := range kinds {
		id := fmt.Sprintf("%02x", i+1)
		b.sshKeygen("-q", "-D", b.lib, "-s", id+".pub", "-I", "someone", "-n", "someone", "-z", "7", "user.pub")
		key, _, _, _, err := ssh.ParseAuthorizedKey(b.read("user-cert.pub"))
		if err != nil {
			t.Fatal(err)
		}
		certificate := key.(*ssh.Certificate)
		authority, _, _, _, err := ssh.ParseAuthorizedKey(b.read(id + ".pub"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(certificate.SignatureKey.Marshal(), authority.Marshal()) {
			t.Errorf("%s: signed by %s", typ, ssh.MarshalAuthorizedKey(certificate.SignatureKey))
		}
		checker := ssh.CertChecker{Clock: time.Now}
		if err := checker.CheckCert("someone", certificate); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
