package remote

import (
	"bytes"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/mem"
)

// stream returns the frames of messages.
func stream(tb testing.TB, messages ...any) []byte {
	var b bytes.Buffer
	for _, m := range messages {
		if _, err := writeFrame(&b, m); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

// FuzzServer has a hostile client: whatever it sends, others are served.
func FuzzServer(f *testing.F) {
	hello := greeting{Magic: magic, Version: version}
	all := store.Prefix(nil)
	txn := txnOf(store.Txn{
		If:   []store.Cmp{{Key: []byte("a")}},
		Then: []store.Op{store.Put([]byte("a"), []byte("v")), store.Delete(store.Prefix([]byte("b")))},
	}, store.Attempt{})
	at, grant := store.Rev(0), 1
	f.Add(stream(f, hello, request{ID: 1, Txn: txn}, request{ID: 2, Range: rangeOf(store.RangeRequest{Span: all})}))
	f.Add(stream(f, hello, request{ID: 1, Watch: &watchRequest{Span: spanOf(all)}}, request{ID: 1, Grant: &grant},
		request{ID: 1, Cancel: &cancelRequest{}}, request{ID: 2, Compact: &at}))
	f.Add(stream(f, hello, request{ID: 1}, request{ID: 1, Txn: txn, Compact: &at}))
	f.Add(stream(f, hello, request{ID: 3, Range: rangeOf(store.RangeRequest{Span: all, Limit: -1, At: -5, Only: 200})}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 3, 0x9f, 0x9f, 0x9f})
	f.Fuzz(func(t *testing.T, sent []byte) {
		b := mem.New()
		defer b.Close()
		s := NewServer(b, Policy{})
		defer s.Close()
		here, there := pair(t)
		s.ServeConn(there)
		here.SetWriteDeadline(time.Now().Add(time.Second))
		here.Write(sent)
		here.CloseWrite()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			for buf := make([]byte, 4096); ; {
				if _, err := here.Read(buf); err != nil {
					return
				}
			}
		}()
		good, served := pair(t)
		s.ServeConn(served)
		c, err := NewClient(t.Context(), good, ClientOptions{Newest: b.Newest})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("other"), nil)}}); err != nil {
			t.Errorf("another client: %v", err)
		}
		s.Close()
		<-drained
	})
}

// FuzzClient has a hostile server: whatever it sends, calls end.
func FuzzClient(f *testing.F) {
	hello := greeting{Magic: magic, Version: version, Server: []byte("s")}
	f.Add(stream(f, hello, response{ID: 1, Page: &page{Rev: 1, Count: 1, KVs: []kv{{Key: []byte("a")}}}},
		response{ID: 2}, response{ID: 2, Events: []event{{KV: kv{Key: []byte("a"), Mod: 3}}}}))
	f.Add(stream(f, hello, response{ID: 1, Error: &failure{Code: 1, Text: "x"}}, response{ID: 2, Error: &failure{Code: 99}}))
	f.Add(stream(f, hello, response{ID: 1, Page: &page{More: true}}, response{ID: 2, Page: &page{More: true}}))
	f.Add(stream(f, hello, response{ID: 1, Result: &result{Rev: 1}}, response{ID: 77}))
	f.Add(stream(f, greeting{Magic: magic, Version: 9}))
	f.Add([]byte{0x7f, 0, 0, 0})
	f.Fuzz(func(t *testing.T, sent []byte) {
		here, there := pair(t)
		go func() {
			there.SetWriteDeadline(time.Now().Add(time.Second))
			there.Write(sent)
			there.CloseWrite()
			for buf := make([]byte, 4096); ; {
				if _, err := there.Read(buf); err != nil {
					return
				}
			}
		}()
		c, err := NewClient(t.Context(), here, ClientOptions{Newest: mem.New().Newest, Timeout: 10 * time.Second})
		if err != nil {
			return
		}
		defer c.Close()
		c.Range(t.Context(), store.RangeRequest{Span: store.Prefix(nil), Limit: 5})
		for range c.Watch(t.Context(), store.Prefix(nil), 0) {
		}
		c.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("a"), nil)}})
	})
}
