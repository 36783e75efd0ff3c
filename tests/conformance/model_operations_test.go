package conformance

import (
	"math/rand/v2"
	"testing"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// What of the model is about operations. The three kinds are those of
// modelSession.ops.

const (
	encryption = iota
	signature
	digestion
)

var opFlags = []p11.Flags{p11.CKF_ENCRYPT, p11.CKF_SIGN, p11.CKF_DIGEST}

func (m *model) begin() {
	m.last = "Init"
	h, s := m.pick()
	kind := m.in.next(3)
	o := m.pickObject()
	reasons := m.session(s)
	switch {
	case s == nil:
	case s.ops[kind].phase != idle:
		reasons = append(reasons, active)
	case kind == digestion:
	case !m.sees(o) || !o.key:
		reasons = append(reasons, p11.CKR_KEY_HANDLE_INVALID)
	case m.locked(o):
		reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
	}
	var err error
	switch kind {
	case encryption:
		err = m.EncryptInit(h, Mech(p11.CKM_AES_CTR, ctr), o.handle)
	case signature:
		err = m.SignInit(h, Mech(p11.CKM_AES_CMAC), o.handle)
	default:
		err = m.DigestInit(h, Mech(p11.CKM_SHA256))
	}
	if m.want(err, reasons...) {
		s.ops[kind] = modelOp{ready, kind != digestion && o.private}
	}
}

// proceed makes a call of one part, an Update or a Final, with a buffer, with
// one that is too small, or asking for the length.
func (m *model) proceed() {
	h, s := m.pick()
	kind, call := m.in.next(3), m.in.next(3)
	in := make([]byte, 1+m.in.next(40))
	out := &p11.Out{}
	need := []int{len(in), 16, 32}[kind]
	if kind == encryption && call == 2 {
		need = 0
	}
	switch m.in.next(4) {
	case 0:
	case 1:
		out.Buf = make([]byte, max(need-1, 0))
	default:
		out.Buf = make([]byte, need+m.in.next(3))
	}
	m.last = []string{"the encryption's ", "the signature's ", "the digest's "}[kind] + []string{"call of one part", "Update", "Final"}[call]
	var o *modelOp
	reasons := m.session(s)
	if s != nil {
		o = &s.ops[kind]
		reasons = m.proceeds(o, kind, call, need, out)
	}
	var err error
	switch kind*3 + call {
	case 0:
		err = m.Encrypt(h, in, out)
	case 1:
		err = m.EncryptUpdate(h, in, out)
	case 2:
		err = m.EncryptFinal(h, out)
	case 3:
		err = m.Sign(h, in, out)
	case 4:
		err = m.SignUpdate(h, in)
	case 5:
		err = m.SignFinal(h, out)
	case 6:
		err = m.Digest(h, in, out)
	case 7:
		err = m.DigestUpdate(h, in)
	default:
		err = m.DigestFinal(h, out)
	}
	m.want(err, reasons...)
	if err == nil && out.Buf != nil && (kind == encryption || call != 1) && out.N != need {
		m.Fatalf("%s: %d bytes of output, want %d", m.last, out.N, need)
	}
}

// proceeds predicts the call, and moves the operation on.
func (m *model) proceeds(o *modelOp, kind, call, need int, out *p11.Out) []p11.RV {
	const whole, update = 0, 1
	silent := call == update && kind != encryption // no output
	switch {
	case o.phase == idle:
		return []p11.RV{notInitialized}
	case o.phase == parts && call == whole:
		*o = modelOp{}
		return []p11.RV{active}
	case !silent && out.Buf == nil:
		return nil
	case !silent && len(out.Buf) < need:
		return []p11.RV{tooSmall}
	case call == update:
		o.phase = parts
		return nil
	}
	*o = modelOp{}
	return nil
}

func (m *model) digestKey() {
	m.last = "C_DigestKey"
	h, s := m.pick()
	o := m.pickObject()
	reasons := m.session(s)
	if s != nil {
		op := &s.ops[digestion]
		switch {
		case op.phase == idle:
			reasons = append(reasons, notInitialized)
		case !m.sees(o) || !o.key:
			reasons = append(reasons, p11.CKR_KEY_HANDLE_INVALID)
			*op = modelOp{}
		case m.locked(o):
			reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
			*op = modelOp{}
		default:
			op.phase = parts
		}
	}
	m.want(m.DigestKey(h, o.handle), reasons...)
}

func (m *model) cancel() {
	m.last = "C_SessionCancel"
	h, s := m.pick()
	kind := m.in.next(3)
	if m.want(m.SessionCancel(h, opFlags[kind]|p11.CKF_FIND_OBJECTS), m.session(s)...) {
		s.ops[kind] = modelOp{}
	}
}

// TestRandomCalls takes the model through calls that nobody thought of. A
// failure is repeated by its seed.
func TestRandomCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		opener Opener
		runs   int
	}{"go": {GoModule, 150}, "c": {CLibrary, 15}} {
		t.Run(name, func(t *testing.T) {
			for seed := range tt.runs {
				in := make([]byte, 3000)
				r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
				r.Read(in)
				var m model
				h := NewHost(t, tt.opener)
				m.run(h, in)
				h.Must(h.Close())
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func FuzzCalls(f *testing.F) {
	for seed := range byte(5) {
		in := make([]byte, 500)
		rand.NewChaCha8([32]byte{seed}).Read(in)
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var m model
		m.run(NewHost(t, GoModule), in)
	})
}
