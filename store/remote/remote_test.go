package remote

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/store"
	"coffer/store/mem"
	"coffer/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Backend { return serve(t, mem.New()) })
}

// pair returns the two ends of a connection.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return conns[0], conns[1]
}

// served is a client together with its server and the store there.
type served struct {
	*Client
	server  *Server
	backend store.Backend
}

func serve(t testing.TB, b store.Backend) *served {
	t.Helper()
	here, there := pair(t)
	s := NewServer(b, Policy{})
	s.ServeConn(there)
	c, err := NewClient(context.Background(), here, ClientOptions{Newest: b.Newest})
	if err != nil {
		t.Fatal(err)
	}
	return &served{c, s, b}
}

func (s *served) Close() error {
	err := s.Client.Close()
	s.server.Close()
	return errors.Join(err, s.backend.Close())
}

// stuck is a store whose calls end with their contexts.
type stuck struct {
	store.Backend
	begun chan string
}

func (s *stuck) Range(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	s.begun <- "range"
	<-ctx.Done()
	s.begun <- "canceled"
	return store.Page{}, ctx.Err()
}

func TestCancelingACallCancelsItThere(t *testing.T) {
	b := &stuck{mem.New(), make(chan string, 2)}
	c := serve(t, b)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := c.Range(ctx, store.RangeRequest{Span: store.Prefix(nil)})
		failed <- err
	}()
	<-b.begun
	// Others do not wait for it.
	if _, err := c.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("a"), nil)}}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	if got := <-b.begun; got != "canceled" {
		t.Errorf("got %s", got)
	}
}

func TestServerThatDoesNotAnswerCostsABoundedWait(t *testing.T) {
	for _, greets := range []bool{false, true} {
		here, there := pair(t)
		if greets {
			if _, err := writeFrame(there, greeting{Magic: magic, Version: version}); err != nil {
				t.Fatal(err)
			}
		}
		c, err := NewClient(t.Context(), here, ClientOptions{Timeout: 300 * time.Millisecond, Newest: mem.New().Newest})
		if greets {
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = store.Get(t.Context(), c, []byte("a"))
			if errors.Is(err, ErrLost) {
				t.Errorf("the connection is given up: %v", err)
			}
			if werr := watchError(t.Context(), c); !errors.Is(werr, store.ErrUnavailable) {
				t.Errorf("watch: got %v", werr)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
}

func watchError(ctx context.Context, b store.Backend) error {
	for _, err := range b.Watch(ctx, store.Prefix(nil), 0) {
		return err
	}
	return nil
}

func TestClientAsksWhetherTheServerLives(t *testing.T) {
	here, there := pair(t)
	if _, err := writeFrame(there, greeting{Magic: magic, Version: version}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	c, err := NewClient(t.Context(), here, ClientOptions{
		Timeout: time.Hour,
		Newest:  mem.New().Newest,
		Alive:   func() bool { asked++; return asked < 2 },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = store.Get(t.Context(), c, []byte("a"))
	if !errors.Is(err, ErrLost) || asked != 2 {
		t.Errorf("got %v after asking %d times, want ErrLost", err, asked)
	}
	<-c.Gone()
	c.Close()
}

func TestConnectionThatEndsIsLost(t *testing.T) {
	b := &stuck{mem.New(), make(chan string, 3)}
	c := serve(t, b)
	failed := make(chan error, 2)
	go func() {
		_, err := c.Range(t.Context(), store.RangeRequest{Span: store.Prefix(nil)})
		failed <- err
	}()
	go func() { failed <- watchError(t.Context(), c) }()
	<-b.begun
	c.server.Close() // waits for a moment only
	for range 2 {
		if err := <-failed; !errors.Is(err, ErrLost) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrLost", err)
		}
	}
	if _, _, err := store.Get(t.Context(), c, []byte("a")); !errors.Is(err, ErrLost) {
		t.Errorf("afterwards: got %v, want ErrLost", err)
	}
	c.Close()
}

func TestClosingTheServerAnswersWhatWasCarriedOut(t *testing.T) {
	for range 20 {
		b := mem.New()
		c := serve(t, b)
		done := make(chan store.Rev)
		go func() {
			acknowledged := store.Rev(0)
			for {
				res, err := c.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("a"), nil)}})
				if err != nil {
					done <- acknowledged
					return
				}
				acknowledged = res.Rev
			}
		}()
		for b.Newest() < 10 {
			_, newer := b.Latest()
			<-newer
		}
		c.server.Close()
		// One call at a time: at most one was cut off unanswered.
		if got, newest := <-done, b.Newest(); got < newest-1 {
			t.Errorf("acknowledged was %d, newest is %d", got, newest)
		}
		c.Close()
	}
}

func TestStuckClientDoesNotHoldUpTheServer(t *testing.T) {
	b := mem.New()
	for i := range 64 {
		if _, err := b.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte{1, byte(i)}, make([]byte, 100_000))}}); err != nil {
			t.Fatal(err)
		}
	}
	here, there := pair(t)
	s := NewServer(b, Policy{})
	s.ServeConn(there)
	// It asks for more than fits into the socket, and never reads.
	if _, err := writeFrame(here, greeting{Magic: magic, Version: version}); err != nil {
		t.Fatal(err)
	}
	for id := range uint64(2 * maxCalls) {
		here.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		r := &request{ID: id + 1, Range: rangeOf(store.RangeRequest{Span: store.Prefix(nil)})}
		if _, err := writeFrame(here, r); err != nil {
			break
		}
	}
	began := time.Now()
	s.Close()
	t.Logf("closed in %v", time.Since(began))
}

func TestSlowWatcherCostsTheServerAWindow(t *testing.T) {
	b := &counting{Store: mem.New()}
	const n, size = 200, 50_000
	for i := range n {
		if _, err := b.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte{1, byte(i)}, make([]byte, size))}}); err != nil {
			t.Fatal(err)
		}
	}
	c := serve(t, b)
	defer c.Close()
	got := 0
	for _, err := range c.Watch(t.Context(), store.Prefix(nil), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if got++; got == 1 {
			// Time enough for the server to go too far.
			for range 300 {
				if _, _, err := store.Get(t.Context(), c, []byte("a")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if ahead := b.told.Load() - int64(got); ahead > window/size+2 {
			t.Fatalf("the server is %d slices ahead", ahead)
		}
		if got == n {
			break
		}
	}
}
