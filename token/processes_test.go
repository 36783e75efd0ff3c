package token

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

// second is another process's module over the same store.
func (h *host) second() *host {
	h.Helper()
	o := &host{T: h.T, st: h.st}
	o.open()
	return o
}

func TestWhatOneProcessChangesTheOtherSees(t *testing.T) {
	a := newHost(t)
	b := a.second()
	sa, sb := a.user(), b.user()
	label := func(s string) attr.Value { return attr.NewString(p11.CKA_LABEL, s) }

	k := a.aes(sa, yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT), attr.Values{label("one")})
	found := b.find(sb, label("one"))
	if len(found) != 1 {
		t.Fatalf("the other process finds %d objects, want 1", len(found))
	}
	b.must(b.EncryptInit(sb, mechanism(p11.CKM_AES_ECB), found[0]))
	b.must(b.EncryptInit(sb, nil, 0))

	a.must(a.SetAttributeValue(sa, k, no(p11.CKA_ENCRYPT)))
	b.want(b.EncryptInit(sb, mechanism(p11.CKM_AES_ECB), found[0]), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)

	// Both change the object: neither loses the other's change.
	b.must(b.SetAttributeValue(sb, found[0], attr.Values{label("two")}))
	a.must(a.SetAttributeValue(sa, k, attr.Values{attr.NewBytes(p11.CKA_ID, []byte{7})}))
	if got := b.find(sb, label("two"), attr.NewBytes(p11.CKA_ID, []byte{7})); len(got) != 1 || got[0] != found[0] {
		t.Errorf("after a change by each: %v, want %v", got, found)
	}
	if got := b.find(sb, label("one")); len(got) != 0 {
		t.Error("the old label still finds it")
	}

	a.must(a.DestroyObject(sa, k))
	b.want(b.EncryptInit(sb, mechanism(p11.CKM_AES_ECB), found[0]), p11.CKR_KEY_HANDLE_INVALID)
	b.want(b.DestroyObject(sb, found[0]), p11.CKR_OBJECT_HANDLE_INVALID)
}

func TestATokenThatAnotherProcessInitialisedAnewIsNoticed(t *testing.T) {
	a := newHost(t)
	b := a.second()
	sb := b.user()
	k := b.aes(sb, yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT))
	a.must(a.InitToken(0, soPIN, "new"))
	info, err := b.GetTokenInfo(0)
	b.must(err)
	if info.Label != "new" || info.Flags&p11.CKF_USER_PIN_INITIALIZED != 0 {
		t.Errorf("the other process sees %+v", info)
	}
	b.want(b.EncryptInit(sb, mechanism(p11.CKM_AES_ECB), k), p11.CKR_SESSION_HANDLE_INVALID)
	b.must(a.DeleteToken(0, soPIN))
	_, err = b.OpenSession(0, rw)
	b.want(err, p11.CKR_SLOT_ID_INVALID)
}

func TestPINFailuresOfAllProcessesCount(t *testing.T) {
	three := func(c *Config) { c.PINMaxFailures = 3 }
	a := newHost(t, three)
	b := &host{T: t, st: a.st}
	b.open(three)
	sa, sb := a.session(rw), b.session(rw)
	a.want(a.Login(sa, p11.CKU_USER, []byte("wrong")), p11.CKR_PIN_INCORRECT)
	b.want(b.Login(sb, p11.CKU_USER, []byte("wrong")), p11.CKR_PIN_INCORRECT)
	a.want(a.Login(sa, p11.CKU_USER, []byte("wrong")), p11.CKR_PIN_INCORRECT)
	b.want(b.Login(sb, p11.CKU_USER, userPIN), p11.CKR_PIN_LOCKED)
}
