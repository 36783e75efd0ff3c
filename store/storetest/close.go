package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"coffer/store"
)

func testClose(t *testing.T, open func(t *testing.T) store.Backend) {
	t.Run("afterwards everything is ErrClosed", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		ctx := within(t)
		_, err := b.Range(ctx, store.RangeRequest{Span: all})
		wantError(t, "Range", err, store.ErrClosed)
		_, err = b.Txn(ctx, store.Txn{Then: []store.Op{put("a", 2)}})
		wantError(t, "Txn", err, store.ErrClosed)
		wantError(t, "Watch", watchError(ctx, b, all, 0), store.ErrClosed)
		wantError(t, "Compact", b.Compact(ctx, 1), store.ErrClosed)
	})
	t.Run("watches end with ErrClosed", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		idle, busy := start(t, b, all, 1), start(t, b, all, 0)
		busy.next(t)
		write(t, b, put("a", 2))
		idle.next(t) // so it is watching, and waits for more
		go b.Close()
		wantError(t, "idle", idle.end(t), store.ErrClosed)
		for {
			select {
			case <-busy.events:
				continue
			case err := <-busy.err:
				wantError(t, "busy", err, store.ErrClosed)
			}
			break
		}
	})
	t.Run("it may be called from the loop of a watch", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("a", 2))
		n := 0
		for _, err := range b.Watch(within(t), all, 0) {
			if n++; n == 1 {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				continue
			}
			wantError(t, "second turn", err, store.ErrClosed)
		}
	})
	t.Run("it may be called while everybody is at work", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		ctx := within(t)
		var wg sync.WaitGroup
		// Everyone goes on until the store is closed, and meets nothing else.
		until := func(call func(i int) error) {
			wg.Go(func() {
				for i := 0; ; i++ {
					if err := call(i); errors.Is(err, store.ErrClosed) {
						return
					} else if err != nil {
						t.Errorf("got error %v, want ErrClosed", err)
						return
					}
				}
			})
		}
		for n := range 3 {
			until(func(i int) error {
				_, err := b.Txn(ctx, store.Txn{Then: []store.Op{put(fmt.Sprint("k", n), i)}})
				return err
			})
			until(func(int) error {
				_, err := b.Range(ctx, store.RangeRequest{Span: all})
				return err
			})
			until(func(int) error {
				for _, err := range b.Watch(ctx, all, 1) {
					if err != nil {
						return err
					}
				}
				return errors.New("watch ended")
			})
		}
		until(func(int) error { return b.Compact(ctx, 1) })
		for range 20 {
			write(t, b, put("a", 2))
		}
		for range 2 {
			wg.Go(func() {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("a canceled writer is not left behind", func(t *testing.T) {
		b := open(t)
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for i := range 20 {
					ctx, cancel := context.WithCancel(within(t))
					if i%2 == 0 {
						go cancel()
					}
					_, err := b.Txn(ctx, store.Txn{Then: []store.Op{put(fmt.Sprint("k", n), i)}})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					if i%2 == 1 && err != nil {
						t.Errorf("not canceled, got %v", err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		for n := range 8 {
			if kv, _ := get(t, b, fmt.Sprint("k", n)); string(kv.Value) != "19" {
				t.Errorf("k%d: got %q, want the last value that was acknowledged", n, kv.Value)
			}
		}
	})
	t.Run("no goroutine is left", func(t *testing.T) {
		before := runtime.NumGoroutine()
		b := open(t)
		write(t, b, put("a", 1))
		w := start(t, b, all, 1)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		wantError(t, "watch", w.end(t), store.ErrClosed)
		waitFor(t, "the store's goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
}
