package conformance

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	. "coffer/tests/p11test"
	"coffer/token/seal"
)

// The tests of this file write to the store behind the token's back, as
// whoever has the folder can.

// all returns every key and value of the store.
func all(h *Host) []store.KV {
	h.Helper()
	page, err := h.Store.Range(context.Background(), store.RangeRequest{Span: store.Prefix(nil)})
	h.Must(err)
	return page.KVs
}

// put writes values, and deletes those that are nil.
func put(h *Host, kvs ...store.KV) {
	h.Helper()
	for _, kv := range kvs {
		op := store.Put(kv.Key, kv.Value)
		if kv.Value == nil {
			op = store.Delete(store.Key(kv.Key))
		}
		_, err := h.Store.Txn(context.Background(), store.Txn{Then: []store.Op{op}})
		h.Must(err)
	}
}

// restore brings the store back to what it was.
func restore(h *Host, before []store.KV) {
	h.Helper()
	for _, kv := range all(h) {
		if !slices.ContainsFunc(before, func(b store.KV) bool { return bytes.Equal(b.Key, kv.Key) }) {
			put(h, store.KV{Key: kv.Key})
		}
	}
	put(h, before...)
}

// records returns the objects' records by CKA_UNIQUE_ID.
func records(h *Host) map[string]store.KV {
	out := map[string]store.KV{}
	for _, kv := range all(h) {
		if bytes.HasPrefix(kv.Key, []byte("o/")) {
			out[hex.EncodeToString(kv.Key[len(kv.Key)-16:])] = kv
		}
	}
	return out
}

// A vault is a token with one object of each kind, and what is known of it.
type vault struct {
	*Host
	private, public, open, data string // CKA_UNIQUE_ID
	secrets                     [][]byte
}

var vaultKey = map[string][]byte{
	"private": []byte("the private key of the vault, 01"), "public": []byte("a sensitive key that is public 2"), "open": []byte("a key that everybody may read 03"),
}

func newVault(t *testing.T) *vault {
	h := NewHost(t, GoModule)
	v := &vault{Host: h}
	s := h.User()
	make := func(name string, template ...attr.Values) string {
		o := h.Create(s, append(template, Yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT), attr.Values{Label(name)})...)
		return string(h.Read(s, o, p11.CKA_UNIQUE_ID))
	}
	v.private = make("private", Secret(p11.CKK_AES, vaultKey["private"]), Yes(p11.CKA_SENSITIVE))
	v.public = make("public", Secret(p11.CKK_AES, vaultKey["public"]), Yes(p11.CKA_SENSITIVE), No(p11.CKA_PRIVATE))
	v.open = make("open", Secret(p11.CKK_AES, vaultKey["open"]), No(p11.CKA_PRIVATE), openly)
	o := h.Create(s, Data("data"), Yes(p11.CKA_TOKEN))
	v.data = string(h.Read(s, o, p11.CKA_UNIQUE_ID))
	v.secrets = [][]byte{vaultKey["private"], vaultKey["public"]}
	h.Fresh()
	return v
}

// proofs are what the keys of the vault make of a block of zeros.
func (v *vault) proofs() map[string][]byte {
	s := v.User()
	defer v.Fresh()
	out := map[string][]byte{}
	for _, name := range []string{"private", "public", "open"} {
		b, err := KeyOf(p11.CKK_AES).Proof(v.Host, s, v.Find(s, Label(name))[0])
		v.Must(err)
		out[name] = b
	}
	return out
}

// use does everything that it can with a store that may have been tampered
// with, and sees that nothing is used that is not what the user wrote.
func (v *vault) use(what string, proofs map[string][]byte) {
	v.Helper()
	st := v.Store
	m, err := OpenGo(st)
	if err != nil {
		return // found out at once
	}
	defer m.Close()
	inner := v.Driver
	v.Driver = m
	defer func() { v.Driver = inner }()
	watch(v.Host, v.secrets...)
	slots, err := m.GetSlotList(true, true)
	if err != nil {
		return
	}
	for _, slot := range slots {
		_, _ = m.GetTokenInfo(slot)
		s, err := m.OpenSession(slot, RW)
		if err != nil {
			continue
		}
		v.useSession(what+", nobody logged in", s, proofs)
		if m.Login(s, p11.CKU_USER, UserPIN) == nil {
			v.useSession(what, s, proofs)
			_ = m.Logout(s)
			v.useSession(what+", logged out again", s, proofs)
		}
		if m.Login(s, p11.CKU_SO, SOPIN) == nil {
			v.useSession(what+", the SO logged in", s, proofs)
		}
	}
}

func (v *vault) useSession(what string, s p11.SessionHandle, proofs map[string][]byte) {
	v.Helper()
	if v.FindObjectsInit(s, nil) != nil {
		return
	}
	found := make([]p11.ObjectHandle, 50)
	n, err := v.FindObjects(s, found)
	_ = v.FindObjectsFinal(s)
	if err != nil {
		return
	}
	info, err := v.GetSessionInfo(s)
	v.Must(err)
	public := info.State == p11.CKS_RW_PUBLIC_SESSION
	for _, o := range found[:n] {
		for _, t := range []p11.AttributeType{p11.CKA_VALUE, p11.CKA_LABEL, p11.CKA_SENSITIVE, p11.CKA_CLASS} {
			_, _ = v.Get(s, o, t)
		}
		label, err := v.Get(s, o, p11.CKA_LABEL)
		sensitive, _ := v.Get(s, o, p11.CKA_SENSITIVE)
		if err != nil || public && bytes.Equal(sensitive, []byte{0}) {
			continue // nothing vouches for what is public and hides nothing, before a login
		}
		got, err := KeyOf(p11.CKK_AES).Proof(v.Host, s, o)
		if err != nil {
			continue
		}
		if want := proofs[string(label)]; !bytes.Equal(got, want) {
			v.Errorf("%s: the key labelled %q is used, and is not the user's", what, label)
		}
	}
}

func TestAttackFlippingEveryByteOfTheStore(t *testing.T) {
	v := newVault(t)
	proofs := v.proofs()
	before := all(v.Host)
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, kv := range before {
		for i := 0; i < len(kv.Value); i += step {
			changed := bytes.Clone(kv.Value)
			changed[i] ^= 1 << (i % 8)
			put(v.Host, store.KV{Key: kv.Key, Value: changed})
			v.use(fmt.Sprintf("byte %d of %q flipped", i, kv.Key[:2]), proofs)
		}
		for _, n := range []int{0, len(kv.Value) / 2, len(kv.Value) - 1} {
			if n >= 0 && n < len(kv.Value) {
				put(v.Host, store.KV{Key: kv.Key, Value: kv.Value[:n:n]})
				v.use(fmt.Sprintf("%q cut to %d bytes", kv.Key[:2], n), proofs)
			}
		}
		put(v.Host, store.KV{Key: kv.Key, Value: append(bytes.Clone(kv.Value), 0)})
		v.use("a byte added", proofs)
		put(v.Host, store.KV{Key: kv.Key})
		v.use("deleted", proofs)
		restore(v.Host, before)
		if v.Failed() {
			v.Fatalf("with %q", kv.Key)
		}
	}
}

func TestAttackSwappingRecords(t *testing.T) {
	v := newVault(t)
	proofs := v.proofs()
	before := all(v.Host)
	recs := records(v.Host)
	for a, ra := range recs {
		for b, rb := range recs {
			if a == b {
				continue
			}
			put(v.Host, store.KV{Key: ra.Key, Value: rb.Value}, store.KV{Key: rb.Key, Value: ra.Value})
			v.use("two records swapped", proofs)
			restore(v.Host, before)
			put(v.Host, store.KV{Key: ra.Key, Value: rb.Value})
			v.use("one record in place of another", proofs)
			restore(v.Host, before)
		}
	}
}

func TestAttackMovingRecordsBetweenTokens(t *testing.T) {
	v := newVault(t)
	proofs := v.proofs()
	v.Must(v.InitToken(1, SOPIN, "other"))
	s, err := v.OpenSession(1, RW)
	v.Must(err)
	v.Must(v.Login(s, p11.CKU_SO, SOPIN))
	v.Must(v.InitPIN(s, UserPIN))
	v.Must(v.CloseAllSessions(1))
	before := all(v.Host)
	ids := map[string][]byte{}
	for _, kv := range before {
		if bytes.HasPrefix(kv.Key, []byte("t/")) {
			ids[fmt.Sprint(kv.Key[9])] = kv.Value[2:18]
		}
	}
	from, to := ids["0"], ids["1"]
	if from == nil || to == nil {
		t.Fatalf("the tokens' ids are not where this test looks for them: %v", ids)
	}
	move := func(kinds string) {
		for _, kv := range before {
			if len(kv.Key) > 18 && strings.Contains(kinds, string(kv.Key[:1])) && bytes.Equal(kv.Key[2:18], from) {
				key := bytes.Clone(kv.Key)
				copy(key[2:], to)
				put(v.Host, store.KV{Key: key, Value: kv.Value})
			}
		}
	}
	for _, kinds := range []string{"o", "ox", "p", "oxp", "oxpf"} {
		move(kinds)
		v.use("moved "+kinds, proofs)
		restore(v.Host, before)
	}
	// The whole token under another number is the same token: that is what a
	// restored backup looks like. Its keys are its own.
	for _, kv := range before {
		if bytes.HasPrefix(kv.Key, []byte("t/")) && kv.Key[9] == 0 {
			key := bytes.Clone(kv.Key)
			key[9] = 1
			put(v.Host, store.KV{Key: key, Value: kv.Value})
		}
	}
	v.use("two slots name one token", proofs)
	restore(v.Host, before)
}

// A record of seal.Plain needs no key: whoever can write to the store can
// make one.
func TestAttackPlainRecordsInPlaceOfSealedOnes(t *testing.T) {
	v := newVault(t)
	proofs := v.proofs()
	before := all(v.Host)
	recs := records(v.Host)
	attributes := func(label string, private bool, more ...attr.Value) []byte {
		return attr.Encode(Join(attr.Values{
			yesNo(p11.CKA_TOKEN, true), yesNo(p11.CKA_PRIVATE, private), yesNo(p11.CKA_MODIFIABLE, true), Label(label),
			yesNo(p11.CKA_COPYABLE, true), yesNo(p11.CKA_DESTROYABLE, true), Type(p11.CKK_AES), yesNo(p11.CKA_ENCRYPT, true),
			yesNo(p11.CKA_SENSITIVE, false), yesNo(p11.CKA_EXTRACTABLE, true), Value(make([]byte, 32)), Length(32),
		}, more))
	}
	for id, rec := range recs {
		for _, private := range []bool{false, true} {
			for _, more := range []attr.Values{nil, Yes(p11.CKA_TRUSTED), Yes(p11.CKA_SENSITIVE), Yes(p11.CKA_TRUSTED, p11.CKA_WRAP)} {
				for _, label := range []string{"private", "public"} {
					var h seal.Header
					copy(h.Token[:], rec.Key[2:])
					copy(h.Object[:], rec.Key[len(rec.Key)-16:])
					h.Class, h.Generation = uint32(p11.CKO_SECRET_KEY), 99
					plain, err := seal.Plain(h, attributes(label, private, more...))
					v.Must(err)
					put(v.Host, store.KV{Key: rec.Key, Value: plain})
					what := fmt.Sprintf("plain in place of %s, private %v, %v", id, private, more)
					v.usePlain(what, proofs, id)
					restore(v.Host, before)
				}
			}
		}
	}
}

// usePlain says what a forged record can do: be a public, readable key that
// nobody trusts, where such a one was or was not. It is never a private,
// sensitive or trusted one.
func (v *vault) usePlain(what string, proofs map[string][]byte, id string) {
	v.Helper()
	m, err := OpenGo(v.Store)
	v.Must(err)
	defer m.Close()
	inner := v.Driver
	v.Driver = m
	defer func() { v.Driver = inner }()
	watch(v.Host, v.secrets...)
	s := v.User()
	for _, o := range v.Find(s, attr.NewString(p11.CKA_UNIQUE_ID, id)) {
		for _, t := range []p11.AttributeType{p11.CKA_PRIVATE, p11.CKA_SENSITIVE, p11.CKA_TRUSTED} {
			if b, err := v.Get(s, o, t); err == nil && len(b) == 1 && b[0] != 0 {
				v.Errorf("%s: the forged object has %v", what, t)
			}
		}
		if id != v.private {
			continue
		}
		if _, err := v.Get(s, o, p11.CKA_LABEL); err == nil {
			v.Errorf("%s: it is read in place of a private object", what)
		}
	}
}

// An old record of the same object is whole and opens: that is a rollback,
// which the seal does not keep from anybody who has the folder. It is the
// object that it was, never more readable than it was then, and never another.
func TestAttackReplayingAnOldRecord(t *testing.T) {
	v := newVault(t)
	proofs := v.proofs()
	old := records(v.Host)[v.private]
	s := v.User()
	v.Must(v.SetAttributeValue(s, v.Find(s, Label("private"))[0], No(p11.CKA_ENCRYPT)))
	v.Fresh()
	put(v.Host, old)
	v.use("an old record", proofs)
	s = v.User()
	v.Must(v.DestroyObject(s, v.Find(s, Label("private"))[0]))
	v.Fresh()
	put(v.Host, old) // and without its index entries
	v.use("a destroyed record", proofs)
	s = v.User()
	if n := len(v.Find(s, Label("private"))); n != 0 {
		t.Errorf("a destroyed object is found again by %d entries that are not there", n)
	}
}

// What lies in the store tells nothing of what is private.
func TestAttackReadingTheStore(t *testing.T) {
	v := newVault(t)
	s := v.User()
	v.Create(s, Data("a private label"), Yes(p11.CKA_TOKEN, p11.CKA_PRIVATE))
	for _, kv := range all(v.Host) {
		for _, secret := range append(v.secrets, UserPIN, SOPIN, []byte("a private label"), []byte("data of a private label")) {
			if bytes.Contains(kv.Value, secret) || bytes.Contains(kv.Key, secret) {
				t.Errorf("%q is in the store under %q", secret, kv.Key)
			}
		}
	}
}
