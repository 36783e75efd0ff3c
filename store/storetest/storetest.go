// Package storetest checks that a store.Backend keeps its promises.
//
// # Design
//
// It is the contract of package store in executable form, and every engine
// runs all of it, so that code proven on one runs on the others. Watching is
// tested hardest: that is where such stores have had most of their bugs.
//
// Nothing here sleeps to let something happen, and nothing measures time. A
// test that waits for what must come waits until the deadline of waitFor,
// which only a broken engine meets.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"coffer/store"
)

// Run tests the engine whose empty stores open returns. Every subtest opens
// one and closes it.
func Run(t *testing.T, open func(t *testing.T) store.Backend) {
	groups := []struct {
		name string
		test func(t *testing.T, open func(t *testing.T) store.Backend)
	}{
		{"Range", testRange},
		{"Txn", testTxn},
		{"Limits", testLimits},
		{"Watch", testWatch},
		{"WatchConcurrent", testWatchConcurrent},
		{"Compact", testCompact},
		{"Concurrent", testConcurrent},
		{"Newest", testNewest},
		{"Close", testClose},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			g.test(t, func(t *testing.T) store.Backend {
				t.Helper()
				return closing(t, open(t))
			})
		})
	}
}

// RunPersistent tests what an engine promises that keeps its stores in a
// folder: that they are the same when they are opened again. open is given a
// folder, empty at first, and the store in it is closed when open is called
// for it again.
func RunPersistent(t *testing.T, open func(t *testing.T, dir string) store.Backend) {
	testPersistent(t, open)
}

// closing closes b at the end of the test, if the test has not, and checks
// that it can be closed.
func closing(t *testing.T, b store.Backend) store.Backend {
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// deadline is how long a test waits for what must happen before it says that
// it does not.
const deadline = 60 * time.Second

// within returns a context for everything a test does.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// waitFor returns when cond is true.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("still waiting for: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond) // to let others have the processor
	}
}

func put(key string, value any) store.Op {
	return store.Put([]byte(key), fmt.Append(nil, value))
}

func del(key string) store.Op { return store.Delete(store.Key([]byte(key))) }

func span(from, to string) store.Span {
	return store.Span{Key: []byte(from), End: []byte(to)}
}

var all = store.Prefix(nil)

// write carries out ops unconditionally and returns the revision.
func write(t *testing.T, b store.Backend, ops ...store.Op) store.Rev {
	t.Helper()
	res, err := b.Txn(within(t), store.Txn{Then: ops})
	if err != nil || !res.Done {
		t.Fatalf("Txn: got %+v, %v", res, err)
	}
	return res.Rev
}

func get(t *testing.T, b store.Backend, key string) (store.KV, bool) {
	t.Helper()
	kv, ok, err := store.Get(within(t), b, []byte(key))
	if err != nil {
		t.Fatalf("Get %q: %v", key, err)
	}
	return kv, ok
}

func read(t *testing.T, b store.Backend, r store.RangeRequest) store.Page {
	t.Helper()
	page, err := b.Range(within(t), r)
	if err != nil {
		t.Fatalf("Range %+v: %v", r, err)
	}
	return page
}

// describe writes KVs as "key=value@create/mod#version".
func describe(kvs []store.KV) string {
	var b bytes.Buffer
	for _, kv := range kvs {
		fmt.Fprintf(&b, "%s=%s@%d/%d#%d ", kv.Key, kv.Value, kv.Create, kv.Mod, kv.Version)
	}
	return b.String()
}

// describeEvents writes events as "rev+key=value" or "rev-key".
func describeEvents(slices [][]store.Event) string {
	var b bytes.Buffer
	for _, s := range slices {
		for _, e := range s {
			if e.Deleted {
				fmt.Fprintf(&b, "%d-%s ", e.Rev, e.KV.Key)
			} else {
				fmt.Fprintf(&b, "%d+%s=%s ", e.Rev, e.KV.Key, e.KV.Value)
			}
		}
		b.WriteString("| ")
	}
	return b.String()
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func wantString(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
