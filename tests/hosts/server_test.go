package hosts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// lifetime is when a server ends even if its test has not ended it.
const lifetime = "240"

// A server is a program that runs beside the test.
type server struct {
	b    *bench
	name string
	cmd  *exec.Cmd
	out  *transcript
	done chan struct{} // closed when it has ended
}

// transcript collects what a program prints while it runs.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// start starts a server in the foreground. It is ended with the test, which
// then shows what it printed if it has failed.
func (b *bench) start(name string, args ...string) *server {
	b.t.Helper()
	timeout := built.Need(b.t, "timeout", "coreutils")
	s := &server{b: b, name: name, out: &transcript{}, done: make(chan struct{})}
	// timeout(1) makes itself the leader of a new process group.
	s.cmd = exec.Command(timeout, append([]string{"--signal=KILL", lifetime, name}, args...)...)
	s.cmd.Dir, s.cmd.Env = b.dir, b.env
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: b.credential}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.WaitDelay = 5 * time.Second
	if err := s.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	b.t.Cleanup(func() {
		s.stop()
		if b.t.Failed() {
			b.t.Logf("%s printed:\n%s", name, s.out)
		}
	})
	return s
}

// startDaemon starts a server that puts itself into the background, in a
// process group of its own, and leaves its number in a file. A script stands in
// for it: it ends the group when it is told to end, or after some minutes.
func (b *bench) startDaemon(pidFile, name string, args ...string) *server {
	b.t.Helper()
	script := b.script("daemon", `"$@" || exit
until [ -s `+pidFile+` ]; do sleep 0.01; done
pid=$(cat `+pidFile+`)
trap 'kill -TERM -- "-$pid" 2>/dev/null; exit 0' TERM
sleep 200 &
wait $!
kill -KILL -- "-$pid"`)
	s := b.start(script, append([]string{name}, args...)...)
	s.wait("number", func() bool { return b.readPID(pidFile) != 0 })
	group := b.readPID(pidFile)
	b.t.Cleanup(func() {
		s.stop()
		if !eventually(5*time.Second, func() bool { return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) || gone(group) }) {
			b.t.Errorf("%s does not end when it is told to", name)
		}
		syscall.Kill(-group, syscall.SIGKILL)
	})
	return s
}

// gone reports whether a process has ended, though perhaps nobody has asked
// how.
func gone(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(data), ") Z ")
}

// stop ends the server and all its processes.
func (s *server) stop() {
	group := -s.cmd.Process.Pid
	syscall.Kill(group, syscall.SIGTERM)
	gone := func() bool { return errors.Is(syscall.Kill(group, 0), syscall.ESRCH) }
	if !eventually(5*time.Second, gone) {
		s.b.t.Errorf("%s does not end when it is told to\n%s", s.name, s.out)
		syscall.Kill(group, syscall.SIGKILL)
	}
	<-s.done
}

// ended reports whether the server is gone.
func (s *server) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// wait waits until the server has come so far.
func (s *server) wait(what string, ok func() bool) {
	s.b.t.Helper()
	if !eventually(30*time.Second, func() bool { return ok() || s.ended() }) {
		s.b.t.Fatalf("%s: no %s\n%s", s.name, what, s.out)
	}
	if !ok() {
		s.b.t.Fatalf("%s ended: no %s\n%s", s.name, what, s.out)
	}
}

// says waits until the server has printed something.
func (s *server) says(text string) {
	s.b.t.Helper()
	s.wait(strconv.Quote(text), func() bool { return strings.Contains(s.out.String(), text) })
}

// listens waits until the server accepts connections.
func (s *server) listens(addr string) {
	s.b.t.Helper()
	s.wait("connection to "+addr, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// eventually waits for something to become true.
func eventually(limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// newServerBench makes a bench for a server that is started as root and whose
// workers are www-data, as Debian has it: the store is their group's too. A test
// that is not root's has a server of one user.
func newServerBench(t *testing.T) *bench {
	t.Helper()
	if !isRoot {
		return newBench(t)
	}
	b := newBench(t, "COFFER_STORE_GROUP="+workersUser)
	if err := os.Chmod(b.dir, 0o711); err != nil { // the way to the store
		t.Fatal(err)
	}
	return b
}

// workersUser is the user and the group of servers' workers.
const workersUser = "www-data"

var isRoot = os.Geteuid() == 0

// freePort returns the number of a port of loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// readPID reads the number of a process from the file where it left it.
func (b *bench) readPID(name string) int {
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}
