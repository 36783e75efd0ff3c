// Package clients runs real PKCS #11 clients against the built library and
// checks what they did with OpenSSL, which does not know the token.
package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// The PINs of the tokens that the tests make and throw away.
const (
	soPIN = "87654321"
	pin   = "2468"
	label = "clients"
)

// everything is a setting of tests that use what the default policy refuses:
// signatures over SHA-1, RSA keys of 1024 bits, RSA without padding.
const everything = "COFFER_POLICY=legacy"

// A bench is an initialised token in a store of its own, and a folder to work
// in.
type bench struct {
	t     *testing.T
	lib   string
	dir   string // working folder of the commands
	store string
	env   []string
}

// newBench makes a token by the command, so that the clients find one as a
// user would have it. Settings are added to the environment: COFFER_LOG=debug.
func newBench(t *testing.T, settings ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, lib: built.Lib(t), dir: dir, store: filepath.Join(dir, "store")}
	b.env = append(os.Environ(),
		"COFFER_STORE="+b.store,
		"COFFER_PIN="+pin,
		"COFFER_SO_PIN="+soPIN,
		// The PINs are no secrets; stretching them would only cost time.
		"COFFER_PIN_ARGON2_MEMORY=64",
		"COFFER_PIN_ARGON2_TIME=1",
	)
	b.env = append(b.env, settings...)
	b.init(label)
	return b
}

// init makes a token of the free slot.
func (b *bench) init(label string) {
	b.t.Helper()
	b.run(built.Cmd(b.t), "token", "init", "--label", label)
}

// in returns the bench for a subtest: the same token, the failures its own.
func (b *bench) in(t *testing.T) *bench {
	c := *b
	c.t = t
	return &c
}

// result is what a command left behind.
type result struct {
	stdout, stderr string
	err            error
}

func (r result) all() string { return r.stdout + r.stderr }

// try runs a command in the bench's folder. It may fail, but not by a signal:
// a client that crashes, be it at its exit, fails the test.
func (b *bench) try(name string, args ...string) result {
	b.t.Helper()
	return b.tryWith("", name, args...)
}

// tryWith gives the command something to read.
func (b *bench) tryWith(input, name string, args ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = b.dir, b.env
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errs
	err := c.Run()
	if c.ProcessState != nil && c.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		b.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return result{out.String(), errs.String(), err}
}

// run runs a command that has to succeed and returns its standard output.
func (b *bench) run(name string, args ...string) string {
	b.t.Helper()
	r := b.try(name, args...)
	if r.err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), r.err, r.all())
	}
	return r.stdout
}

// fails runs a command that has to fail and name why.
func (b *bench) fails(why, name string, args ...string) {
	b.t.Helper()
	r := b.try(name, args...)
	if r.err == nil {
		b.t.Fatalf("%s %s succeeded:\n%s", name, strings.Join(args, " "), r.all())
	}
	if !strings.Contains(r.all(), why) {
		b.t.Fatalf("%s %s failed without naming %s:\n%s", name, strings.Join(args, " "), why, r.all())
	}
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

func (b *bench) openssl(args ...string) string {
	b.t.Helper()
	return b.run(built.Need(b.t, "openssl", "openssl"), args...)
}

// write puts a file into the bench's folder.
func (b *bench) write(name string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}
