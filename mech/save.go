package mech

import (
	"encoding"
	"encoding/binary"
	"hash"

	"coffer/p11"
)

// A Saver is an Op or a VerifyOp whose progress can be written down and taken
// up again (PKCS #11 v3.2, 5.6.4 and 5.6.5).
//
// An authenticated cipher is none, nor a MAC with a nonce: to go on twice from
// one place is to use the nonce twice, which gives the key of the
// authentication away. Nor is what has no progress before its end.
type Saver interface {
	// Save returns how far the operation has come: what is needed to go on
	// beside the key and the parameter. It may be as secret as the data, and is
	// the caller's to wipe. What cannot be saved after all is
	// CKR_STATE_UNSAVEABLE.
	Save() ([]byte, error)
	// Restore brings an operation that was just begun with the same key and
	// parameter to where Save was called. Bytes that Save did not return are
	// CKR_SAVED_STATE_INVALID, or another operation's progress.
	Restore(state []byte) error
}

var (
	errUnsaveable   = p11.Errorf(p11.CKR_STATE_UNSAVEABLE, "the state of the mechanism cannot be saved")
	errInvalidState = p11.Errorf(p11.CKR_SAVED_STATE_INVALID, "the saved state is not one of the mechanism")
)

// saver is a hash, or a part of an Op, that has a form of its own.
type saver interface {
	save() ([]byte, error)
	restore(state []byte) error
}

func saveHash(h hash.Hash) ([]byte, error) {
	switch h := h.(type) {
	case saver:
		return h.save()
	case encoding.BinaryMarshaler:
		return h.MarshalBinary()
	}
	return nil, errUnsaveable
}

func restoreHash(h hash.Hash, state []byte) error {
	switch h := h.(type) {
	case saver:
		return h.restore(state)
	case encoding.BinaryUnmarshaler:
		if h.UnmarshalBinary(state) != nil {
			return errInvalidState
		}
		return nil
	}
	return errUnsaveable
}

func (o *hashOp) Save() ([]byte, error)      { return saveHash(o.hash) }
func (o *hashOp) Restore(state []byte) error { return restoreHash(o.hash, state) }

func (o *hashingOp) Save() ([]byte, error)      { return saveHash(o.hash) }
func (o *hashingOp) Restore(state []byte) error { return restoreHash(o.hash, state) }

func (o *hashingVerifyOp) Save() ([]byte, error)      { return saveHash(o.hash) }
func (o *hashingVerifyOp) Restore(state []byte) error { return restoreHash(o.hash, state) }

// The outer hash comes of the key alone.
func (m *hmacHash) save() ([]byte, error)      { return saveHash(m.inner) }
func (m *hmacHash) restore(state []byte) error { return restoreHash(m.inner, state) }

// The other initial value is in the state.
func (h *sha512T) save() ([]byte, error)      { return saveHash(h.Hash) }
func (h *sha512T) restore(state []byte) error { return restoreHash(h.Hash, state) }

// progress is a saved state of counts and arrays, in their order. A count is
// at most most.
type progress struct {
	counts []count
	arrays [][]byte
}

type count struct {
	n    *int
	most int
}

func (p progress) save() ([]byte, error) {
	var b []byte
	for _, c := range p.counts {
		b = append(b, byte(*c.n))
	}
	for _, a := range p.arrays {
		b = append(b, a...)
	}
	return b, nil
}

func (p progress) restore(state []byte) error {
	total := len(p.counts)
	for _, a := range p.arrays {
		total += len(a)
	}
	if len(state) != total {
		return errInvalidState
	}
	for i, c := range p.counts {
		if int(state[i]) > c.most {
			return errInvalidState
		}
	}
	for i, c := range p.counts {
		*c.n = int(state[i])
	}
	state = state[len(p.counts):]
	for _, a := range p.arrays {
		state = state[copy(a, state):]
	}
	return nil
}

func (c *cmac) progress() progress {
	return progress{[]count{{&c.n, c.size}}, [][]byte{c.state[:], c.held[:]}}
}

func (c *cmac) save() ([]byte, error)      { return c.progress().save() }
func (c *cmac) restore(state []byte) error { return c.progress().restore(state) }

func (c *cbcMAC) progress() progress {
	return progress{[]count{{&c.n, c.size - 1}}, [][]byte{c.state[:]}}
}

func (c *cbcMAC) save() ([]byte, error)      { return c.progress().save() }
func (c *cbcMAC) restore(state []byte) error { return c.progress().restore(state) }

func (b *blocks) progress() progress {
	return progress{[]count{{&b.n, b.size}}, [][]byte{b.held[:], b.mode.last[:]}}
}

func (b *blocks) Save() ([]byte, error) { return b.progress().save() }

func (b *blocks) Restore(state []byte) error {
	if err := b.progress().restore(state); err != nil {
		return err
	}
	b.mode.again()
	return nil
}

func (o *cbcPadDecryptOp) Restore(state []byte) error {
	err := o.blocks.Restore(state)
	o.before = o.mode.last
	return err
}

func (o *ctsOp) progress() progress {
	return progress{[]count{{&o.n, stealTail}}, [][]byte{o.held[:stealTail], o.mode.last[:]}}
}

func (o *ctsOp) Save() ([]byte, error) { return o.progress().save() }

func (o *ctsOp) Restore(state []byte) error {
	if err := o.progress().restore(state); err != nil {
		return err
	}
	o.mode.again()
	return nil
}

func (f *feedback) progress(more ...[]byte) progress {
	return progress{[]count{{&f.n, len(f.out)}}, append([][]byte{f.in[:], f.out[:]}, more...)}
}

func (f *feedback) Save() ([]byte, error)      { return f.progress().save() }
func (f *feedback) Restore(state []byte) error { return f.progress().restore(state) }

func (o *cfbOp) Save() ([]byte, error) { return o.progress(o.cipher[:]).save() }

func (o *cfbOp) Restore(state []byte) error {
	if len(state) > 0 && int(state[0]) >= o.segment {
		return errInvalidState
	}
	return o.progress(o.cipher[:]).restore(state)
}

func (o *ctrOp) Save() ([]byte, error) {
	return binary.BigEndian.AppendUint64(nil, o.done), nil
}

func (o *ctrOp) Restore(state []byte) error {
	if len(state) != 8 {
		return errInvalidState
	}
	done := binary.BigEndian.Uint64(state)
	if done > o.left {
		return errInvalidState
	}
	o.seek(done)
	return nil
}

func (o *chachaOp) Save() ([]byte, error) {
	return binary.BigEndian.AppendUint64(append([]byte(nil), o.nonce[:]...), o.left), nil
}

func (o *chachaOp) Restore(state []byte) error {
	const most = 1 << 38 // bytes that the lower half counts
	if len(state) != len(o.nonce)+8 {
		return errInvalidState
	}
	left := binary.BigEndian.Uint64(state[len(o.nonce):])
	if left > most {
		return errInvalidState
	}
	copy(o.nonce[:], state)
	done := most - left
	erase(o.cipher)
	if err := o.start(uint32(done / 64)); err != nil { // of a counter that has run out, any will do
		return err
	}
	var skipped [64]byte
	o.cipher.XORKeyStream(skipped[:done%64], skipped[:done%64])
	clear(skipped[:])
	o.left = left
	return nil
}
