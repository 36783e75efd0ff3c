package token

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"coffer/p11"
	"coffer/store"
)

// between is a store that does something, once, before a key that begins with
// at is next read or written.
type between struct {
	store.Backend
	at   []byte
	once *sync.Once
	do   func()
}

func (b *between) meet(key []byte) {
	if bytes.HasPrefix(key, b.at) {
		b.once.Do(b.do)
	}
}

func (b *between) Range(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	b.meet(r.Key)
	return b.Backend.Range(ctx, r)
}

func (b *between) Txn(ctx context.Context, t store.Txn) (store.Result, error) {
	for _, op := range t.Then {
		if op.Put != nil {
			b.meet(op.Put.Key)
		}
	}
	return b.Backend.Txn(ctx, t)
}

// interrupted returns another process's module, in the midst of whose next
// access to what begins with at something happens.
func (h *host) interrupted(at string, do func()) (o *host, armed func()) {
	h.Helper()
	b := &between{Backend: h.st, at: []byte(at), once: new(sync.Once), do: func() {}}
	o = &host{T: h.T, st: b}
	o.open()
	return o, func() { b.once, b.do = new(sync.Once), do }
}

// An object was not created, with CKR_FUNCTION_FAILED, if anybody changed a
// PIN of the token at that moment.
func TestAnObjectIsMadeWhileAPINIsChanged(t *testing.T) {
	h := newHost(t)
	o, armed := h.interrupted("o/", func() { h.must(h.SetPIN(h.session(rw), userPIN, []byte("another"))) })
	s := o.user()
	armed()
	o.aes(s, yes(p11.CKA_TOKEN))
}

// The SO's change of his PIN took the user's away again that another process
// had set since his session was opened.
func TestAChangeOfOnePINLeavesTheOther(t *testing.T) {
	h := newHost(t)
	h.must(h.InitToken(0, soPIN, "again"))
	o := h.second()
	so := o.session(rw)
	o.must(o.Login(so, p11.CKU_SO, soPIN))
	s := h.session(rw)
	h.must(h.Login(s, p11.CKU_SO, soPIN))
	h.must(h.InitPIN(s, userPIN))
	h.must(h.CloseSession(s))
	o.must(o.SetPIN(so, soPIN, []byte("another")))
	h.user()
}

// What another process has just made was taken for a deleted token's.
func TestInitialisingATokenLeavesOneThatIsMadeMeanwhile(t *testing.T) {
	h := newHost(t)
	o, armed := h.interrupted("x/", func() { h.must(h.InitToken(1, soPIN, "new")) })
	armed()
	o.must(o.InitToken(0, soPIN, "again"))
	s, err := h.OpenSession(1, rw)
	h.must(err)
	h.must(h.Login(s, p11.CKU_SO, soPIN))
}

// What belongs to a token whose record cannot be read was removed when another
// token was initialised: for good, although it might be mended.
func TestInitialisingATokenLeavesWhatBelongsToADamagedOne(t *testing.T) {
	h := newHost(t)
	h.aes(h.user(), yes(p11.CKA_TOKEN))
	h.must(h.InitToken(1, soPIN, "other"))
	kv := h.all("t/")[0]
	h.write(store.Put(kv.Key, kv.Value[:5]))
	h.reopen()
	before := len(h.all("o/"))
	h.must(h.InitToken(1, soPIN, "again"))
	h.write(store.Put(kv.Key, kv.Value))
	h.reopen()
	h.user()
	if got := len(h.all("o/")); got != before || got == 0 {
		t.Errorf("%d objects, want %d", got, before)
	}
}
