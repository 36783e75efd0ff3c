package hosts

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"coffer/tests/built"
)

// p11Kit returns a module of p11-kit 0.24.
func p11Kit(t *testing.T, pattern, pkg string) string {
	t.Helper()
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		built.Missing(t, fmt.Sprintf("%s is not installed (Debian package %s)", filepath.Base(pattern), pkg))
	}
	return found[0]
}

// newUserBench makes a bench of a user other than root: for root, p11-kit
// reads no configuration but the system's.
func newUserBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	if !isRoot {
		return b
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	data, err := os.ReadFile(b.lib)
	if err != nil {
		t.Fatal(err)
	}
	// The folders above the library may be closed to the user.
	b.lib = b.path("libcoffer.so")
	b.write("libcoffer.so", string(data))
	err = filepath.WalkDir(b.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return b
}

// TestP11KitProxy reaches the token as programs do that know nothing of it:
// through the list of modules in the user's configuration.
func TestP11KitProxy(t *testing.T) {
	t.Parallel()
	b := newUserBench(t)
	b.write("config/pkcs11/modules/coffer.module", "module: "+b.lib+"\n")
	b.contains(b.run(built.Need(t, "p11-kit", "p11-kit"), "list-modules"), "coffer software HSM", "token: "+label)
	proxy := b.in(t)
	proxy.lib = p11Kit(t, "/usr/lib/*/p11-kit-proxy.so", "libp11-kit0")
	proxy.signatures()
	// GnuTLS and OpenSSL's engine know p11-kit by themselves.
	b = b.with("GNUTLS_PIN=" + pin)
	b.contains(b.run(built.Need(t, "p11tool", "gnutls-bin"), "--batch", "--list-tokens"), "token="+label)
	b.run(built.Need(t, "p11tool", "gnutls-bin"), "--batch", "--login", "--test-sign", uri("p256"))
	for _, key := range []string{"rsa", "p256"} {
		b.engineSigns(proxy.lib, key)
	}
}

// TestP11KitServer reaches the token through a socket: p11-kit server starts a
// helper for every client, which loads the library.
func TestP11KitServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	socket := b.path("socket")
	s := b.start(built.Need(t, "p11-kit", "p11-kit"), "server", "-f", "-n", socket, "--provider", b.lib, "pkcs11:token="+label)
	s.wait("socket", func() bool { _, err := os.Stat(socket); return err == nil })
	client := b.with("P11_KIT_SERVER_ADDRESS=unix:path=" + socket)
	client.lib = p11Kit(t, "/usr/lib/*/pkcs11/p11-kit-client.so", "p11-kit-modules")
	client.signatures()
	for _, key := range []string{"rsa", "p256"} {
		client.engineSigns(client.lib, key)
	}
	t.Run("clients at once", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				b := client.in(t)
				if i%4 == 3 { // without the server
					b.lib = built.Lib(t)
				}
				out := fmt.Sprintf("signature%d", i)
				b.user("--sign", "--mechanism", "ECDSA", "--signature-format", "openssl", "--id", "02", "-i", "digest", "-o", out)
				b.openssl("dgst", "-sha256", "-verify", "p256.pub", "-signature", out, "message")
			})
		}
		all.Wait()
	})
}

// signatures makes keys of both types through the bench's library, signs with
// them and has OpenSSL verify it; the public keys are in NAME.pub afterwards.
func (b *bench) signatures() {
	b.t.Helper()
	b.write("message", strings.Repeat("a message ", 100))
	b.openssl("dgst", "-sha256", "-binary", "-out", "digest", "message")
	// p11-kit's socket carries no mechanism that it does not know: ECDSA_SHA256.
	for i, key := range [][]string{{"rsa", "rsa:2048", "SHA256-RSA-PKCS", "message"}, {"p256", "EC:prime256v1", "ECDSA", "digest"}} {
		id := fmt.Sprintf("%02x", i+1)
		b.user("--keypairgen", "--key-type", key[1], "--id", id, "--label", key[0])
		b.tool("--read-object", "--type", "pubkey", "--id", id, "-o", key[0]+".der")
		b.openssl("pkey", "-pubin", "-inform", "DER", "-in", key[0]+".der", "-out", key[0]+".pub")
		for range 3 {
			b.user("--sign", "--mechanism", key[2], "--signature-format", "openssl", "--id", id, "-i", key[3], "-o", "signature")
			b.openssl("dgst", "-sha256", "-verify", key[0]+".pub", "-signature", "signature", "message")
		}
	}
	b.contains(b.user("--list-objects"), "rsa", "p256")
}

// engineSigns signs with OpenSSL's engine over a given module.
func (b *bench) engineSigns(module, key string) {
	b.t.Helper()
	c := b.in(b.t)
	c.lib = module
	c = c.engine(0)
	c.openssl("dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", uri(key), "-out", "signature", "message")
	b.openssl("dgst", "-sha256", "-verify", key+".pub", "-signature", "signature", "message")
}
