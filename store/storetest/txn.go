package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"coffer/store"
)

func testTxn(t *testing.T, open func(t *testing.T) store.Backend) {
	t.Run("a key's life is counted", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("b", 1))
		write(t, b, put("a", 2))
		write(t, b, del("a"))
		write(t, b, put("a", 3))
		page := read(t, b, store.RangeRequest{Span: all})
		wantString(t, "keys", describe(page.KVs), "a=3@5/5#1 b=1@2/2#1 ")
	})
	t.Run("comparisons decide", testCompare(open))
	t.Run("what changes nothing makes no revision", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		for name, txn := range map[string]store.Txn{
			"empty":              {},
			"only a comparison":  {If: []store.Cmp{{Key: []byte("a"), Mod: 1}}},
			"deletes nothing":    {Then: []store.Op{del("b")}},
			"deletes empty span": {Then: []store.Op{store.Delete(span("b", "c")), store.Delete(span("d", "d"))}},
		} {
			res, err := b.Txn(within(t), txn)
			if err != nil || res != (store.Result{Rev: 1, Done: true}) {
				t.Errorf("%s: got %+v, %v", name, res, err)
			}
		}
	})
	t.Run("writing the same value is a change", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("a", 1))
		kv, _ := get(t, b, "a")
		wantString(t, "key", describe([]store.KV{kv}), "a=1@1/2#2 ")
	})
	t.Run("spans are deleted with other operations", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a1", 1), put("a2", 1), put("a3", 1), put("b", 1), put("c1", 1), put("c2", 1))
		rev := write(t, b,
			store.Delete(store.Prefix([]byte("a"))), put("b", 2), del("c1"), put("d", 1))
		page := read(t, b, store.RangeRequest{Span: all})
		wantString(t, "after", describe(page.KVs), "b=2@1/2#2 c2=1@1/1#1 d=1@2/2#1 ")
		if rev != 2 || page.Rev != 2 {
			t.Errorf("got revisions %d and %d, want 2", rev, page.Rev)
		}
		write(t, b, store.Delete(all))
		if page := read(t, b, store.RangeRequest{Span: all}); page.Count != 0 || page.Rev != 3 {
			t.Errorf("after deleting all: got %+v", page)
		}
	})
	t.Run("malformed transactions are refused and write nothing", testMalformed(open))
	t.Run("a canceled context stops it before it begins", func(t *testing.T) {
		b := open(t)
		ctx, cancel := context.WithCancel(within(t))
		cancel()
		_, err := b.Txn(ctx, store.Txn{Then: []store.Op{put("a", 1)}})
		wantError(t, "Txn", err, context.Canceled)
		if _, ok := get(t, b, "a"); ok {
			t.Error("it was written")
		}
	})
}

func testCompare(open func(t *testing.T) store.Backend) func(t *testing.T) {
	return func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("b", 1))
		write(t, b, put("gone", 1))
		rev := write(t, b, del("gone"))
		cmp := func(key string, mod store.Rev) store.Cmp { return store.Cmp{Key: []byte(key), Mod: mod} }
		for _, c := range []struct {
			name string
			cmps []store.Cmp
			want bool
		}{
			{"none", nil, true},
			{"equal", []store.Cmp{cmp("a", 1)}, true},
			{"older", []store.Cmp{cmp("b", 1)}, false},
			{"newer", []store.Cmp{cmp("a", 2)}, false},
			{"future", []store.Cmp{cmp("a", 1000)}, false},
			{"exists but must not", []store.Cmp{cmp("a", 0)}, false},
			{"absent as it must be", []store.Cmp{cmp("x", 0)}, true},
			{"absent but must be", []store.Cmp{cmp("x", 1)}, false},
			{"deleted counts as absent", []store.Cmp{cmp("gone", 0)}, true},
			{"deleted has no revision", []store.Cmp{cmp("gone", rev)}, false},
			{"deleted has no old revision", []store.Cmp{cmp("gone", 3)}, false},
			{"all hold", []store.Cmp{cmp("a", 1), cmp("b", 2), cmp("x", 0)}, true},
			{"first fails", []store.Cmp{cmp("a", 2), cmp("b", 2)}, false},
			{"last fails", []store.Cmp{cmp("a", 1), cmp("b", 0)}, false},
		} {
			// The key that is written is not among those compared.
			before := read(t, b, store.RangeRequest{Span: all}).Rev
			res, err := b.Txn(within(t), store.Txn{If: c.cmps, Then: []store.Op{put("w", c.name)}})
			want := store.Result{Rev: before, Done: c.want}
			if c.want {
				want.Rev++
			}
			if err != nil || res != want {
				t.Errorf("%s: got %+v, %v; want %+v", c.name, res, err, want)
			}
			kv, _ := get(t, b, "w")
			if written := string(kv.Value) == c.name; written != c.want {
				t.Errorf("%s: written is %t", c.name, written)
			}
		}
		// A comparison may name what is written, and sees it as it was.
		res, err := b.Txn(within(t), store.Txn{If: []store.Cmp{cmp("n", 0)}, Then: []store.Op{put("n", 1)}})
		if err != nil || !res.Done {
			t.Errorf("create: got %+v, %v", res, err)
		}
		again, err := b.Txn(within(t), store.Txn{If: []store.Cmp{cmp("n", 0)}, Then: []store.Op{put("n", 2)}})
		if err != nil || again.Done {
			t.Errorf("create again: got %+v, %v", again, err)
		}
		next, err := b.Txn(within(t), store.Txn{If: []store.Cmp{cmp("n", res.Rev)}, Then: []store.Op{del("n")}})
		if err != nil || !next.Done {
			t.Errorf("delete as it was: got %+v, %v", next, err)
		}
	}
}

func testMalformed(open func(t *testing.T) store.Backend) func(t *testing.T) {
	return func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1), put("b", 1))
		long := string(make([]byte, store.MaxKey+1))
		kv := &store.KV{Key: []byte("a")}
		spanA := store.Key([]byte("a"))
		for _, c := range []struct {
			name string
			txn  store.Txn
			want error
		}{
			{"put of no key", store.Txn{Then: []store.Op{put("", 1)}}, store.ErrInvalid},
			{"deletion of no key", store.Txn{Then: []store.Op{del("")}}, store.ErrInvalid},
			{"comparison of no key", store.Txn{If: []store.Cmp{{}}}, store.ErrInvalid},
			{"comparison with a negative revision", store.Txn{If: []store.Cmp{{Key: []byte("a"), Mod: -1}}}, store.ErrInvalid},
			{"operation that does nothing", store.Txn{Then: []store.Op{{}}}, store.ErrInvalid},
			{"operation that does two things", store.Txn{Then: []store.Op{{Put: kv, Delete: &spanA}}}, store.ErrInvalid},
			{"inverted span", store.Txn{Then: []store.Op{store.Delete(span("b", "a"))}}, store.ErrInvalid},
			{"key put twice", store.Txn{Then: []store.Op{put("a", 2), put("c", 2), put("a", 3)}}, store.ErrInvalid},
			{"key deleted twice", store.Txn{Then: []store.Op{del("a"), del("a")}}, store.ErrInvalid},
			{"key put and deleted", store.Txn{Then: []store.Op{put("a", 2), del("a")}}, store.ErrInvalid},
			{"key put in a deleted span", store.Txn{Then: []store.Op{store.Delete(span("a", "c")), put("b", 2)}}, store.ErrInvalid},
			{"new key in a deleted span", store.Txn{Then: []store.Op{put("bb", 2), store.Delete(span("a", "c"))}}, store.ErrInvalid},
			{"overlapping spans", store.Txn{Then: []store.Op{store.Delete(span("a", "c")), store.Delete(span("b", "d"))}}, store.ErrInvalid},
			{"span within all", store.Txn{Then: []store.Op{store.Delete(all), del("z")}}, store.ErrInvalid},
			{"key compared twice", store.Txn{If: []store.Cmp{{Key: []byte("a")}, {Key: []byte("a"), Mod: 1}}}, store.ErrInvalid},
			{"long key put", store.Txn{Then: []store.Op{put(long, 1)}}, store.ErrTooLarge},
			{"long key deleted", store.Txn{Then: []store.Op{del(long)}}, store.ErrTooLarge},
			{"long key compared", store.Txn{If: []store.Cmp{{Key: []byte(long)}}}, store.ErrTooLarge},
		} {
			res, err := b.Txn(within(t), c.txn)
			wantError(t, c.name, err, c.want)
			if res.Done {
				t.Errorf("%s: reported as done", c.name)
			}
		}
		// Next to each other is not overlapping.
		write(t, b, store.Delete(span("a", "b")), put("b", 2), store.Delete(span("b\x00", "c")), put("c", 1))
		page := read(t, b, store.RangeRequest{Span: all})
		wantString(t, "after", describe(page.KVs), "b=2@1/2#2 c=1@2/2#1 ")
	}
}

func testLimits(t *testing.T, open func(t *testing.T) store.Backend) {
	fill := func(n int, seed byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)*31 + byte(i>>8) + seed
		}
		return b
	}
	t.Run("values of any size come back whole", func(t *testing.T) {
		b := open(t)
		largest := store.MaxBytes - store.Cost(1, 0)
		for i, n := range []int{0, 1, 100, 4095, 4096, 65535, 65536, 1 << 19, largest} {
			key := []byte{byte(i)}
			write(t, b, store.Put(key, fill(n, byte(i))))
			kv, ok := get(t, b, string(key))
			if !ok || kv.Value == nil || !bytes.Equal(kv.Value, fill(n, byte(i))) {
				t.Errorf("value of %d bytes: got %d bytes, found %t", n, len(kv.Value), ok)
			}
		}
		_, err := b.Txn(within(t), store.Txn{Then: []store.Op{store.Put([]byte("k"), make([]byte, largest+1))}})
		wantError(t, "one byte more", err, store.ErrTooLarge)
		write(t, b, store.Put([]byte("nil"), nil))
		if kv, ok := get(t, b, "nil"); !ok || len(kv.Value) != 0 {
			t.Errorf("nil value: got %v, %t", kv.Value, ok)
		}
	})
	t.Run("keys are any bytes", func(t *testing.T) {
		b := open(t)
		keys := [][]byte{
			{0}, {0, 0}, {0, 0xff}, {1}, []byte("!badger!"), []byte("a\x00b"), {0x80}, {0xff}, {0xff, 0}, {0xff, 0xff},
			fill(store.MaxKey, 0), bytes.Repeat([]byte{0xff}, store.MaxKey),
		}
		var ops []store.Op
		for _, k := range keys {
			ops = append(ops, store.Put(k, k))
		}
		write(t, b, ops...)
		for _, k := range keys {
			kv, ok := get(t, b, string(k))
			if !ok || !bytes.Equal(kv.Key, k) || !bytes.Equal(kv.Value, k) {
				t.Errorf("key %x: got %x, %t", k, kv.Key, ok)
			}
		}
		var last []byte
		req, more := store.RangeRequest{Span: all, Limit: 1}, true
		for n := 0; more; n++ {
			page := read(t, b, req)
			if n >= len(keys) || bytes.Compare(page.KVs[0].Key, last) <= 0 {
				t.Fatalf("page %d has %x after %x", n, page.KVs[0].Key, last)
			}
			last = page.KVs[0].Key
			if req, more = req.Next(page); !more && n != len(keys)-1 {
				t.Errorf("got %d keys, want %d", n+1, len(keys))
			}
		}
	})
	t.Run("MaxOps operations and comparisons, no more", func(t *testing.T) {
		b := open(t)
		var txn store.Txn
		for i := range store.MaxOps {
			key := fmt.Append(nil, "k", i)
			txn.If = append(txn.If, store.Cmp{Key: key})
			txn.Then = append(txn.Then, store.Put(key, key))
		}
		if res, err := b.Txn(within(t), txn); err != nil || !res.Done {
			t.Fatalf("MaxOps: got %+v, %v", res, err)
		}
		if n := read(t, b, store.RangeRequest{Span: all, Only: store.CountOnly}).Count; n != store.MaxOps {
			t.Errorf("got %d keys, want %d", n, store.MaxOps)
		}
		_, err := b.Txn(within(t), store.Txn{Then: append(txn.Then, put("one more", 1))})
		wantError(t, "an operation more", err, store.ErrTooLarge)
		_, err = b.Txn(within(t), store.Txn{If: append(txn.If, store.Cmp{Key: []byte("x")})})
		wantError(t, "a comparison more", err, store.ErrTooLarge)
	})
	t.Run("MaxBytes in many values, no more", func(t *testing.T) {
		b := open(t)
		const n, key = 127, 16
		each := store.MaxBytes/n - store.Cost(key, 0)
		var ops []store.Op
		for i := range n {
			ops = append(ops, store.Put(fill(key, byte(i)), fill(each, byte(i))))
		}
		write(t, b, ops...)
		ops[0].Put.Value = make([]byte, each+n)
		_, err := b.Txn(within(t), store.Txn{Then: ops})
		wantError(t, "more", err, store.ErrTooLarge)
	})
	t.Run("deleted keys count like written ones", func(t *testing.T) {
		b := open(t)
		const n = store.MaxBytes / (store.Overhead + 3) // keys of three bytes
		for i := 0; i < n; {
			var ops []store.Op
			for ; i < n && len(ops) < store.MaxOps; i++ {
				ops = append(ops, store.Put([]byte{1, byte(i >> 8), byte(i)}, nil))
			}
			write(t, b, ops...)
		}
		write(t, b, store.Put([]byte{1, 0xff, 0xff}, nil))
		rev := read(t, b, store.RangeRequest{Span: all, Only: store.CountOnly}).Rev
		_, err := b.Txn(within(t), store.Txn{Then: []store.Op{store.Delete(all)}})
		wantError(t, "one key too many", err, store.ErrTooLarge)
		page := read(t, b, store.RangeRequest{Span: all, Only: store.CountOnly})
		if page.Count != n+1 || page.Rev != rev {
			t.Errorf("after the refusal: got %+v, want %d at %d", page, n+1, rev)
		}
		write(t, b, store.Delete(store.Span{Key: []byte{1}, End: []byte{1, 0xff}}))
		if n := read(t, b, store.RangeRequest{Span: all, Only: store.CountOnly}).Count; n != 1 {
			t.Errorf("got %d keys, want 1", n)
		}
	})
}
