package token

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
)

func (h *host) all(prefix string) []store.KV {
	h.Helper()
	page, err := h.st.Range(context.Background(), store.RangeRequest{Span: store.Prefix([]byte(prefix))})
	h.must(err)
	return page.KVs
}

func (h *host) write(ops ...store.Op) {
	h.Helper()
	_, err := h.st.Txn(context.Background(), store.Txn{Then: ops})
	h.must(err)
}

func (h *host) check(repair bool, want ...string) {
	h.Helper()
	found, err := h.CheckStore(repair)
	h.must(err)
	if len(found) != len(want) {
		h.Fatalf("%d findings, want %d: %+v", len(found), len(want), found)
	}
	for i, w := range want {
		if !strings.Contains(found[i].Problem, w) || found[i].Mended != repair {
			h.Errorf("finding %+v, want %q, mended %v", found[i], w, repair)
		}
	}
}

func TestCheckStoreNamesWhatIsWrongAndMendsTheIndex(t *testing.T) {
	h := newHost(t)
	s := h.user()
	label := attr.NewString(p11.CKA_LABEL, "key")
	h.aes(s, yes(p11.CKA_TOKEN), attr.Values{label})
	h.aes(s, yes(p11.CKA_TOKEN), no(p11.CKA_PRIVATE), attr.Values{label})
	h.check(false)

	// Every index entry, public and private, is missed and written anew.
	before := h.all("x/")
	for _, kv := range before {
		h.write(store.Delete(store.Key(kv.Key)))
	}
	if got := h.find(s, label); len(got) != 0 {
		t.Fatal("found without an index")
	}
	h.check(false, "index entries are missing", "index entries are missing")
	h.check(true, "index entries are missing", "index entries are missing")
	h.check(false)
	after := h.all("x/")
	if len(after) != len(before) {
		t.Errorf("%d entries after repair, want %d", len(after), len(before))
	}
	if got := h.find(s, label); len(got) != 2 {
		t.Errorf("%d objects found after repair, want 2", len(got))
	}

	// An entry that leads nowhere may be what is left of an object: it stays.
	stray := append(bytes.Clone(after[0].Key[:len(after[0].Key)-16]), make([]byte, 16)...)
	h.write(store.Put(stray, nil))
	for _, repair := range []bool{true, false} {
		found, err := h.CheckStore(repair)
		h.must(err)
		if len(found) != 1 || found[0].Mended || found[0].Object != strings.Repeat("0", 32) {
			t.Errorf("findings %+v, want the object, not mended", found)
		}
	}
}

func TestADamagedRecordIsNamedAndTheRestIsUsable(t *testing.T) {
	h := newHost(t)
	s := h.user()
	good := h.aes(s, yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT))
	bad := h.aes(s, yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT))
	id := string(h.read(s, bad, p11.CKA_UNIQUE_ID))
	for _, kv := range h.all("o/") {
		if got, _ := idOf(kv.Key); got.String() == id {
			for i := range kv.Value {
				damaged := bytes.Clone(kv.Value)
				damaged[i] ^= 0x40
				h.write(store.Put(kv.Key, damaged))
				if err := h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), bad); p11.Code(err) != p11.CKR_DEVICE_ERROR {
					t.Fatalf("byte %d flipped: %v, want CKR_DEVICE_ERROR", i, err)
				}
			}
		}
	}
	found, err := h.CheckStore(true)
	h.must(err)
	if len(found) != 1 || found[0].Object != id || found[0].Mended {
		t.Errorf("findings %+v, want the one object, not mended", found)
	}
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), good))
}

// read returns an attribute's value.
func (h *host) read(s p11.SessionHandle, o p11.ObjectHandle, t p11.AttributeType) []byte {
	h.Helper()
	q := []Query{{Type: t, Ask: true}}
	h.must(h.GetAttributeValue(s, o, q))
	q[0].Ask, q[0].Buf = false, make([]byte, q[0].N)
	h.must(h.GetAttributeValue(s, o, q))
	return q[0].Buf
}

func TestADamagedTokenDoesNotTakeTheOthersWithIt(t *testing.T) {
	h := newHost(t)
	h.must(h.InitToken(1, soPIN, "other"))
	kv := h.all("t/")[0]
	h.write(store.Put(kv.Key, kv.Value[:5]))
	h.reopen()
	ids, err := h.GetSlotList(true, true)
	h.must(err)
	if len(ids) != 2 || ids[0] != 1 || ids[1] != 2 {
		t.Errorf("slots %v, want the other token's and the free one", ids)
	}
	h.check(false, "damaged")
}
