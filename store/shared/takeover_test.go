package shared

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"coffer/store"
)

func TestPeerGoesOnWhenTheHolderIsGone(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(p *process, dir string)
	}{
		{"killed", func(p *process, dir string) { p.kill() }},
		{"closed", func(p *process, dir string) { p.do("close", dir) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var took []time.Duration
			for range 5 {
				dir := t.TempDir()
				other := newProcess(t)
				other.do("open", dir)
				s := open(t, dir, Options{})
				rev := put(t, s, "a", "1")
				c.end(other, dir)
				if got := s.Newest(); got != rev {
					t.Errorf("newest is %d, want %d", got, rev)
				}
				began := time.Now()
				if got := get(t, s, "a"); got != "1" {
					t.Errorf("got %q, want 1", got)
				}
				took = append(took, time.Since(began))
				if s.node.way.Load().name != "" {
					t.Error("this process is not the holder")
				}
				if got := put(t, s, "a", "2"); got != rev+1 || s.Newest() != got {
					t.Errorf("revision %d, newest %d, want %d", got, s.Newest(), rev+1)
				}
			}
			slices.Sort(took)
			t.Logf("takeover: median %v, longest %v", took[len(took)/2], took[len(took)-1])
		})
	}
}

// The holder dies with a transaction in its hands, and its answer is lost.
func TestTransactionIsCarriedOutOnceThoughItsHolderDies(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		dir := t.TempDir()
		other := newProcess(t)
		other.do("die", dir, when)
		s := peer(t, dir)
		// It would not succeed a second time.
		key := []byte("k")
		res, err := s.Txn(t.Context(), store.Txn{If: []store.Cmp{{Key: key}}, Then: []store.Op{store.Put(key, key)}})
		if err != nil || res != (store.Result{Rev: 1, Done: true}) {
			t.Errorf("holder died %s: got %+v, %v", when, res, err)
		}
		kv, _, err := store.Get(t.Context(), s, key)
		if err != nil || kv.Version != 1 || s.Newest() != 1 {
			t.Errorf("holder died %s: written %d times, newest is %d, %v", when, kv.Version, s.Newest(), err)
		}
		if s.node.way.Load().name != "" {
			t.Error("the holder lives")
		}
	}
}

// A host that forks leaves its sockets to children, which keep them open.
func TestDescendantsOfADeadHolderDoNotKeepItAlive(t *testing.T) {
	dir := t.TempDir()
	other := newProcess(t)
	other.do("open", dir)
	s := open(t, dir, Options{})
	put(t, s, "a", "1")
	child, err := strconv.Atoi(other.ask("leak", dir))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(child, syscall.SIGKILL)
	w := follow(t, s)
	w.next()
	third := newProcess(t)
	third.do("open", dir)
	other.kill()
	began := time.Now()
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	t.Logf("a peer that was connected: %v", time.Since(began))
	third.do("put", dir, "a", 2)
	if got := w.next(); got != 2 {
		t.Errorf("watch: got revision %d, want 2", got)
	}
	began = time.Now()
	fourth := newProcess(t)
	fourth.do("open", dir)
	fourth.want("2", "get", dir, "a")
	t.Logf("a process that comes later: %v", time.Since(began))
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", child)); err != nil || len(fds) < 10 {
		t.Errorf("the heir has nothing, so this shows nothing: %v, %v", fds, err)
	}
}

// A host that forks, closes and opens again has children that inherited the
// closed store's descriptors.
func TestDescendantsOfAClosedHolderDoNotKeepItAlive(t *testing.T) {
	dir := t.TempDir()
	other := newProcess(t)
	other.do("open", dir)
	other.do("put", dir, "a", 1)
	child, err := strconv.Atoi(other.ask("leak", dir))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(child, syscall.SIGKILL)
	s := open(t, dir, Options{})
	other.do("close", dir)
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	other.do("open", dir)
	other.want("holder", "role", dir)
}

// followed is a watch of everything, in a goroutine.
type followed struct {
	t    *testing.T
	revs chan store.Rev
}

func follow(t *testing.T, s *Store) *followed {
	f := &followed{t, make(chan store.Rev, 1000)}
	var wg sync.WaitGroup
	ctx := t.Context()
	wg.Go(func() {
		defer close(f.revs)
		for events, err := range s.Watch(ctx, store.Prefix(nil), 0) {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			select {
			case f.revs <- events[0].Rev:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(wg.Wait)
	return f
}

func (f *followed) next() store.Rev {
	f.t.Helper()
	rev, ok := <-f.revs
	if !ok {
		f.t.Fatal("the watch has ended")
	}
	return rev
}

// TestHolderKilledAgainAndAgain has processes that each count what they do,
// and together; whoever has the store is killed, and begins again.
func TestHolderKilledAgainAndAgain(t *testing.T) {
	const processes, rounds = 3, 8
	dir := t.TempDir()
	type line struct {
		who, count int
		ended      bool
		said       string
	}
	lines := make(chan line)
	var wg sync.WaitGroup
	running := make([]*process, processes)
	start := func(who int) {
		p := newProcess(t)
		running[who] = p
		p.do("open", dir)
		p.tell("increment-for-ever", dir, fmt.Sprint("own", who))
		wg.Go(func() {
			for p.out.Scan() {
				count, err := strconv.Atoi(p.out.Text())
				if err != nil {
					lines <- line{who: who, said: p.out.Text()}
				} else {
					lines <- line{who: who, count: count}
				}
			}
			lines <- line{who: who, ended: true}
		})
	}
	for who := range processes {
		start(who)
	}
	acknowledged := make([]int, processes)
	kills, killed := 0, map[int]bool{}
	kill := func() {
		pid := holderOf(t, dir)
		for _, p := range running {
			if p.pid() == pid && !killed[pid] {
				killed[pid] = true
				p.cmd.Process.Kill()
				kills++
			}
		}
	}
	stopping := false
	ends := 0
	for sinceKill := 0; ends < processes; {
		l := <-lines
		switch {
		case l.said != "":
			t.Errorf("process %d: %s", l.who, l.said)
			ends = processes // the rest is of no interest
		case l.ended:
			running[l.who].cmd.Wait()
			if stopping {
				ends++
			} else {
				start(l.who)
			}
		default:
			acknowledged[l.who] = max(acknowledged[l.who], l.count)
			if sinceKill++; sinceKill > 25 && !stopping {
				sinceKill = 0
				if kills < rounds {
					kill()
					continue
				}
				stopping = true
				for _, p := range running {
					p.cmd.Process.Kill()
				}
			}
		}
	}
	go func() {
		for range lines { // after an error
		}
	}()
	defer wg.Wait()
	defer func() {
		for _, p := range running {
			p.cmd.Process.Kill()
		}
	}()
	checkCounts(t, open(t, dir, Options{}), acknowledged)
	t.Logf("%d kills, acknowledged %v", kills, acknowledged)
}

// checkCounts finds at least what was acknowledged, and nothing done twice.
func checkCounts(t *testing.T, s *Store, acknowledged []int) {
	t.Helper()
	sum := 0
	for who, want := range acknowledged {
		kv, _, err := store.Get(t.Context(), s, fmt.Append(nil, "own", who))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := strconv.Atoi(string(kv.Value))
		if got < want || got > want+1 || int(kv.Version) != got {
			t.Errorf("process %d: got %d, written %d times; acknowledged was %d", who, got, kv.Version, want)
		}
		sum += got
	}
	kv, _, err := store.Get(t.Context(), s, []byte("n"))
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := strconv.Atoi(string(kv.Value)); n != sum || int(kv.Version) != n {
		t.Errorf("together: got %d, written %d times, want %d", n, kv.Version, sum)
	}
	if s.Newest() != store.Rev(sum) {
		t.Errorf("newest is %d, want %d", s.Newest(), sum)
	}
}
