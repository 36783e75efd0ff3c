package conformance

import (
	"testing"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// A purpose is a kind of operation, with a mechanism whose input comes in
// blocks of 16 bytes and whose Final has an output or a signature to check.
type purpose struct {
	name   string
	flag   p11.Flags
	init   func() error
	cancel func() error // Init with a NULL mechanism
	// Of a verification, out.Buf has no meaning and the signature is right.
	whole  func(out *p11.Out) error
	update func(out *p11.Out) error
	final  func(out *p11.Out) error
	// wrong is whole with an input that is refused; nil if none is.
	wrong     func() error
	wrongCode p11.RV
	// silent operations have no output before the end.
	silent bool
	// verifies says that there is no output at all.
	verifies bool
}

// The states of an operation (PKCS #11 v3.2, 5.8 to 5.15).
type state int

const (
	idle state = iota
	ready
	parts
	pending // the result was computed, and the buffer for it too small
)

var stateNames = []string{"idle", "ready", "in parts", "waiting for a buffer"}

// bench is what the matrix works with.
type bench struct {
	*Host
	s        p11.SessionHandle
	purposes []purpose
}

func room() *p11.Out { return &p11.Out{Buf: make([]byte, 64)} }

func newBench(h *Host) *bench {
	s := h.User()
	k := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
	cbc, cmac, sha := Mech(p11.CKM_AES_CBC_PAD, zeroIV), Mech(p11.CKM_AES_CMAC), Mech(p11.CKM_SHA256)
	data := make([]byte, 20) // one block, and something for Final
	h.Must(h.EncryptInit(s, cbc, k))
	ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, data, out) })
	h.Must(h.SignInit(s, cmac, k))
	mac := h.Output(func(out *p11.Out) error { return h.Sign(s, data, out) })
	return &bench{h, s, []purpose{
		{name: "Encrypt", flag: p11.CKF_ENCRYPT,
			init:   func() error { return h.EncryptInit(s, cbc, k) },
			cancel: func() error { return h.EncryptInit(s, nil, 0) },
			whole:  func(out *p11.Out) error { return h.Encrypt(s, data, out) },
			update: func(out *p11.Out) error { return h.EncryptUpdate(s, data, out) },
			final:  func(out *p11.Out) error { return h.EncryptFinal(s, out) }},
		{name: "Decrypt", flag: p11.CKF_DECRYPT,
			init:   func() error { return h.DecryptInit(s, cbc, k) },
			cancel: func() error { return h.DecryptInit(s, nil, 0) },
			whole:  func(out *p11.Out) error { return h.Decrypt(s, ct, out) },
			update: func(out *p11.Out) error { return h.DecryptUpdate(s, ct, out) },
			final:  func(out *p11.Out) error { return h.DecryptFinal(s, out) },
			wrong:  func() error { return h.Decrypt(s, ct[:31], room()) }, wrongCode: p11.CKR_ENCRYPTED_DATA_LEN_RANGE},
		{name: "Digest", flag: p11.CKF_DIGEST, silent: true,
			init:   func() error { return h.DigestInit(s, sha) },
			cancel: func() error { return h.DigestInit(s, nil) },
			whole:  func(out *p11.Out) error { return h.Digest(s, data, out) },
			update: func(*p11.Out) error { return h.DigestUpdate(s, data) },
			final:  func(out *p11.Out) error { return h.DigestFinal(s, out) }},
		{name: "Sign", flag: p11.CKF_SIGN, silent: true,
			init:   func() error { return h.SignInit(s, cmac, k) },
			cancel: func() error { return h.SignInit(s, nil, 0) },
			whole:  func(out *p11.Out) error { return h.Sign(s, data, out) },
			update: func(*p11.Out) error { return h.SignUpdate(s, data) },
			final:  func(out *p11.Out) error { return h.SignFinal(s, out) }},
		{name: "Verify", flag: p11.CKF_VERIFY, silent: true, verifies: true,
			init:   func() error { return h.VerifyInit(s, cmac, k) },
			cancel: func() error { return h.VerifyInit(s, nil, 0) },
			whole:  func(*p11.Out) error { return h.Verify(s, data, mac) },
			update: func(*p11.Out) error { return h.VerifyUpdate(s, data) },
			final:  func(*p11.Out) error { return h.VerifyFinal(s, mac) },
			wrong:  func() error { return h.Verify(s, data, make([]byte, 16)) }, wrongCode: p11.CKR_SIGNATURE_INVALID},
		{name: "VerifySignature", flag: p11.CKF_VERIFY, silent: true, verifies: true,
			init:   func() error { return h.VerifySignatureInit(s, cmac, k, mac) },
			cancel: func() error { return h.VerifySignatureInit(s, nil, 0, nil) },
			whole:  func(*p11.Out) error { return h.VerifySignature(s, data) },
			update: func(*p11.Out) error { return h.VerifySignatureUpdate(s, data) },
			final:  func(*p11.Out) error { return h.VerifySignatureFinal(s) },
			wrong:  func() error { return h.VerifySignature(s, data[1:]) }, wrongCode: p11.CKR_SIGNATURE_INVALID},
	}}
}

// enter brings an operation into a state, and reports whether it has it.
func (b *bench) enter(p *purpose, st state) bool {
	b.Helper()
	b.Idle(b.s)
	if st == idle {
		return true
	}
	b.Must(p.init())
	switch st {
	case parts:
		b.Must(p.update(room()))
	case pending:
		if p.name != "Decrypt" {
			return false // the length is known beforehand
		}
		b.Want(p.whole(&p11.Out{Buf: make([]byte, 3)}), p11.CKR_BUFFER_TOO_SMALL)
	}
	return true
}

// is finds out in what state an operation is, and ends it.
func (b *bench) is(p *purpose) state {
	b.Helper()
	defer b.Idle(b.s)
	switch code := p11.Code(p.init()); code {
	case p11.CKR_OK:
		return idle
	case p11.CKR_OPERATION_ACTIVE:
	default:
		b.Fatalf("Init answers %v", code)
	}
	if p11.Code(p.whole(room())) == p11.CKR_OPERATION_ACTIVE {
		return parts
	}
	return ready
}

// A step is what a call answers in a state, and the state that it leaves.
type step struct {
	rv   p11.RV
	next state
}

// A call is a row of the matrix: a call and what it does in each state.
type call struct {
	name string
	run  func(p *purpose) error
	in   map[state]step
	// only says for which purposes the row is.
	only func(p *purpose) bool
}

func hasOutput(p *purpose) bool { return !p.verifies }
func hasParts(p *purpose) bool  { return !p.silent }
func hasWrong(p *purpose) bool  { return p.wrong != nil }

const (
	ok       = p11.CKR_OK
	active   = p11.CKR_OPERATION_ACTIVE
	tooSmall = p11.CKR_BUFFER_TOO_SMALL
)

// calls is the table of PKCS #11 v3.2, 5.2 and 5.8 to 5.15: "What starts and
// ends an operation". wrong stands for the code of a refused input.
var calls = []call{
	{name: "Init", run: func(p *purpose) error { return p.init() },
		in: map[state]step{idle: {ok, ready}, ready: {active, ready}, parts: {active, parts}, pending: {active, ready}}},
	{name: "Init with a NULL mechanism", run: func(p *purpose) error { return p.cancel() },
		in: map[state]step{idle: {ok, idle}, ready: {ok, idle}, parts: {ok, idle}, pending: {ok, idle}}},
	{name: "the call of one part", run: func(p *purpose) error { return p.whole(room()) },
		in: map[state]step{idle: {notInitialized, idle}, ready: {ok, idle}, parts: {active, idle}, pending: {ok, idle}}},
	{name: "the call of one part, asking for the length", only: hasOutput, run: func(p *purpose) error { return p.whole(&p11.Out{}) },
		in: map[state]step{idle: {notInitialized, idle}, ready: {ok, ready}, parts: {active, idle}, pending: {ok, ready}}},
	{name: "the call of one part with a short buffer", only: hasOutput, run: func(p *purpose) error { return p.whole(&p11.Out{Buf: make([]byte, 1)}) },
		in: map[state]step{idle: {notInitialized, idle}, ready: {tooSmall, ready}, parts: {active, idle}, pending: {tooSmall, ready}}},
	{name: "the call of one part with an input that is refused", only: hasWrong, run: func(p *purpose) error { return p.wrong() },
		in: map[state]step{idle: {notInitialized, idle}, ready: {wrong, idle}, parts: {active, idle}}},
	{name: "Update", run: func(p *purpose) error { return p.update(room()) },
		in: map[state]step{idle: {notInitialized, idle}, ready: {ok, parts}, parts: {ok, parts}, pending: {active, idle}}},
	{name: "Update, asking for the length", only: hasParts, run: func(p *purpose) error { return p.update(&p11.Out{}) },
		in: map[state]step{idle: {notInitialized, idle}, ready: {ok, ready}, parts: {ok, parts}}},
	{name: "Update with a short buffer", only: hasParts, run: func(p *purpose) error { return p.update(&p11.Out{Buf: make([]byte, 1)}) },
		in: map[state]step{idle: {notInitialized, idle}, ready: {tooSmall, ready}, parts: {tooSmall, parts}}},
	{name: "Final", run: func(p *purpose) error { return p.final(room()) }, only: func(p *purpose) bool { return p.name != "Decrypt" && !p.verifies },
		in: map[state]step{idle: {notInitialized, idle}, ready: {ok, idle}, parts: {ok, idle}}},
	{name: "Final of what has had its input", run: func(p *purpose) error { return p.final(room()) },
		in: map[state]step{idle: {notInitialized, idle}, parts: {ok, idle}}},
	{name: "Final, asking for the length", only: hasOutput, run: func(p *purpose) error { return p.final(&p11.Out{}) },
		in: map[state]step{idle: {notInitialized, idle}, parts: {ok, parts}}},
	{name: "Final with a short buffer", only: hasOutput, run: func(p *purpose) error { return p.final(&p11.Out{Buf: make([]byte, 1)}) },
		in: map[state]step{idle: {notInitialized, idle}, parts: {tooSmall, parts}}},
}

const wrong = p11.RV(1 << 63)

func TestEveryCallInEveryStateOfAnOperation(t *testing.T) {
	Each(t, func(h *Host) {
		b := newBench(h)
		for i := range b.purposes {
			p := &b.purposes[i]
			for _, c := range calls {
				if c.only != nil && !c.only(p) {
					continue
				}
				for st, want := range c.in {
					if !b.enter(p, st) {
						continue
					}
					rv := want.rv
					if rv == wrong {
						rv = p.wrongCode
					}
					got := p11.Code(c.run(p))
					if next := b.is(p); got != rv || next != want.next {
						h.Errorf("%s, %s: %s answers %v and leaves it %s; want %v and %s",
							p.name, stateNames[st], c.name, got, stateNames[next], rv, stateNames[want.next])
					}
				}
			}
			b.checkCancel(p)
			b.checkOthers(p)
		}
	})
}

// checkCancel: C_SessionCancel ends what its flags name and nothing else.
func (b *bench) checkCancel(p *purpose) {
	for st := idle; st <= pending; st++ {
		for _, c := range []struct {
			flags p11.Flags
			next  state
		}{
			{p.flag, idle}, {p.flag | p11.CKF_FIND_OBJECTS, idle}, {^p11.Flags(0), idle},
			{0, st}, {^p.flag, st}, {p11.CKF_FIND_OBJECTS, st},
		} {
			if !b.enter(p, st) {
				continue
			}
			b.Want(b.SessionCancel(b.s, c.flags), p11.CKR_OK)
			want := c.next
			if want == pending {
				want = ready
			}
			if got := b.is(p); got != want {
				b.Errorf("%s, %s: C_SessionCancel(%#x) leaves it %s, want %s", p.name, stateNames[st], uint64(c.flags), stateNames[got], stateNames[want])
			}
		}
	}
}

// checkOthers: what belongs to another kind of operation neither sees nor
// touches this one.
func (b *bench) checkOthers(p *purpose) {
	for _, st := range []state{ready, parts} {
		for i := range b.purposes {
			q := &b.purposes[i]
			if q.name == p.name {
				continue
			}
			for name, run := range map[string]func() error{
				"call of one part": func() error { return q.whole(room()) },
				"Update":           func() error { return q.update(room()) },
				"Final":            func() error { return q.final(room()) },
			} {
				b.enter(p, st)
				if got := p11.Code(run()); got != notInitialized {
					b.Errorf("with %s %s, the %s of %s answers %v", p.name, stateNames[st], name, q.name, got)
				}
				if got := b.is(p); got != st {
					b.Errorf("the %s of %s leaves %s %s, want %s", name, q.name, p.name, stateNames[got], stateNames[st])
				}
			}
		}
	}
}

func TestDualFunctionsNeedBothOperations(t *testing.T) {
	Each(t, func(h *Host) {
		b := newBench(h)
		by := map[string]*purpose{}
		for i := range b.purposes {
			by[b.purposes[i].name] = &b.purposes[i]
		}
		data := make([]byte, 16)
		for _, tt := range []struct {
			name string
			a, b *purpose
			call func(out *p11.Out) error
		}{
			{"C_DigestEncryptUpdate", by["Encrypt"], by["Digest"], func(out *p11.Out) error { return h.DigestEncryptUpdate(b.s, data, out) }},
			{"C_SignEncryptUpdate", by["Encrypt"], by["Sign"], func(out *p11.Out) error { return h.SignEncryptUpdate(b.s, data, out) }},
			{"C_DecryptDigestUpdate", by["Decrypt"], by["Digest"], func(out *p11.Out) error { return h.DecryptDigestUpdate(b.s, data, out) }},
			{"C_DecryptVerifyUpdate", by["Decrypt"], by["Verify"], func(out *p11.Out) error { return h.DecryptVerifyUpdate(b.s, data, out) }},
		} {
			b.Idle(b.s)
			h.Want(tt.call(room()), notInitialized)
			for _, one := range []*purpose{tt.a, tt.b} {
				b.enter(one, ready)
				h.Want(tt.call(room()), notInitialized)
				if got := b.is(one); got != ready {
					h.Errorf("%s with %s alone leaves it %s", tt.name, one.name, stateNames[got])
				}
			}
			b.enter(tt.a, ready)
			h.Must(tt.b.init())
			h.Want(tt.call(room()), ok)
			b.Want(tt.a.whole(room()), active)
			b.Want(tt.b.whole(room()), active)
		}
	})
}

func TestMechanismsThatTakeTheirInputWholeRefuseParts(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		pub, priv := importPair(h, s, KeyOf(p11.CKK_RSA))
		m := Mech(p11.CKM_RSA_PKCS)
		for _, tt := range []struct {
			name       string
			init, part func() error
			whole      func() error
		}{
			{"encryption", func() error { return h.EncryptInit(s, m, pub) },
				func() error { return h.EncryptUpdate(s, make([]byte, 16), room()) },
				func() error { return h.Encrypt(s, make([]byte, 16), room()) }},
			{"decryption", func() error { return h.DecryptInit(s, m, priv) },
				func() error { return h.DecryptUpdate(s, make([]byte, 256), room()) },
				func() error { return h.Decrypt(s, make([]byte, 256), room()) }},
			{"signature", func() error { return h.SignInit(s, m, priv) },
				func() error { return h.SignUpdate(s, make([]byte, 16)) },
				func() error { return h.Sign(s, make([]byte, 16), room()) }},
			{"verification", func() error { return h.VerifyInit(s, m, pub) },
				func() error { return h.VerifyUpdate(s, make([]byte, 16)) },
				func() error { return h.Verify(s, make([]byte, 16), make([]byte, 256)) }},
		} {
			h.Case(tt.name, func(h *Host) {
				h.Must(tt.init())
				h.Want(tt.part(), p11.CKR_FUNCTION_NOT_SUPPORTED)
				h.Want(tt.whole(), notInitialized)
			})
		}
	})
}

func TestAFailedInitStartsNothing(t *testing.T) {
	Each(t, func(h *Host) {
		b := newBench(h)
		s := b.s
		noUse := h.AES(s, No(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
		data := h.Create(s, Data("not a key"))
		generic := h.Create(s, KeyOf(p11.CKK_GENERIC_SECRET).Own)
		aes := h.AES(s)
		for _, tt := range []struct {
			name string
			m    *p11.Mechanism
			key  p11.ObjectHandle
			rv   p11.RV
		}{
			{"a mechanism that there is not", Mech(0x7fffffff), aes, p11.CKR_MECHANISM_INVALID},
			{"a mechanism that does not encrypt", Mech(p11.CKM_SHA256), aes, p11.CKR_MECHANISM_INVALID},
			{"handle 0", Mech(p11.CKM_AES_ECB), 0, p11.CKR_KEY_HANDLE_INVALID},
			{"a handle that there is not", Mech(p11.CKM_AES_ECB), 1 << 40, p11.CKR_KEY_HANDLE_INVALID},
			{"an object that is no key", Mech(p11.CKM_AES_ECB), data, p11.CKR_KEY_HANDLE_INVALID},
			{"a key of another type", Mech(p11.CKM_AES_ECB), generic, p11.CKR_KEY_TYPE_INCONSISTENT},
			{"a key without CKA_ENCRYPT", Mech(p11.CKM_AES_ECB), noUse, p11.CKR_KEY_FUNCTION_NOT_PERMITTED},
			{"no IV", Mech(p11.CKM_AES_CBC), aes, p11.CKR_MECHANISM_PARAM_INVALID},
			{"a short IV", Mech(p11.CKM_AES_CBC, p11.IV(make([]byte, 15))), aes, p11.CKR_MECHANISM_PARAM_INVALID},
		} {
			h.Case(tt.name, func(h *Host) {
				h.Want(h.EncryptInit(s, tt.m, tt.key), tt.rv)
				h.Want(h.Encrypt(s, make([]byte, 16), room()), notInitialized)
			})
		}
	})
}
