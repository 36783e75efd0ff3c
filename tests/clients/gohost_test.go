package clients

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// gohost builds the program of tests/clients/gohost and returns its path.
func (b *bench) gohost() string {
	b.t.Helper()
	path := filepath.Join(b.dir, "gohost")
	b.source("build", "-o", path, "./tests/clients/gohost")
	b.env = append(b.env, "GOHOST_LIB="+b.lib, "GOHOST_TOKEN="+label)
	return path
}

// source runs the go command in the checkout.
func (b *bench) source(args ...string) string {
	b.t.Helper()
	root, err := built.Root()
	if err != nil {
		b.t.Fatal(err)
	}
	return b.run("go", append([]string{"-C", root}, args...)...)
}

// TestGoHost is the proof that two Go runtimes get on in one process: both
// collect, and the signals of the host's reach the host.
func TestGoHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.gohost()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path, "load", "10s")
	// A host that hangs tells where.
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGQUIT) }
	c.WaitDelay = 10 * time.Second
	c.Dir, c.Env = b.dir, append(b.env, "GOGC=5", "GODEBUG=gctrace=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	forced := bytes.Count(out, []byte("(forced)"))
	inside := len(regexp.MustCompile(`(?m)^gc \d+ @`).FindAll(out, -1)) - forced
	if inside < 10 {
		t.Errorf("%d collections of the library's runtime, %d of the host's", inside, forced)
	}
	for _, count := range []string{"uses", "collections", "notifications", "faults", "children"} {
		if !regexp.MustCompile(count + ` [1-9]\d`).Match(out) {
			t.Errorf("fewer than ten %s:\n%s", count, out)
		}
	}
	t.Logf("%d collections inside, %s", inside, out[bytes.LastIndex(out, []byte("uses")):])
}

// The dump of goroutines that SIGQUIT asks for is the host's: its runtime
// still has the signal after the library is loaded and in use.
func TestGoHostDumpsItsGoroutines(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := exec.CommandContext(t.Context(), b.gohost(), "load", "1m")
	c.Dir, c.Env = b.dir, b.env
	var errs bytes.Buffer
	c.Stderr = &errs
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, len("started"))); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if c.ProcessState.ExitCode() != 2 {
		t.Errorf("ended with %s, want the exit code of a Go program on SIGQUIT, 2", c.ProcessState)
	}
	for _, want := range []string{"SIGQUIT: quit", "main.load("} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("the dump does not name %s:\n%s", want, errs.String())
		}
	}
}

func TestCrypto11(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	if out := b.run(b.gohost(), "crypto11"); !strings.Contains(out, "ok certificates and TLS") {
		t.Errorf("not all ran:\n%s", out)
	}
}
