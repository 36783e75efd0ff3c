package hosts

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"coffer/tests/built"
)

// A visitor makes TLS connections to a server whose key is in the token, each
// with a full handshake: the server signs every time. It is Go's client, which
// checks the signature against the certificate.
type visitor struct {
	addr  string
	roots *x509.CertPool
	made  atomic.Int64 // handshakes
}

// newVisitor trusts the certificates in the named files.
func (b *bench) newVisitor(addr string, certificates ...string) *visitor {
	b.t.Helper()
	v := &visitor{addr: addr, roots: x509.NewCertPool()}
	for _, c := range certificates {
		if !v.roots.AppendCertsFromPEM([]byte(b.read(c))) {
			b.t.Fatalf("%s holds no certificate", c)
		}
	}
	return v
}

// kinds are the handshakes that take turns: by version and type of key.
var kinds = []struct {
	version uint16
	suites  []uint16
	rsa     bool
}{
	{tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, true},
	{tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, false},
	{tls.VersionTLS13, nil, false}, // the server chooses the key
}

// visit makes the nth connection and asks for a page if get is set. Where the
// server has one key only, kind says which.
func (v *visitor) visit(kind int, get bool) error {
	k := kinds[kind%len(kinds)]
	d := &net.Dialer{Timeout: 20 * time.Second}
	c, err := tls.DialWithDialer(d, "tcp", v.addr, &tls.Config{
		RootCAs: v.roots, ServerName: "localhost", MinVersion: k.version, MaxVersion: k.version, CipherSuites: k.suites,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	v.made.Add(1)
	state := c.ConnectionState()
	switch key := state.PeerCertificates[0].PublicKey.(type) {
	case *rsa.PublicKey:
		if k.suites != nil && !k.rsa {
			return fmt.Errorf("an RSA key where an EC key was asked for")
		}
	case *ecdsa.PublicKey:
		if k.suites != nil && k.rsa {
			return fmt.Errorf("an EC key where an RSA key was asked for")
		}
	default:
		return fmt.Errorf("a key of type %T", key)
	}
	if !get {
		return nil
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK || string(body) != page {
		return fmt.Errorf("status %s and %q", r.Status, body)
	}
	return nil
}

// page is what the servers of HTTP answer.
const page = "a page\n"

// visits keeps n clients visiting until total connections were made and the
// function beside, which runs at the same time, has returned.
func (v *visitor) visits(t *testing.T, n, total int, kinds []int, get bool, beside func()) {
	t.Helper()
	begin, before := time.Now(), v.made.Load()
	var next atomic.Int64
	var returned atomic.Bool
	failures := make(chan error, n)
	for range n {
		go func() {
			var err error
			for err == nil {
				i := int(next.Add(1)) - 1
				if i >= total && returned.Load() {
					break
				}
				if err = v.visit(kinds[i%len(kinds)], get); err != nil {
					err = fmt.Errorf("connection %d after %v: %w", i, time.Since(begin), err)
				}
			}
			failures <- err
		}()
	}
	if beside != nil {
		beside()
	}
	returned.Store(true)
	for range n {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	made := v.made.Load() - before
	took := time.Since(begin)
	t.Logf("%d handshakes in %v: %.0f/s", made, took.Round(time.Millisecond), float64(made)/took.Seconds())
}

// serverKeys makes the keys rsa and p256 in the token and a certificate for
// localhost of each, NAME.crt, signed by the key itself.
func (b *bench) serverKeys() {
	b.t.Helper()
	for i, key := range [][2]string{{"rsa", "rsa:2048"}, {"p256", "EC:prime256v1"}} {
		id := fmt.Sprintf("%02x", i+1)
		b.user("--keypairgen", "--key-type", key[1], "--id", id, "--label", key[0])
	}
	engine := b.engine(0)
	for _, key := range []string{"rsa", "p256"} {
		engine.run(built.Need(b.t, "openssl", "openssl"), "req", "-new", "-x509", "-engine", "pkcs11", "-keyform", "engine",
			"-key", uri(key), "-sha256", "-subj", "/CN=localhost", "-days", "2", "-extensions", "leaf", "-out", key+".crt")
	}
}
