// Package crash kills, fills up, takes away and damages what the built library
// stands on, and then looks what is left: what was acknowledged is there, what
// was not is wholly there or wholly absent, and what is damaged is named.
//
// # Design
//
// The library is in processes of its own: this test binary, started again in a
// role (child_test.go), which drives the library through package p11test. A
// bench is a store in a folder and what is needed to run such processes, and
// the command, on it. Whoever is killed has written beforehand what he is
// about to do, and afterwards that it was acknowledged, into a pipe, which
// keeps what a dead process has written.
package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// The PINs and the label of the tokens that the tests make and throw away.
const (
	soPIN = "so-87654321"
	pin   = "user-2468"
	label = "crash"
)

// A bench is a store in a folder of its own.
type bench struct {
	t        *testing.T
	lib, cmd string
	self     string // this binary
	dir      string // of the files that the test makes
	store    string
	log      string
	seen     *int // how much of the log was read
	env      []string
	user     *syscall.Credential // whom the processes belong to, if not to us
}

// newBench has no token yet.
func newBench(t *testing.T) *bench {
	t.Helper()
	// Not t.TempDir, whose long name is too much for a socket's path.
	dir, err := os.MkdirTemp("", "crash")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &bench{t: t, lib: built.Lib(t), cmd: built.Cmd(t), self: os.Args[0], dir: dir, seen: new(int)}
	b.log = b.path("log")
	return b.at(b.path("store"))
}

// newToken has one, in slot 0.
func newToken(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.initToken()
	return b
}

func (b *bench) initToken() {
	b.t.Helper()
	if out, err := b.coffer("token", "init", "--label", label); err != nil {
		b.t.Fatalf("coffer token init: %v\n%s", err, out)
	}
}

// at returns the bench with another store.
func (b *bench) at(store string) *bench {
	c := *b
	c.store = store
	c.env = append(os.Environ(),
		"COFFER_LIB="+b.lib,
		"COFFER_STORE="+store,
		"COFFER_PIN="+pin,
		"COFFER_SO_PIN="+soPIN,
		"COFFER_LOG=error",
		"COFFER_LOG_FILE="+b.log,
		// The PINs are no secrets; stretching them would only cost time.
		"COFFER_PIN_ARGON2_MEMORY=64",
		"COFFER_PIN_ARGON2_TIME=1",
		"COFFER_PIN_DELAY=0s",
	)
	return &c
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// patience is how long a process may take that has nothing to wait for. A
// machine can be slow; a process that hangs is not.
const patience = time.Minute

// coffer runs the command and returns what it printed. A signal, or a panic,
// fails the test.
func (b *bench) coffer(args ...string) (string, error) {
	b.t.Helper()
	c := exec.Command(b.cmd, args...)
	c.Env = b.env
	return b.finish(c)
}

// finish runs a command to its end.
func (b *bench) finish(c *exec.Cmd) (string, error) {
	b.t.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	b.belongs(c)
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { c.Process.Kill() })
	err := c.Wait()
	if !timer.Stop() {
		b.t.Fatalf("%s hangs\n%s", c, &out)
	}
	b.sound(c, &out)
	return out.String(), err
}

// sound fails the test if a process crashed.
func (b *bench) sound(c *exec.Cmd, out *bytes.Buffer) {
	b.t.Helper()
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() || bytes.Contains(out.Bytes(), []byte("goroutine ")) {
		b.t.Fatalf("%s crashed: %v\n%s", c, c.ProcessState, out)
	}
}

func (b *bench) belongs(c *exec.Cmd) {
	if b.user != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: b.user}
		c.Dir = b.dir // the checkout may lie where others do not get in
	}
}

// A process is this test binary in a role.
type process struct {
	b     *bench
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner // what it says
	out   bytes.Buffer   // what it prints
	over  bool
}

// start starts a process in a role, with an argument for it. Before is a
// command that it is to be run by, such as strace.
func (b *bench) start(role string, arg any, before ...string) *process {
	b.t.Helper()
	data, err := json.Marshal(arg)
	if err != nil {
		b.t.Fatal(err)
	}
	line := append(before, b.self, "-test.run=^TestChild$", "-test.timeout="+(2*patience).String())
	p := &process{b: b, cmd: exec.Command(line[0], line[1:]...)}
	p.cmd.Env = append(append([]string{}, b.env...), roleVar+"="+role, argVar+"="+string(data))
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	b.belongs(p.cmd)
	r, w, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	p.cmd.ExtraFiles = []*os.File{w}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		b.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	w.Close()
	p.lines = bufio.NewScanner(r)
	p.lines.Buffer(nil, 1<<20)
	b.t.Cleanup(func() {
		p.kill()
		r.Close()
	})
	return p
}

// kill ends the process in the middle of whatever it does.
func (p *process) kill() {
	if !p.over {
		p.over = true
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// wait waits for the end of the process, which has to succeed.
func (p *process) wait() {
	p.b.t.Helper()
	if err := p.end(); err != nil {
		p.b.t.Errorf("%v\n%s", err, &p.out)
	}
}

// end waits for the end of the process, which must not crash.
func (p *process) end() error {
	p.b.t.Helper()
	if p.over {
		return nil
	}
	p.over = true
	p.in.Close()
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	if !timer.Stop() {
		p.b.t.Fatalf("the process hangs\n%s", &p.out)
	}
	p.b.sound(p.cmd, &p.out)
	return err
}

// ask sends a line and returns the answer.
func (p *process) ask(format string, args ...any) string {
	p.b.t.Helper()
	fmt.Fprintf(p.in, format+"\n", args...)
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Signal(syscall.SIGQUIT) })
	defer timer.Stop()
	if !p.lines.Scan() {
		err := p.end()
		p.b.t.Fatalf("%s: no answer: %v\n%s", fmt.Sprintf(format, args...), err, &p.out)
	}
	return p.lines.Text()
}

// want asks, and the answer has to begin with a code.
func (p *process) want(code, format string, args ...any) string {
	p.b.t.Helper()
	got := p.ask(format, args...)
	if first, _, _ := strings.Cut(got, " "); first != code {
		p.b.t.Errorf("%s: got %s, want %s", fmt.Sprintf(format, args...), got, code)
	}
	return strings.TrimPrefix(strings.TrimPrefix(got, code), " ")
}

// newRandom returns a source of random numbers and prints what to set to have
// the same ones again. Where the system's timing matters that is not all.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("COFFER_CRASH_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("COFFER_CRASH_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
