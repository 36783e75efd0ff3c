package clients

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"coffer/tests/built"
)

// TestP11KitServesTheToken: p11-kit 0.24 loads the library in a helper, with
// mutex functions and CKF_OS_LOCKING_OK, and passes calls on from a socket.
// (A list of modules in a user's files it does not read for root, so that is
// not tried. Parameters such as IVs it cannot pass on.)
func TestP11KitServesTheToken(t *testing.T) {
	t.Parallel()
	client, _ := filepath.Glob("/usr/lib/*/pkcs11/p11-kit-client.so")
	if len(client) == 0 {
		built.Missing(t, "p11-kit-client.so is not installed (Debian package p11-kit-modules)")
	}
	b := newBench(t)
	b.generate("rsa:2048", "01")
	key := b.public("01")
	b.messages()

	socket := filepath.Join(b.dir, "socket")
	server := exec.Command(built.Need(t, "p11-kit", "p11-kit"), "server", "--foreground", "--name", socket, "--provider", b.lib, "pkcs11:token="+label)
	var said bytes.Buffer
	server.Dir, server.Env, server.Stdout, server.Stderr = b.dir, b.env, &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			server.Process.Signal(os.Interrupt)
			server.Wait()
		}
	}
	defer stop()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(end) {
			stop()
			t.Fatalf("p11-kit server makes no socket:\n%s", said.String())
		}
	}
	remote := b.in(t)
	remote.lib = client[0]
	remote.env = append(remote.env, "P11_KIT_SERVER_ADDRESS=unix:path="+socket)
	remote.object("privkey", "01")
	s := remote.sign("SHA256-RSA-PKCS", "01", "short")
	b.verified("dgst", "-sha256", "-verify", key, "-signature", s, "short")
	remote.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "02")
	remote.toolFails("CKR_PIN_INCORRECT", "--login", "--pin", "wrong", "--list-objects")

	// What the server made is there without it.
	stop()
	b.object("privkey", "02")
}
