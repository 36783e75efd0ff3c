package clients

import (
	"strings"
	"sync"
	"testing"
)

// TestPKCS11ToolsTakeTurns: several processes at once, each of which finds the
// token and makes a key in it. With SoftHSM2 2.6.1 some do not see it.
func TestPKCS11ToolsTakeTurns(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_STORE_LOCK_WAIT=60s")
	ids := []string{"01", "02", "03", "04", "05", "06"}
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			b.try("pkcs11-tool", "--module", b.lib, "--token-label", label, "--login", "--pin", pin,
				"--keypairgen", "--key-type", "EC:prime256v1", "--id", id)
		})
	}
	all.Wait()
	for _, id := range ids {
		b.object("privkey", id)
		b.object("pubkey", id)
	}
}

// TestOpenSSLServerIsNotDisturbed by another process that wants the token: that
// one gets in while the server works on, and when it is gone as well.
func TestOpenSSLServerIsNotDisturbed(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_LOG=error")
	b.engine(pin)
	b.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "p256")
	b.write("p256.pem", b.read(b.public("01")))
	b.selfSigned("p256", "leaf")
	address, wait := b.withEngine().serve(1, "-engine", "pkcs11", "-keyform", "engine", "-key", uri("p256"), "-cert", "p256.crt")
	if r := b.user("--list-objects"); !strings.Contains(r, "Private Key Object; EC") {
		t.Error(r)
	}
	if r := b.get(address, "-tls1_3", "-CAfile", "p256.crt"); !served(r, "TLSv1.3") {
		t.Errorf("%v\n%s", r.err, r.all())
	}
	wait()
	b.object("privkey", "01")
}
