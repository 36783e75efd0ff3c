package badger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"coffer/store"
)

// The test binary is also the process that the tests kill, or that holds a
// lock: these name its role and its folder.
const (
	roleVar = "COFFER_STORE_TEST_ROLE"
	dirVar  = "COFFER_STORE_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "write":
		writeForEver(os.Getenv(dirVar))
	case "hold":
		hold(os.Getenv(dirVar))
	default:
		os.Exit(m.Run())
	}
}

// child starts this test binary in a role. Its output is read line by line.
func child(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role, dirVar+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

const writers = 3

// writeForEver writes numbers in several goroutines, each number in two keys
// of one transaction with a value large enough to fill Badger's log from time
// to time, and prints what is acknowledged.
func writeForEver(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	filler := strings.Repeat("x", 20_000)
	for w := range writers {
		wg.Go(func() {
			kv, _, err := store.Get(context.Background(), s, fmt.Append(nil, "a", w))
			if err != nil {
				panic(err)
			}
			var i int
			fmt.Sscan(string(kv.Value), &i)
			for ; ; i++ {
				v := fmt.Append(nil, i+1, " ", filler)
				res, err := s.Txn(context.Background(), store.Txn{Then: []store.Op{
					store.Put(fmt.Append(nil, "a", w), v),
					store.Put(fmt.Append(nil, "b", w), v),
				}})
				if err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Println(w, i+1, res.Rev)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acknowledged := [writers]int{}
	var newest store.Rev
	for round := range 5 {
		cmd, out := child(t, "write", dir)
		for n := 0; out.Scan(); n++ {
			var w, i int
			var rev store.Rev
			if _, err := fmt.Sscan(out.Text(), &w, &i, &rev); err != nil {
				t.Fatalf("child says %q", out.Text())
			}
			acknowledged[w] = max(acknowledged[w], i)
			newest = max(newest, rev)
			if n == 150+round*37 {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		checkAfterKill(t, dir, acknowledged, newest)
	}
}

// checkAfterKill opens the store and finds at least what was acknowledged,
// every transaction whole, and no gap in the revisions.
func checkAfterKill(t *testing.T, dir string, acknowledged [writers]int, newest store.Rev) {
	t.Helper()
	s := open(t, dir, Options{})
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	got := s.Newest()
	if got < newest || got > newest+writers {
		t.Errorf("newest revision is %d, acknowledged was %d", got, newest)
	}
	for w := range writers {
		a, _, _ := store.Get(t.Context(), s, fmt.Append(nil, "a", w))
		b, _, _ := store.Get(t.Context(), s, fmt.Append(nil, "b", w))
		if a.Mod != b.Mod || string(a.Value) != string(b.Value) {
			t.Errorf("writer %d: half a transaction: revisions %d and %d", w, a.Mod, b.Mod)
		}
		var i int
		fmt.Sscan(string(a.Value), &i)
		if i < acknowledged[w] || i > acknowledged[w]+1 || int(a.Version) != i {
			t.Errorf("writer %d: got number %d, version %d; acknowledged was %d", w, i, a.Version, acknowledged[w])
		}
	}
	next := store.Rev(1)
	for events, err := range s.Watch(t.Context(), store.Prefix(nil), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if events[0].Rev != next || len(events) != 2 {
			t.Fatalf("got %d events of revision %d, want 2 of %d", len(events), events[0].Rev, next)
		}
		if next++; next > got {
			break
		}
	}
}

// hold opens the store and waits to be killed.
func hold(dir string) {
	s, err := Open(dir, Options{Wait: -1})
	fmt.Println("open:", err)
	if err == nil {
		<-s.Done()
	}
}

func TestLockKeepsOtherProcessesOut(t *testing.T) {
	dir := t.TempDir()
	cmd, out := child(t, "hold", dir)
	if !out.Scan() || out.Text() != "open: <nil>" {
		t.Fatalf("child says %q", out.Text())
	}
	_, err := Open(dir, Options{Wait: -1})
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	for _, want := range []string{dir, fmt.Sprint("process ", cmd.Process.Pid)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
	// Who waits gets it when the other is gone, however it went.
	opened := make(chan error, 1)
	go func() {
		s, err := Open(dir, Options{Wait: 1 << 40})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	cmd.Process.Kill()
	if err := <-opened; err != nil {
		t.Errorf("after the other was killed: %v", err)
	}
}

// A process that is killed between making a file and giving it its size
// leaves an empty one, which Badger takes for an error.
func TestEmptyFilesOfAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	write(t, s, store.Put([]byte("k"), []byte("v")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00099.mem", "000099.vlog", "000099.sst"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir, Options{})
	defer s.Close()
	if kv, ok, err := store.Get(t.Context(), s, []byte("k")); !ok || err != nil || string(kv.Value) != "v" {
		t.Errorf("got %q, %t, %v", kv.Value, ok, err)
	}
	write(t, s, store.Put([]byte("k"), []byte("w")))
}
