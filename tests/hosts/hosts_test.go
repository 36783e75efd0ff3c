// Package hosts puts the built library into the programs that load one in
// earnest, servers above all: each test starts its own on loopback, with a
// configuration of its own, and stops it. What the token made is checked by
// programs that do not know the token.
//
// # Design
//
// A bench is a token, made by pkcs11-tool, and a folder. A server runs in a
// process group of its own under timeout(1), so that nothing of it outlives
// the test, whatever becomes of the test. A program that ends by a signal
// fails the test, be it after its work is done.
package hosts

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// The PINs and the label of the tokens that the tests make and throw away.
const (
	soPIN = "87654321"
	pin   = "2468"
	label = "hosts"
)

// A bench is an initialised token in a store of its own, and a folder to work
// in.
type bench struct {
	t   *testing.T
	lib string
	dir string // working folder of the commands
	env []string
	// credential is the user that the commands run as, if another than the
	// test's.
	credential *syscall.Credential
}

// newBench makes a token. Settings are added to the environment:
// COFFER_LOG=debug.
func newBench(t *testing.T, settings ...string) *bench {
	t.Helper()
	// Not t.TempDir, whose long name is too much for a socket's path.
	dir, err := os.MkdirTemp("", "hosts")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &bench{t: t, lib: built.Lib(t), dir: dir}
	b.env = append(os.Environ(),
		"COFFER_STORE="+b.path("store"),
		// The PINs are no secrets; stretching them would only cost time.
		"COFFER_PIN_ARGON2_MEMORY=64",
		"COFFER_PIN_ARGON2_TIME=1",
		"OPENSSL_CONF="+b.path("openssl.cnf"),
		"HOME="+dir,
		"XDG_CONFIG_HOME="+b.path("config"),
	)
	b.env = append(b.env, settings...)
	b.write("openssl.cnf", opensslConfig)
	tool := built.Need(t, "pkcs11-tool", "opensc")
	b.run(tool, "--module", b.lib, "--init-token", "--slot-index", "0", "--label", label, "--so-pin", soPIN)
	b.tool("--login", "--login-type", "so", "--so-pin", soPIN, "--init-pin", "--new-pin", pin)
	return b
}

// opensslConfig is for programs that have no use for the token.
const opensslConfig = `[req]
distinguished_name = name
[name]
[leaf]
basicConstraints = CA:true
subjectAltName = DNS:localhost
`

// in returns the bench for a subtest: the same token, the failures its own.
func (b *bench) in(t *testing.T) *bench {
	c := *b
	c.t = t
	return &c
}

// with returns the bench with more in its environment.
func (b *bench) with(env ...string) *bench {
	c := *b
	c.env = append(append([]string{}, b.env...), env...)
	return &c
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// result is what a command left behind.
type result struct {
	stdout, stderr string
	err            error
}

func (r result) all() string { return r.stdout + r.stderr }

// try runs a command in the bench's folder, for two minutes at most. It may
// fail, but not by a signal.
func (b *bench) try(name string, args ...string) result {
	b.t.Helper()
	return b.tryWith("", name, args...)
}

// tryWith gives the command something to read.
func (b *bench) tryWith(input, name string, args ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = b.dir, b.env
	c.SysProcAttr = &syscall.SysProcAttr{Credential: b.credential}
	c.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errs
	err := c.Run()
	if c.ProcessState != nil && c.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		b.t.Errorf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return result{out.String(), errs.String(), err}
}

// run runs a command that has to succeed and returns its standard output.
func (b *bench) run(name string, args ...string) string {
	b.t.Helper()
	return b.runWith("", name, args...)
}

func (b *bench) runWith(input, name string, args ...string) string {
	b.t.Helper()
	r := b.tryWith(input, name, args...)
	if r.err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), r.err, r.all())
	}
	return r.stdout
}

// tool runs pkcs11-tool without logging in; user logs in first.
func (b *bench) tool(args ...string) string {
	b.t.Helper()
	return b.run(built.Need(b.t, "pkcs11-tool", "opensc"), append([]string{"--module", b.lib, "--token-label", label}, args...)...)
}

func (b *bench) user(args ...string) string {
	b.t.Helper()
	return b.tool(append([]string{"--login", "--pin", pin}, args...)...)
}

// openssl runs OpenSSL, which does not know the token.
func (b *bench) openssl(args ...string) string {
	b.t.Helper()
	return b.run(built.Need(b.t, "openssl", "openssl"), args...)
}

// write puts a file into the bench's folder.
func (b *bench) write(name, data string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), []byte(data), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// script writes a program for sh.
func (b *bench) script(name, body string) string {
	b.t.Helper()
	b.write(name, "#!/bin/sh\n"+body+"\n")
	if err := os.Chmod(b.path(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	return b.path(name)
}

// contains fails the test if a text lacks a part.
func (b *bench) contains(text string, parts ...string) {
	b.t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			b.t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

// uri names a private key of the token, as p11-kit and libp11 write it.
func uri(key string) string { return fmt.Sprintf("pkcs11:token=%s;object=%s;type=private", label, key) }
