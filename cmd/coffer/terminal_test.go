package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a coffer that runs on a pseudo-terminal of its own.
type terminal struct {
	*testing.T
	cmd    *exec.Cmd
	ctrl   *os.File // what is typed and shown
	tty    *os.File
	stderr *bufio.Reader
}

// onTerminal starts coffer, its stderr a pipe, all else on the terminal.
func onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	ctrl, tty := openPTY(t)
	own, err := exec.LookPath("coffer")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	library := filepath.Join(dir, library)
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(own, args...)
	cmd.Env = append(os.Environ(),
		"COFFER_STORE="+filepath.Join(dir, "store"), "COFFER_MODULE="+library, "TMPDIR="+dir,
		"COFFER_PIN_ARGON2_MEMORY=64", "COFFER_PIN_ARGON2_TIME=1")
	cmd.Stdin, cmd.Stdout = tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() { stuck.Stop(); cmd.Process.Kill() })
	return &terminal{t, cmd, ctrl, tty, bufio.NewReader(stderr)}
}

func openPTY(t *testing.T) (ctrl, tty *os.File) {
	t.Helper()
	ctrl, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { ctrl.Close() })
	fd := int(ctrl.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return ctrl, tty
}

// prompted waits until coffer has written a prompt to stderr.
func (t *terminal) prompted(want string) {
	t.Helper()
	got, err := t.stderr.ReadString(':')
	if err != nil || strings.TrimSpace(got) != want {
		t.Fatalf("got the prompt %q, %v, want %q", got, err, want)
	}
}

func (t *terminal) typed(keys string) {
	t.Helper()
	if _, err := io.WriteString(t.ctrl, keys); err != nil {
		t.Fatal(err)
	}
}

// ended waits for coffer and returns its status and what the terminal showed.
func (t *terminal) ended() (status int, shown string) {
	t.Helper()
	rest := make(chan struct{})
	go func() { io.Copy(io.Discard, t.stderr); close(rest) }()
	<-rest
	var exit *exec.ExitError
	if err := t.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	// What was shown ends with a mark, as a terminal has no end.
	const mark = "\x04the end\x04"
	if _, err := io.WriteString(t.tty, mark); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(all.String(), mark) {
		n, err := t.ctrl.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(buf[:n])
	}
	return t.cmd.ProcessState.ExitCode(), strings.TrimSuffix(all.String(), mark)
}

func (t *terminal) echoes() bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(t.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

func TestTheTerminalDoesNotShowPINs(t *testing.T) {
	t.Parallel()
	term := onTerminal(t, "token", "init", "--label", "typed")
	for _, q := range []struct{ prompt, answer string }{
		{"New SO PIN:", "so-secret"},
		{"New SO PIN again:", "so-secret"},
		{"New user PIN:", "user-secret"},
		{"New user PIN again:", "user-secret"},
	} {
		term.prompted(q.prompt)
		if term.echoes() {
			t.Errorf("the terminal echoes at %q", q.prompt)
		}
		term.typed(q.answer + "\n")
	}
	status, shown := term.ended()
	if status != 0 || !strings.Contains(shown, `token "typed"`) {
		t.Errorf("status %d, shown %q", status, shown)
	}
	if strings.Contains(shown, secretPart) {
		t.Errorf("the terminal shows %q", shown)
	}
	if !term.echoes() {
		t.Error("the terminal does not echo any more")
	}
}

func TestTheTerminalEchoesAgainAfterControlC(t *testing.T) {
	t.Parallel()
	term := onTerminal(t, "token", "init", "--label", "interrupted")
	term.prompted("New SO PIN:")
	term.typed("so-sec\x03")
	if status, _ := term.ended(); status != 128+int(syscall.SIGINT) {
		t.Errorf("got status %d, want 130", status)
	}
	if !term.echoes() {
		t.Error("the terminal does not echo any more")
	}
}

// The kernel sends what is typed to the whole foreground: passed on, it would
// come twice, and many programs take a second Control-C as "at once". So while
// coffer is in the foreground it passes no interrupt on.
func TestControlCComesToTheCommandOnce(t *testing.T) {
	t.Parallel()
	term := onTerminal(t, "exec", "signals")
	term.prompted("ready:")
	term.typed("\x03")
	term.prompted("interrupt:")
	// Two interrupts in a row may be one to the command, so that which is
	// passed on is looked for on its own.
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := term.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(term.stderr)
	if err != nil || len(strings.TrimSpace(string(rest))) > 0 {
		t.Errorf("after the first interrupt: %q, %v", rest, err)
	}
	if status, _ := term.ended(); status != 5 {
		t.Errorf("got status %d, want 5", status)
	}
}
