package shared

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/store"
	"coffer/store/badger"
	"coffer/store/folder"
	"coffer/store/remote"
)

// The test binary is also the other processes. As one, it obeys commands, one
// a line, each answered by a line: "ok", or what was asked for, or what went
// wrong.
const roleVar = "COFFER_SHARED_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "obey":
		obey(os.Stdin)
	case "sleep":
		io.Copy(io.Discard, os.Stdin)
	default:
		os.Exit(m.Run())
	}
}

func obey(commands io.Reader) {
	stores := map[string]*Store{}
	for in := bufio.NewScanner(commands); in.Scan(); {
		words := strings.Fields(in.Text())
		answer, err := carryOut(stores, words[0], words[1], words[2:])
		if err != nil {
			answer = fmt.Sprintf("%s: error: %v", in.Text(), err)
		}
		fmt.Println(strings.ReplaceAll(answer, "\n", " "))
	}
}

// carryOut carries a command out, on the store in the folder dir.
func carryOut(stores map[string]*Store, command, dir string, args []string) (answer string, err error) {
	ctx := context.Background()
	s := stores[dir]
	switch command {
	case "open":
		var opt Options
		if len(args) > 0 {
			opt.Group, _ = strconv.Atoi(args[0])
		}
		if len(args) > 1 {
			opt.Wait, _ = time.ParseDuration(args[1])
		}
		if stores[dir], err = Open(dir, opt); err != nil {
			return "", err
		}
	case "close":
		if s != nil {
			delete(stores, dir)
			return "ok", s.Close()
		}
	case "put":
		_, err = s.Txn(ctx, store.Txn{Then: []store.Op{store.Put([]byte(args[0]), []byte(args[1]))}})
	case "get":
		kv, _, err := store.Get(ctx, s, []byte(args[0]))
		return string(kv.Value), err
	case "newest":
		return fmt.Sprint(s.Newest()), nil
	case "role":
		if s.node.way.Load().name == "" {
			return "holder", nil
		}
		return "peer", nil
	case "increment":
		n, _ := strconv.Atoi(args[0])
		return "ok", increment(s, "own", n, func(int) {})
	case "come-and-go":
		n, _ := strconv.Atoi(args[1])
		return "ok", comeAndGo(dir, args[0], n)
	case "increment-for-ever":
		return "ok", increment(s, args[0], 1<<60, func(i int) { fmt.Println(i) })
	case "die":
		return "ok", holdAndDie(dir, args[0])
	case "greet":
		c, err := net.Dial("unix", dir)
		if err != nil {
			return "", err
		}
		_, err = c.Read(make([]byte, 1))
		return fmt.Sprint(err), nil
	case "leak":
		return leak()
	case "umask":
		mask, _ := strconv.ParseInt(args[0], 8, 0)
		syscall.Umask(int(mask))
	default:
		return "", errors.New("unknown command")
	}
	return "ok", err
}

// increment adds 1 to the key "n" and to the key own, so often, in
// transactions that compare n; told what own is after each.
func increment(s *Store, own string, times int, told func(int)) error {
	ctx := context.Background()
	mine, _, err := store.Get(ctx, s, []byte(own))
	if err != nil {
		return err
	}
	count, _ := strconv.Atoi(string(mine.Value))
	for range times {
		for done := false; !done; {
			kv, _, err := store.Get(ctx, s, []byte("n"))
			if err != nil {
				return err
			}
			n, _ := strconv.Atoi(string(kv.Value))
			res, err := s.Txn(ctx, store.Txn{
				If: []store.Cmp{{Key: []byte("n"), Mod: kv.Mod}},
				Then: []store.Op{
					store.Put([]byte("n"), fmt.Append(nil, n+1)),
					store.Put([]byte(own), fmt.Append(nil, count+1)),
				},
			})
			if err != nil {
				return err
			}
			done = res.Done
		}
		count++
		told(count)
	}
	return nil
}

// comeAndGo increments the key own, so often, and opens the store anew for
// each, as commands do.
func comeAndGo(dir, own string, times int) error {
	for range times {
		s, err := Open(dir, Options{})
		if err != nil {
			return err
		}
		if err := increment(s, own, 1, func(int) {}); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// dying is a holder's store that is killed at the first transaction of a
// peer's: before it is carried out, or after.
type dying struct {
	store.Once
	when string
	page *page // in use as long as the store
}

func (d *dying) TxnOnce(ctx context.Context, t store.Txn, a store.Attempt) (store.Result, error) {
	if d.when == "after" {
		if _, err := d.Once.TxnOnce(ctx, t, a); err != nil {
			return store.Result{}, err
		}
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// holdAndDie becomes the holder of such a store.
func holdAndDie(dir, when string) error {
	f, err := folder.Open(dir, folder.Options{})
	if err != nil {
		return err
	}
	if err := f.Lock(); err != nil {
		return err
	}
	p, err := mapPage(f, writing)
	if err != nil {
		return err
	}
	l, err := listen(f)
	if err != nil {
		return err
	}
	b, err := badger.OpenIn(f, badger.Options{Newest: p.rev}, f.Unlock)
	if err != nil {
		return err
	}
	return remote.NewServer(&dying{b, when, p}, policy(f)).Serve(l)
}

// leak starts a process that inherits every descriptor of this one, as a
// forked child does.
func leak() (string, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return "", err
	}
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	r, w, err := os.Pipe() // which nobody writes to, and the heir keeps open
	if err != nil {
		return "", err
	}
	files := []uintptr{r.Fd(), uintptr(null), 2, w.Fd()}
	for _, e := range entries {
		var st unix.Stat_t
		fd, _ := strconv.Atoi(e.Name())
		if fd > 2 && unix.Fstat(fd, &st) == nil {
			files = append(files, uintptr(fd))
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	pid, err := syscall.ForkExec(exe, []string{exe}, &syscall.ProcAttr{
		Env: append(os.Environ(), roleVar+"=sleep"), Files: files,
	})
	return fmt.Sprint(pid), err
}

// poor makes a process as poor as a host may be.
func poor(cmd *exec.Cmd) {
	limits := "ulimit -n 32 && ulimit -v 1048576"
	if raceEnabled { // which needs more memory
		limits = "ulimit -n 32"
	}
	// The C library would reserve most of that for its own threads.
	cmd.Env = append(cmd.Env, "MALLOC_ARENA_MAX=1")
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", limits + ` && exec "$0"`, os.Args[0]}
}

// process is another process.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newProcess(t testing.TB, change ...func(*exec.Cmd)) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"=obey")
	cmd.Stderr = os.Stderr
	for _, f := range change {
		f(cmd)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t, cmd, in, bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	// A signal is on its way for a moment.
	state := map[syscall.Signal]string{syscall.SIGSTOP: "T", syscall.SIGCONT: "SRD"}[s]
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid()))
		if err != nil {
			p.t.Fatal(err)
		}
		if after := stat[strings.LastIndex(string(stat), ")")+2]; strings.ContainsRune(state, rune(after)) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// tell gives a command and does not wait for the answer.
func (p *process) tell(words ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, words...); err != nil {
		p.t.Fatal(err)
	}
}

// answer returns the next line.
func (p *process) answer() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("process %d has ended", p.pid())
	}
	return p.out.Text()
}

func (p *process) ask(words ...any) string {
	p.t.Helper()
	p.tell(words...)
	return p.answer()
}

// do gives a command that must succeed.
func (p *process) do(words ...any) {
	p.t.Helper()
	p.want("ok", words...)
}

func (p *process) want(want string, words ...any) {
	p.t.Helper()
	if got := p.ask(words...); got != want {
		p.t.Fatalf("%v: got %q, want %q", words, got, want)
	}
}

// holderOf returns the process that has the store in dir. That must not be
// this one: closing any descriptor of the file gives the lock up.
func holderOf(t *testing.T, dir string) int {
	t.Helper()
	// Not by a Folder: that would be another copy in this process.
	f, err := os.Open(filepath.Join(dir, folder.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &flock); err != nil {
		t.Fatal(err)
	}
	if flock.Type == unix.F_UNLCK {
		return 0
	}
	return int(flock.Pid)
}
