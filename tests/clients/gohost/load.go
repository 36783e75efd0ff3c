package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/pkcs11"
)

// workers use the token at once, each in a session of its own.
const workers = 16

// load uses the token for d while everything that this runtime does by
// signals goes on: preemption, notification, profiling, faults and children.
func load(d time.Duration) error {
	p := pkcs11.New(lib)
	if p == nil {
		return fmt.Errorf("cannot load %s", lib)
	}
	if err := p.Initialize(); err != nil {
		return err
	}
	// Traced as forced, the collections of this runtime are told from those of
	// the library's, which are as frequent as GOGC has them.
	debug.SetGCPercent(-1)
	t, err := open(p)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	g := group{cancel: cancel}
	go spin()
	counts := []struct {
		name string
		n    atomic.Int64
		do   func() error
	}{
		{name: "collections", do: collect},
		{name: "notifications", do: notify()},
		{name: "faults", do: fault},
		{name: "children", do: child},
	}
	for i := range counts {
		c := &counts[i]
		g.start(func() error {
			for ctx.Err() == nil {
				if err := c.do(); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				c.n.Add(1)
			}
			return nil
		})
	}
	var uses atomic.Int64
	for i := range workers {
		g.start(func() error {
			w, err := t.worker(uint64(i))
			if err != nil {
				return err
			}
			for ctx.Err() == nil {
				if err := w.use(); err != nil {
					return fmt.Errorf("worker %d: %w", i, err)
				}
				uses.Add(1)
			}
			return w.close()
		})
	}
	fmt.Println("started")
	if err := g.wait(); err != nil {
		return err
	}
	pprof.StopCPUProfile()
	if err := p.Finalize(); err != nil {
		return err
	}
	p.Destroy()
	runtime.GC()
	fmt.Printf("uses %d", uses.Load())
	for i := range counts {
		fmt.Printf(" %s %d", counts[i].name, counts[i].n.Load())
	}
	fmt.Println()
	return nil
}

// A group runs functions and collects what they return. The first failure ends
// the others.
type group struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex // guards errs
	errs   []error
}

func (g *group) start(f func() error) {
	g.wg.Go(func() {
		if err := f(); err != nil {
			g.cancel()
			g.mu.Lock()
			g.errs = append(g.errs, err)
			g.mu.Unlock()
		}
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}

// spin calls nothing and never ends: only SIGURG can stop it for a collection.
func spin() {
	for s := rand.Uint64(); ; s++ {
		if s == 0 {
			fmt.Println("never")
		}
	}
}

// collect makes garbage and has it collected.
func collect() error {
	for range 100 {
		_ = make([]byte, rand.IntN(20000)+1)
	}
	runtime.GC()
	return nil
}

// notify returns a function that sends this process a signal and waits until
// it is told of it.
func notify() func() error {
	signals := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGTERM, syscall.SIGALRM}
	ch := make(chan os.Signal, 1)
	for _, s := range signals {
		signal.Notify(ch, s)
	}
	n := 0
	return func() error {
		s := signals[n%len(signals)]
		n++
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			return err
		}
		select {
		case got := <-ch:
			if got != s {
				return fmt.Errorf("got %v, want %v", got, s)
			}
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%v did not arrive", s)
		}
		time.Sleep(time.Millisecond)
		return nil
	}
}

// fault dereferences nil and recovers.
func fault() (err error) {
	defer func() {
		e, ok := recover().(runtime.Error)
		if !ok {
			err = fmt.Errorf("got %v, want a runtime error", e)
		}
		time.Sleep(time.Millisecond)
	}()
	var s *struct{ n int }
	s.n++
	return errors.New("nil was dereferenced")
}

// child starts a process and waits for it.
func child() error {
	time.Sleep(50 * time.Millisecond)
	return exec.Command("true").Run()
}
