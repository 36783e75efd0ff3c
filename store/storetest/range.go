package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"coffer/store"
)

func testRange(t *testing.T, open func(t *testing.T) store.Backend) {
	t.Run("an empty store is at revision 0 and has nothing", func(t *testing.T) {
		b := open(t)
		page := read(t, b, store.RangeRequest{Span: all})
		if page.Rev != 0 || page.Count != 0 || page.More || len(page.KVs) != 0 {
			t.Errorf("got %+v", page)
		}
		if kv, ok := get(t, b, "a"); ok {
			t.Errorf("got %+v of an absent key", kv)
		}
	})
	t.Run("spans have the keys they say", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1), put("ab", 2), put("b", 3), put("b\xff", 4), put("c", 5), put("\xff\xff", 6))
		for _, c := range []struct {
			name string
			span store.Span
			want []string
		}{
			{"a key", store.Key([]byte("a")), []string{"a"}},
			{"an absent key", store.Key([]byte("aa")), nil},
			{"half open", span("a", "b"), []string{"a", "ab"}},
			{"nothing", span("a", "a"), nil},
			{"between keys", span("aa", "bb"), []string{"ab", "b"}},
			{"behind a key", span("ab\x00", "c"), []string{"b", "b\xff"}},
			{"prefix", store.Prefix([]byte("b")), []string{"b", "b\xff"}},
			{"prefix of ones", store.Prefix([]byte("\xff")), []string{"\xff\xff"}},
			{"prefix ending in ones", store.Prefix([]byte("b\xff")), []string{"b\xff"}},
			{"open end", store.Span{Key: []byte("b"), End: []byte{0}}, []string{"b", "b\xff", "c", "\xff\xff"}},
			{"all", all, []string{"a", "ab", "b", "b\xff", "c", "\xff\xff"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				page := read(t, b, store.RangeRequest{Span: c.span})
				var got []string
				for _, kv := range page.KVs {
					got = append(got, string(kv.Key))
				}
				if !slices.Equal(got, c.want) || page.Count != len(c.want) || page.More {
					t.Errorf("got %q, count %d, more %t; want %q", got, page.Count, page.More, c.want)
				}
				count := read(t, b, store.RangeRequest{Span: c.span, Only: store.CountOnly})
				if count.Count != len(c.want) || count.KVs != nil {
					t.Errorf("CountOnly: got %+v, want count %d", count, len(c.want))
				}
			})
		}
	})
	t.Run("fields limit what is returned", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("a", 2))
		for _, s := range []store.Span{store.Key([]byte("a")), all} {
			keys := read(t, b, store.RangeRequest{Span: s, Only: store.KeysOnly})
			wantString(t, "KeysOnly", describe(keys.KVs), "a=@1/2#2 ")
			if keys.Count != 1 || keys.KVs[0].Value != nil {
				t.Errorf("KeysOnly: got %+v", keys)
			}
			everything := read(t, b, store.RangeRequest{Span: s})
			wantString(t, "Everything", describe(everything.KVs), "a=2@1/2#2 ")
		}
		write(t, b, put("b", 1), put("c", 1))
		count := read(t, b, store.RangeRequest{Span: all, Only: store.CountOnly, Limit: 2})
		if count.Count != 2 || !count.More {
			t.Errorf("CountOnly with a limit: got %+v", count)
		}
	})
	t.Run("every revision can be read", testHistory(open))
	t.Run("pages continue their snapshot", testPages(open))
	t.Run("what is returned is the caller's", func(t *testing.T) {
		b := open(t)
		key, value := []byte("key"), []byte("value")
		if _, err := b.Txn(within(t), store.Txn{Then: []store.Op{store.Put(key, value)}}); err != nil {
			t.Fatal(err)
		}
		key[0], value[0] = 'X', 'X'
		for range 2 {
			for _, s := range []store.Span{store.Key([]byte("key")), all} {
				page := read(t, b, store.RangeRequest{Span: s})
				wantString(t, "after changing what was given and returned", describe(page.KVs), "key=value@1/1#1 ")
				page.KVs[0].Key[0], page.KVs[0].Value[0] = 'Y', 'Y'
			}
		}
	})
	t.Run("malformed requests are refused", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		ctx := within(t)
		for _, c := range []struct {
			name string
			req  store.RangeRequest
			want error
		}{
			{"empty key", store.RangeRequest{}, store.ErrInvalid},
			{"inverted span", store.RangeRequest{Span: span("b", "a")}, store.ErrInvalid},
			{"negative limit", store.RangeRequest{Span: all, Limit: -1}, store.ErrInvalid},
			{"negative revision", store.RangeRequest{Span: all, At: -1}, store.ErrInvalid},
			{"unknown fields", store.RangeRequest{Span: all, Only: 99}, store.ErrInvalid},
			{"long key", store.RangeRequest{Span: store.Key(make([]byte, store.MaxKey+1))}, store.ErrTooLarge},
			{"future", store.RangeRequest{Span: all, At: 2}, store.ErrFuture},
			{"far future", store.RangeRequest{Span: all, At: 1 << 62}, store.ErrFuture},
		} {
			_, err := b.Range(ctx, c.req)
			wantError(t, c.name, err, c.want)
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, err := b.Range(canceled, store.RangeRequest{Span: all})
		wantError(t, "canceled", err, context.Canceled)
	})
}

// testHistory writes at random and compares every revision with a model.
func testHistory(open func(t *testing.T) store.Backend) func(t *testing.T) {
	return func(t *testing.T) {
		b := open(t)
		rng := rand.New(rand.NewPCG(1, 2))
		model := map[string]store.KV{}
		history := []string{""}
		state := func() string {
			var kvs []store.KV
			for _, kv := range model {
				kvs = append(kvs, kv)
			}
			slices.SortFunc(kvs, func(a, b store.KV) int { return bytes.Compare(a.Key, b.Key) })
			return describe(kvs)
		}
		for rev := store.Rev(1); rev <= 200; rev++ {
			key := fmt.Sprintf("k%d", rng.IntN(10))
			if _, ok := model[key]; ok && rng.IntN(3) == 0 {
				write(t, b, del(key))
				delete(model, key)
			} else {
				if got := write(t, b, put(key, rev)); got != rev {
					t.Fatalf("got revision %d, want %d", got, rev)
				}
				kv, ok := model[key]
				if !ok {
					kv = store.KV{Key: []byte(key), Create: rev}
				}
				kv.Value, kv.Mod = fmt.Append(nil, rev), rev
				kv.Version++
				model[key] = kv
			}
			history = append(history, state())
		}
		for rev := store.Rev(1); int(rev) < len(history); rev++ {
			page := read(t, b, store.RangeRequest{Span: all, At: rev})
			if page.Rev != rev {
				t.Errorf("at %d: got revision %d", rev, page.Rev)
			}
			wantString(t, fmt.Sprint("at ", rev), describe(page.KVs), history[rev])
			for _, kv := range page.KVs {
				one := read(t, b, store.RangeRequest{Span: store.Key(kv.Key), At: rev})
				wantString(t, fmt.Sprint("one key at ", rev), describe(one.KVs), describe([]store.KV{kv}))
			}
		}
	}
}

func testPages(open func(t *testing.T) store.Backend) func(t *testing.T) {
	return func(t *testing.T) {
		b := open(t)
		const n = 50
		var want []string
		for i := range n {
			key := fmt.Sprintf("k%02d", i)
			write(t, b, put(key, "old"))
			want = append(want, key)
		}
		for _, limit := range []int{1, 7, 25, n, n + 1} {
			var got []string
			req, more := store.RangeRequest{Span: store.Prefix([]byte("k")), Limit: limit}, true
			for pages := 0; more; pages++ {
				if pages > n {
					t.Fatalf("limit %d: pages do not end", limit)
				}
				page := read(t, b, req)
				if page.Count != len(page.KVs) || page.Count > limit {
					t.Fatalf("limit %d: got a page of %d, count %d", limit, len(page.KVs), page.Count)
				}
				for _, kv := range page.KVs {
					if string(kv.Value) != "old" {
						t.Errorf("limit %d: page shows %s written after the first", limit, kv.Key)
					}
					got = append(got, string(kv.Key))
				}
				// None of this is in the snapshot that is being paged.
				write(t, b, put("k00a", "new"), put("k49", "new"), put("k30", "new"), put("k49a", "new"))
				req, more = req.Next(page)
			}
			if !slices.Equal(got, want) {
				t.Errorf("limit %d: got %q", limit, got)
			}
			write(t, b, del("k00a"), del("k49a"), put("k49", "old"), put("k30", "old"))
		}
	}
}
