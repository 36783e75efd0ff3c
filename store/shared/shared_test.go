package shared

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/folder"
	"coffer/store/storetest"
)

func open(t testing.TB, dir string, opt Options) *Store {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *Store, key, value string) store.Rev {
	t.Helper()
	res, err := s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte(key), []byte(value))}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Rev
}

func get(t testing.TB, s *Store, key string) string {
	t.Helper()
	kv, _, err := store.Get(t.Context(), s, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(kv.Value)
}

func TestConformanceOfTheHolder(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Backend { return open(t, t.TempDir(), Options{}) })
}

func TestPersistenceOfTheHolder(t *testing.T) {
	storetest.RunPersistent(t, func(t *testing.T, dir string) store.Backend { return open(t, dir, Options{}) })
}

func TestConformanceOfAPeer(t *testing.T) {
	other := newProcess(t)
	storetest.Run(t, func(t *testing.T) store.Backend {
		dir := t.TempDir()
		other.do("open", dir)
		t.Cleanup(func() { other.do("close", dir) })
		return peer(t, dir)
	})
}

// Here the holder closes and opens the store as often as the peer does.
func TestPersistenceOfAPeer(t *testing.T) {
	other := newProcess(t)
	storetest.RunPersistent(t, func(t *testing.T, dir string) store.Backend {
		other.do("close", dir)
		other.do("open", dir)
		return peer(t, dir)
	})
}

func peer(t testing.TB, dir string) *Store {
	t.Helper()
	s := open(t, dir, Options{})
	if s.node.way.Load().name == "" {
		t.Fatal("this process is the holder")
	}
	return s
}

func TestProcessesSeeEachOther(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir, Options{}), newProcess(t)
	other.do("open", dir)
	other.want("peer", "role", dir)
	for i := range 50 {
		rev := put(t, s, "a", fmt.Sprint(i))
		other.want(fmt.Sprint(rev), "newest", dir)
		other.want(fmt.Sprint(i), "get", dir, "a")
		other.do("put", dir, "b", i)
		if got := s.Newest(); got != rev+1 {
			t.Fatalf("newest is %d, want %d", got, rev+1)
		}
		if got := get(t, s, "b"); got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
}

func TestIncrementsOfManyProcessesAreExact(t *testing.T) {
	dir := t.TempDir()
	const processes, each = 4, 40
	var others []*process
	for range processes {
		others = append(others, newProcess(t))
		others[len(others)-1].tell("open", dir) // all at once
	}
	for _, p := range others {
		if got := p.answer(); got != "ok" {
			t.Fatal(got)
		}
		p.tell("increment", dir, each)
	}
	s := open(t, dir, Options{})
	if err := increment(s, "own", each, func(int) {}); err != nil {
		t.Error(err)
	}
	for _, p := range others {
		if got := p.answer(); got != "ok" {
			t.Error(got)
		}
	}
	if got := get(t, s, "n"); got != fmt.Sprint((processes+1)*each) {
		t.Errorf("got %s, want %d", got, (processes+1)*each)
	}
}

func TestEverybodyComesAndGoes(t *testing.T) {
	dir := t.TempDir()
	const each = 10
	var others []*process
	for i := range 2 {
		p := newProcess(t)
		p.tell("come-and-go", dir, fmt.Sprint("process", i), each)
		others = append(others, p)
	}
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			if err := comeAndGo(dir, fmt.Sprint("goroutine", i), each); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, p := range others {
		if got := p.answer(); got != "ok" {
			t.Error(got)
		}
	}
	if got := get(t, open(t, dir, Options{}), "n"); got != fmt.Sprint(4*each) {
		t.Errorf("got %s, want %d", got, 4*each)
	}
}

func TestOpeningAgainInTheProcessSharesTheStore(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, Options{}), open(t, dir+"/.", Options{})
	put(t, a, "k", "v")
	if got := get(t, b, "k"); got != "v" {
		t.Errorf("got %q", got)
	}
	watching := make(chan error, 1)
	go func() {
		for events, err := range a.Watch(t.Context(), store.Prefix(nil), 0) {
			if err != nil {
				watching <- err
				return
			}
			watching <- nil
			_ = events
		}
	}()
	if err := <-watching; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-watching; !errors.Is(err, store.ErrClosed) {
		t.Errorf("watch of a closed opening: got %v, want ErrClosed", err)
	}
	if _, _, err := store.Get(t.Context(), a, []byte("k")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed opening: got %v, want ErrClosed", err)
	}
	put(t, b, "k", "w")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if got := get(t, open(t, dir, Options{}), "k"); got != "w" {
		t.Errorf("opened anew: got %q", got)
	}
}

// copyOf opens the store as another copy of this library in the process does:
// without knowing of what is open here.
func copyOf(t *testing.T, dir string) *Store {
	t.Helper()
	f, err := folder.Open(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{node: newNode(f, Options{}.withDefaults())}
	s.ctx, s.cancel = t.Context(), func() {}
	t.Cleanup(func() { s.node.close() })
	if _, err := s.node.get(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnotherCopyInTheProcessIsAPeer(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, Options{})
	second := copyOf(t, dir)
	if second.node.way.Load().name == "" {
		t.Fatal("both copies hold the store")
	}
	put(t, second, "a", "1")
	if got := get(t, first, "a"); got != "1" {
		t.Errorf("got %q", got)
	}
	// Another process comes in between, and they all go on.
	other := newProcess(t)
	other.do("open", dir)
	other.want("peer", "role", dir)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, second, "a", "2")
	other.want("2", "get", dir, "a")
	other.do("put", dir, "a", "3")
	if got := get(t, second, "a"); got != "3" {
		t.Errorf("got %q", got)
	}
}

func TestStoppedHolderCostsABoundedWait(t *testing.T) {
	dir := t.TempDir()
	other := newProcess(t)
	other.do("open", dir)
	s := open(t, dir, Options{Wait: 200 * time.Millisecond})
	put(t, s, "a", "1")
	other.signal(syscall.SIGSTOP)
	began := time.Now()
	unavailable := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", what, err)
		}
	}
	_, _, err := store.Get(t.Context(), s, []byte("a"))
	unavailable("Range", err)
	_, err = s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("b"), make([]byte, 500_000))}})
	unavailable("Txn", err)
	for _, err = range s.Watch(t.Context(), store.Prefix(nil), 0) {
		break
	}
	unavailable("Watch", err)
	if got := s.Newest(); got != 1 {
		t.Errorf("newest is %d, want 1", got)
	}
	late := newProcess(t)
	late.tell("open", dir, 0, 200*time.Millisecond)
	if got := late.answer(); !strings.Contains(got, store.ErrUnavailable.Error()) ||
		!strings.Contains(got, fmt.Sprint("process ", other.pid(), " ")) {
		t.Errorf("Open: got %q, want %v by process %d", got, store.ErrUnavailable, other.pid())
	}
	t.Logf("all that in %v", time.Since(began))
	other.signal(syscall.SIGCONT)
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	put(t, s, "a", "2")
	late.do("open", dir)
	late.want("2", "get", dir, "a")
}

func TestStuckPeerDoesNotHoldUpClosing(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir, Options{}), newProcess(t)
	other.do("open", dir)
	for i := range 20 {
		put(t, s, fmt.Sprint("k", i), strings.Repeat("x", 100_000))
	}
	other.tell("increment-for-ever", dir, "x")
	other.answer()
	other.signal(syscall.SIGSTOP)
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("closed in %v", time.Since(began))
	other.signal(syscall.SIGCONT)
	// It goes on as the holder.
	for i := 0; i < 100; i++ {
		other.answer()
	}
	if got := holderOf(t, dir); got != other.pid() {
		t.Errorf("holder is %d, want %d", got, other.pid())
	}
}
