package token

import (
	"encoding/binary"

	"coffer/p11"
	"coffer/token/object"
)

// A savedOp is an operation in a saved state. The form of a state, before it is
// sealed, is a version, the number of operations, and of each
//
//	purpose 1 | phase 1 | mechanism 8 | length 2, parameter |
//	0, or 1 | key 16 | generation 8 | its places 1 | length 4, progress
//
// with numbers big-endian. A parameter begins with its kind.
type savedOp struct {
	purpose  purpose
	phase    phase
	kind     p11.MechanismType
	params   []byte
	key      *keyRef // nil for a digest
	progress []byte
}

// A keyRef says which key it was: its CKA_UNIQUE_ID, and how often a token
// object was changed, so that a change of the key is seen.
type keyRef struct {
	id         object.ID
	generation uint64
	private    bool
	session    bool // a session object
}

const savedVersion = 1

func (o *savedOp) append(b []byte) []byte {
	b = append(b, byte(o.purpose), byte(o.phase))
	b = binary.BigEndian.AppendUint64(b, uint64(o.kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.params)))
	b = append(b, o.params...)
	if o.key == nil {
		b = append(b, 0)
	} else {
		b = append(append(b, 1), o.key.id[:]...)
		b = binary.BigEndian.AppendUint64(b, o.key.generation)
		b = append(b, bit(o.key.private, 1)|bit(o.key.session, 2))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(o.progress)))
	return append(b, o.progress...)
}

func bit(set bool, b byte) byte {
	if set {
		return b
	}
	return 0
}

func encodeState(ops []savedOp) []byte {
	b := []byte{savedVersion, byte(len(ops))}
	for i := range ops {
		b = ops[i].append(b)
	}
	return b
}

// A reader takes a state apart. After the first want of bytes everything it
// reads is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number(n int) (v uint64) {
	for _, c := range r.bytes(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

var errNoState = p11.Errorf(p11.CKR_SAVED_STATE_INVALID, "the saved state is not one that this session can have")

// decodeState is the inverse of encodeState. What it returns are parts of b.
func decodeState(b []byte) ([]savedOp, error) {
	r := reader{b: b}
	if r.number(1) != savedVersion {
		return nil, errNoState
	}
	count := r.number(1)
	if count > uint64(numPurposes) {
		return nil, errNoState
	}
	ops := make([]savedOp, count)
	var seen [numPurposes]bool
	for i := range ops {
		o := &ops[i]
		o.purpose, o.phase, o.kind = purpose(r.number(1)), phase(r.number(1)), p11.MechanismType(r.number(8))
		if n := int(r.number(2)); n > 0 {
			o.params = r.bytes(n)
		}
		switch r.number(1) {
		case 0:
		case 1:
			o.key = &keyRef{id: object.ID(pad16(r.bytes(16))), generation: r.number(8)}
			places := r.number(1)
			o.key.private, o.key.session = places&1 != 0, places&2 != 0
			r.bad = r.bad || places > 3
		default:
			r.bad = true
		}
		o.progress = r.bytes(int(r.number(4)))
		if r.bad || o.purpose >= numPurposes || seen[o.purpose] || o.phase != ready && o.phase != multiPart ||
			(o.key != nil) != (purposes[o.purpose].usage != 0) {
			return nil, errNoState
		}
		seen[o.purpose] = true
	}
	if r.bad || len(r.b) != 0 {
		return nil, errNoState
	}
	return ops, nil
}

func pad16(b []byte) (out [16]byte) {
	copy(out[:], b)
	return out
}

// The kinds of parameters in a saved state.
const (
	savedNumber = iota + 1
	savedIV
	savedCTR
	savedPSS
	savedChaCha20
)

// encodeParams returns a parameter as a saved state has it: nil for none, and
// empty for one of a kind that no saved operation has.
func encodeParams(p p11.Params) []byte {
	numbers := func(kind byte, ns ...uint64) []byte {
		b := []byte{kind}
		for _, n := range ns {
			b = binary.BigEndian.AppendUint64(b, n)
		}
		return b
	}
	switch p := p.(type) {
	case nil:
		return nil
	case p11.ULongParam:
		return numbers(savedNumber, uint64(p))
	case p11.IV:
		return append([]byte{savedIV}, p...)
	case p11.CTRParams:
		return append(numbers(savedCTR, p.CounterBits), p.Counter[:]...)
	case p11.PSSParams:
		return numbers(savedPSS, uint64(p.Hash), uint64(p.MGF), p.SaltLen)
	case p11.ChaCha20Params:
		return append(numbers(savedChaCha20, p.Counter, p.CounterBits), p.Nonce...)
	}
	return []byte{}
}

// decodeParams is the inverse of encodeParams.
func decodeParams(b []byte) (p11.Params, error) {
	if b == nil {
		return nil, nil
	}
	r := reader{b: b}
	var p p11.Params
	switch r.number(1) {
	case savedNumber:
		p = p11.ULongParam(r.number(8))
	case savedIV:
		p = p11.IV(r.bytes(len(r.b)))
	case savedCTR:
		p = p11.CTRParams{CounterBits: r.number(8), Counter: pad16(r.bytes(16))}
	case savedPSS:
		p = p11.PSSParams{Hash: p11.MechanismType(r.number(8)), MGF: p11.MGF(r.number(8)), SaltLen: r.number(8)}
	case savedChaCha20:
		p = p11.ChaCha20Params{Counter: r.number(8), CounterBits: r.number(8), Nonce: r.bytes(len(r.b))}
	default:
		return nil, errNoState
	}
	if r.bad || len(r.b) != 0 {
		return nil, errNoState
	}
	return p, nil
}
