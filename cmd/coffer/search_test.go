package main

import (
	"context"
	"testing"

	"coffer/p11"
	"coffer/store"
	"coffer/store/mem"
	"coffer/token"
)

// kept is a store that outlives the modules over it, as a file does.
type kept struct{ store.Backend }

func (kept) Close() error { return nil }

// testToken returns a module with a token in slot 0 and its user logged in.
func testToken(t *testing.T) (*token.Module, p11.SessionHandle) {
	t.Helper()
	st := mem.New()
	m := openTest(t, st)
	if _, err := initToken(m, initRequest{label: "t", anySlot: true, so: pin("so-secret"), user: pin("user-secret")}); err != nil {
		t.Fatal(err)
	}
	return m, loginTest(t, m)
}

func openTest(t *testing.T, st store.Backend) *token.Module {
	t.Helper()
	m, err := token.Open(token.Config{Store: kept{st}, Argon2: cheapArgon2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func loginTest(t *testing.T, m *token.Module) p11.SessionHandle {
	t.Helper()
	s, err := login(m, 0, p11.CKU_USER, pin("user-secret"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An operator with a damaged store has to see what is left of it.
func TestSearchShowsWhatIsNotDamaged(t *testing.T) {
	t.Parallel()
	st := mem.New()
	m := openTest(t, st)
	if _, err := initToken(m, initRequest{label: "t", anySlot: true, so: pin("so-secret"), user: pin("user-secret")}); err != nil {
		t.Fatal(err)
	}
	s := loginTest(t, m)
	spec, err := parseKeyType("aes:128")
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"a", "b", "c"} {
		if _, err := (keyRequest{spec: spec, label: label}).generate(m, s); err != nil {
			t.Fatal(err)
		}
	}
	damageOne(t, st)

	m = openTest(t, st)
	found, err := search(m, loginTest(t, m), nil)
	if p11.Code(err) != p11.CKR_DEVICE_ERROR {
		t.Errorf("got %v, want CKR_DEVICE_ERROR", err)
	}
	if len(found) != 2 {
		t.Errorf("got %d objects, want the 2 that are whole", len(found))
	}
}

// damageOne flips a bit of one object's record.
func damageOne(t *testing.T, st store.Backend) {
	t.Helper()
	ctx := context.Background()
	page, err := st.Range(ctx, store.RangeRequest{Span: store.Prefix([]byte("o/"))})
	if err != nil || len(page.KVs) != 3 {
		t.Fatalf("got %d records, %v, want 3", len(page.KVs), err)
	}
	kv := page.KVs[1]
	bad := append([]byte(nil), kv.Value...)
	bad[len(bad)-1] ^= 1
	if _, err := st.Txn(ctx, store.Txn{Then: []store.Op{store.Put(kv.Key, bad)}}); err != nil {
		t.Fatal(err)
	}
}
