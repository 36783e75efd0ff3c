package clients

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"coffer/tests/built"
)

// serve runs openssl s_server for some connections, then stops it. It returns
// the address, and a function that waits for the end and returns what the
// server said.
func (b *bench) serve(connections int, args ...string) (address string, wait func() string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	c := exec.CommandContext(ctx, built.Need(b.t, "openssl", "openssl"), append([]string{"s_server", "-accept", "127.0.0.1:0",
		"-naccept", fmt.Sprint(connections), "-www"}, args...)...)
	c.Dir, c.Env = b.dir, b.env
	out, err := c.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var said strings.Builder
	for address == "" {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			cancel()
			b.t.Fatalf("s_server %s: %v\n%s%s", strings.Join(args, " "), c.Wait(), said.String(), errs.String())
		}
		if a, ok := strings.CutPrefix(line, "ACCEPT "); ok {
			address = strings.TrimSpace(a)
		}
	}
	return address, func() string {
		b.t.Helper()
		defer cancel()
		rest, _ := io.ReadAll(lines)
		said.Write(rest)
		if err := c.Wait(); err != nil {
			b.t.Errorf("s_server %s: %v\n%s%s", strings.Join(args, " "), err, said.String(), errs.String())
		}
		return said.String() + errs.String()
	}
}

// get asks a server for its page with openssl s_client, and returns the page.
func (b *bench) get(address string, args ...string) result {
	b.t.Helper()
	return b.tryWith("GET / HTTP/1.0\r\n\r\n", "openssl", append([]string{"s_client", "-connect", address, "-servername", "localhost",
		"-verify_return_error", "-ign_eof", "-quiet"}, args...)...)
}

// soft makes a certificate with a key in a file, NAME.crt and NAME.key.
func (b *bench) soft(name string) {
	b.t.Helper()
	b.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN="+name, "-days", "2",
		"-addext", "subjectAltName=DNS:localhost", "-keyout", name+".key", "-out", name+".crt")
}

// protocols are the handshakes that use a key in different ways. RSA key
// transport is not among them: libp11's engine 0.4.12 cannot do that with
// OpenSSL 3 (nor with another module).
var protocols = []struct {
	name    string // as s_server has it
	options []string
}{
	{"TLSv1.2", []string{"-tls1_2"}},
	{"TLSv1.2", []string{"-tls1_2", "-sigalgs", "RSA+SHA256:ECDSA+SHA256"}},
	{"TLSv1.3", []string{"-tls1_3"}},
	{"TLSv1.3", []string{"-tls1_3", "-sigalgs", "rsa_pss_rsae_sha512:ECDSA+SHA256"}},
}

// served tells whether a page came, by a protocol.
func served(r result, protocol string) bool {
	return r.err == nil && strings.HasPrefix(r.stdout, "HTTP/1.0 200 ok") && strings.Contains(r.stdout, "\nNew, "+protocol+", ")
}

func TestOpenSSLEngineServesTLS(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	for _, key := range []string{"rsa", "p256"} {
		b.selfSigned(key, "leaf")
		t.Run(key, func(t *testing.T) {
			b := b.in(t)
			// One process serves all handshakes: the key is loaded once.
			address, wait := b.withEngine().serve(len(protocols)+1, "-engine", "pkcs11", "-keyform", "engine", "-key", uri(key), "-cert", key+".crt")
			for _, p := range protocols {
				r := b.get(address, append(p.options, "-CAfile", key+".crt")...)
				if !served(r, p.name) {
					t.Errorf("%s: %v\n%s", p.options, r.err, r.all())
				}
			}
			// A handshake that fails does no harm to the one process.
			if r := b.get(address, "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"); r.err == nil {
				t.Errorf("a client without a common cipher: %s", r.all())
			}
			wait()
		})
	}
}

// TestOpenSSLEngineIsATLSClient with its certificate's key in the token, and
// a server that insists on a certificate.
func TestOpenSSLEngineIsATLSClient(t *testing.T) {
	t.Parallel()
	b := newEngine(t)
	b.soft("server")
	for _, key := range []string{"rsa", "p256"} {
		b.selfSigned(key, "leaf")
		t.Run(key, func(t *testing.T) {
			b := b.in(t)
			address, wait := b.serve(3, "-key", "server.key", "-cert", "server.crt", "-CAfile", key+".crt", "-Verify", "1", "-verify_return_error")
			for option, protocol := range map[string]string{"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"} {
				r := b.withEngine().get(address, option, "-CAfile", "server.crt", "-cert", key+".crt",
					"-engine", "pkcs11", "-keyform", "engine", "-key", uri(key))
				if !served(r, protocol) || !strings.Contains(r.stdout, "Subject: CN="+key+"\n") {
					t.Errorf("%s: %v\n%s", protocol, r.err, r.all())
				}
			}
			if r := b.get(address, "-tls1_2", "-CAfile", "server.crt"); served(r, "TLSv1.2") {
				t.Errorf("a client without a certificate was served:\n%s", r.all())
			}
			wait()
		})
	}
}

// TestOpenSSLEngineOnBothSides: two tokens in two processes.
func TestOpenSSLEngineOnBothSides(t *testing.T) {
	t.Parallel()
	server, client := newEngine(t), newEngine(t)
	server.selfSigned("p384", "leaf")
	client.selfSigned("p256", "leaf")
	server.write("client.crt", client.read("p256.crt"))
	client.write("server.crt", server.read("p384.crt"))
	address, wait := server.withEngine().serve(1, "-engine", "pkcs11", "-keyform", "engine", "-key", uri("p384"), "-cert", "p384.crt",
		"-CAfile", "client.crt", "-Verify", "1", "-verify_return_error")
	r := client.withEngine().get(address, "-tls1_3", "-CAfile", "server.crt", "-cert", "p256.crt",
		"-engine", "pkcs11", "-keyform", "engine", "-key", uri("p256"))
	if !served(r, "TLSv1.3") || !strings.Contains(r.stdout, "Subject: CN=p256\n") {
		t.Errorf("%v\n%s", r.err, r.all())
	}
	wait()
}
