package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

func TestACommandThatNobodyWantsAnyMoreIsNotStarted(t *testing.T) {
	t.Parallel()
	c, err := newChild([]string{"true"}, &app{in: os.Stdin, out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pending := make(signals, 1)
	pending <- syscall.SIGTERM
	var f *failure
	if err := c.run(pending); !errors.As(err, &f) || f.status != 128+int(syscall.SIGTERM) {
		t.Errorf("got %v, want status 143", err)
	}
	if c.Process != nil {
		t.Error("the command was started")
	}
}

// An interrupt that does not come from a keyboard reaches the command through
// coffer alone.
func TestInterruptsArePassedOnWithoutATerminal(t *testing.T) {
	t.Parallel()
	own, err := exec.LookPath("coffer")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	library := filepath.Join(dir, library)
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sigs := []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	// Whoever runs the tests in the background or under nohup has some of them
	// ignored, which a child inherits, unless they are caught here.
	caught := make(chan os.Signal, len(sigs))
	signal.Notify(caught, sigs...)
	defer signal.Stop(caught)
	for _, sig := range sigs {
		cmd := exec.Command(own, "exec", "--", "sh", "-c", `
			sleep 60 >/dev/null &
			trap "kill $!; exit 6" HUP INT QUIT USR1 USR2
			echo ready
			wait`)
		cmd.Env = append(os.Environ(), "COFFER_MODULE="+library, "TMPDIR="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 6 {
			t.Errorf("%v: got %v, want status 6", sig, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "coffer-exec-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
