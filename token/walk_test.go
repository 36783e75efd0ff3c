package token

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	"coffer/token/seal"
)

// rotten is a store in which some keys are damaged: a request that meets one
// has no answer.
type rotten struct {
	store.Backend
	bad map[string]bool
}

func (r *rotten) Range(ctx context.Context, req store.RangeRequest) (store.Page, error) {
	only := req.Only
	if req.Single() {
		req.Only = store.Everything
	}
	page, err := r.Backend.Range(ctx, req)
	for _, kv := range page.KVs {
		if r.bad[string(kv.Key)] {
			return store.Page{}, fmt.Errorf("%w: key %x", store.ErrCorrupt, kv.Key)
		}
	}
	if only == store.CountOnly {
		page.KVs = nil
	}
	return page, err
}

// rot returns another process's module, for which some keys are damaged.
func (h *host) rot() (*host, *rotten) {
	h.Helper()
	r := &rotten{Backend: h.st, bad: map[string]bool{}}
	o := &host{T: h.T, st: r}
	o.open()
	return o, r
}

// A check ended at the first key that the store could not read.
func TestEveryDamagedRecordIsNamed(t *testing.T) {
	h := newHost(t)
	o, r := h.rot()
	s := o.user()
	for range 40 {
		o.aes(s, yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT), attr.Values{attr.NewString(p11.CKA_LABEL, "key")})
	}
	records := h.all("o/")
	var bad []string
	for _, i := range []int{0, 7, 8, 20, 39} {
		id, _ := idOf(records[i].Key)
		bad = append(bad, id.String())
		r.bad[string(records[i].Key)] = true
	}
	for _, repair := range []bool{false, true} {
		found, err := o.CheckStore(repair)
		o.must(err)
		var named []string
		for _, f := range found {
			named = append(named, f.Object)
			if f.Mended || !strings.Contains(f.Problem, "corrupt") {
				t.Errorf("finding %+v", f)
			}
		}
		if !slices.Equal(named, bad) {
			t.Errorf("named are %v, want %v", named, bad)
		}
	}
	if got := h.all("o/"); len(got) != len(records) {
		t.Errorf("%d records after repair, want %d", len(got), len(records))
	}
	used := 0
	for _, k := range o.find(s, attr.NewString(p11.CKA_LABEL, "key")) {
		o.forget(o.objects.get(uint64(k)).token, func(*snapshot) bool { return true })
		if err := o.EncryptInit(s, mechanism(p11.CKM_AES_ECB), k); err == nil {
			used++
			o.must(o.EncryptInit(s, nil, 0))
		} else {
			o.want(err, p11.CKR_DEVICE_ERROR)
		}
	}
	if used != 35 {
		t.Errorf("%d keys are usable, want 35", used)
	}
}

// One damaged entry of the index made every search by that attribute fail.
func TestObjectsAreFoundByADamagedIndex(t *testing.T) {
	h := newHost(t)
	o, r := h.rot()
	s := o.user()
	label := func(s string) attr.Value { return attr.NewString(p11.CKA_LABEL, s) }
	one := o.aes(s, yes(p11.CKA_TOKEN), attr.Values{label("one")})
	two := o.aes(s, yes(p11.CKA_TOKEN), attr.Values{label("two")})
	for _, kv := range h.all("x/") {
		r.bad[string(kv.Key)] = true
	}
	for name, want := range map[string]p11.ObjectHandle{"one": one, "two": two} {
		for _, template := range []attr.Values{{label(name)}, {label(name), attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY)}} {
			if got := o.find(s, template...); !slices.Equal(got, []p11.ObjectHandle{want}) {
				t.Errorf("label %s: %v, want %v", name, got, want)
			}
		}
	}
	if got := o.find(s, attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY)); len(got) != 2 {
		t.Errorf("%d keys, want 2", len(got))
	}
	found, err := o.CheckStore(false)
	o.must(err)
	if len(found) != len(r.bad) {
		t.Errorf("%d findings, want %d", len(found), len(r.bad))
	}

	// An entry that was another's does not make it match.
	var id [16]byte
	copy(id[:], h.all("o/")[0].Key[len("o/")+17:])
	for _, name := range []string{"one", "two"} {
		term, err := o.token(0).term(true, label(name))
		o.must(err)
		key := termKey(o.token(0).id, term, id)
		h.write(store.Put(key, nil))
		r.bad[string(key)] = true
		if got := o.find(s, label(name)); len(got) != 1 {
			t.Errorf("label %s finds %d objects, want 1", name, len(got))
		}
	}
}

// token returns what a module knows of the token in a slot.
func (h *host) token(id p11.SlotID) *token {
	h.Helper()
	s, err := h.slot(id)
	h.must(err)
	return s.token
}

// One damaged record of a token, or of a PIN, made all tokens unusable, and
// their check impossible.
func TestWhatIsDamagedOfOneTokenLeavesTheOthers(t *testing.T) {
	h := newHost(t)
	h.must(h.InitToken(1, soPIN, "other"))
	own := h.token(0).id
	for _, kind := range []string{"t/", "p/"} {
		o, r := h.rot()
		var bad []byte
		for _, kv := range h.all(kind) {
			if kind == "t/" || bytes.Equal(kv.Key, pinKey(own, seal.SO)) {
				bad = kv.Key
				break
			}
		}
		r.bad[string(bad)] = true
		o.must(o.rescan())
		found, err := o.CheckStore(true)
		o.must(err)
		if len(found) != 1 || found[0].Slot != 0 || !strings.Contains(found[0].Problem, "corrupt") {
			t.Errorf("%s: findings %+v, want one, of slot 0", kind, found)
		}
		o.must(o.InitToken(1, soPIN, "again"))
		if pins := h.all(string(tokenPrefix("p/", own))); len(pins) != 2 {
			t.Errorf("%s: %d PIN records are left, want 2", kind, len(pins))
		}
	}
}

// hopeless is a store that cannot be closed.
type hopeless struct{ *rotten }

func (hopeless) Close() error { return store.ErrFailed }

// Two lines told of one failure: the store could not be read, nor closed then.
func TestAStoreThatCannotBeReadIsReportedOnce(t *testing.T) {
	h := newHost(t)
	_, r := h.rot()
	r.bad[string(nextSlotKey)] = true
	var log bytes.Buffer
	_, err := Open(Config{Store: hopeless{r}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if h.want(err, p11.CKR_DEVICE_ERROR); log.Len() > 0 {
		t.Errorf("besides %v, the log says %s", err, &log)
	}
}
