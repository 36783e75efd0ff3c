package mech

import (
	"encoding/binary"
	"hash"
	"math"
	"reflect"

	"golang.org/x/crypto/chacha20"
	//lint:ignore SA1019 CKM_POLY1305 is the building block itself
	"golang.org/x/crypto/poly1305"

	"coffer/p11"
)

// chachaFamily has CKK_CHACHA20 and CKK_POLY1305 (PKCS #11 v3.2, sections 6.58,
// 6.60 and 6.61).
//
// CKM_CHACHA20 wraps no keys, though the text lets it: a wrapped key cut down
// to its first byte would unwrap as a key of one byte, which a few MACs give
// away. That CKM_CHACHA20_POLY1305 wraps none is the text's. Its table has CKM_POLY1305 encrypt; its own words have it sign.
var chachaFamily = Family{
	Name:     "ChaCha20",
	KeyTypes: []KeyType{chachaKeys, polyKeys},
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_CHACHA20_KEY_GEN, Keys: chachaOnly, Size: KeySize{Min: 32, Max: 32, Unit: Bytes},
			Generate: generateSecret(chachaKeys),
		},
		{
			Type: p11.CKM_CHACHA20, Keys: chachaOnly, Size: chachaSize, Params: p11.ParamChaCha20,
			Encrypt: newChaChaOp, Decrypt: newChaChaOp,
		},
		{
			Type: p11.CKM_CHACHA20_POLY1305, Keys: chachaOnly, Size: chachaSize, Params: p11.ParamChaCha20Poly1305,
			Encrypt: encryptChaChaPoly, Decrypt: decryptChaChaPoly,
			Messages: newChaChaMessages, MessageKind: p11.MessageChaCha20Poly1305,
		},
		{
			Type: p11.CKM_POLY1305_KEY_GEN, Keys: polyOnly, Size: KeySize{Min: 32, Max: 32, Unit: Bytes},
			Generate: generateSecret(polyKeys),
		},
		{
			Type: p11.CKM_POLY1305, Keys: polyOnly, Size: chachaSize,
			Sign: polyMAC.sign, Verify: polyMAC.verify,
		},
	},
}

var (
	chachaKeys = KeyType{Type: p11.CKK_CHACHA20, Secret: true, Lengths: []int{32}, MaxLength: 32, Weak: Unapproved}
	// Two MACs under one key give it away.
	polyKeys   = KeyType{Type: p11.CKK_POLY1305, Secret: true, Lengths: []int{32}, MaxLength: 32, OneTime: true, Weak: Unapproved}
	chachaOnly = []p11.KeyType{p11.CKK_CHACHA20}
	polyOnly   = []p11.KeyType{p11.CKK_POLY1305}
	chachaSize = KeySize{Min: 256, Max: 256, Unit: Bits} // here the text counts bits

	polyMAC = keyedHash{keyedPoly, whole(polyTag)}
)

// chachaKey returns the value of a ChaCha20 key.
func chachaKey(k Key) ([]byte, error) {
	key, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	if len(key) != chacha20.KeySize {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a ChaCha20 key has %d bytes, not %d", chacha20.KeySize, len(key))
	}
	return key, nil
}

// chachaOp is ChaCha20 by itself. golang.org/x/crypto has a block counter of
// 32 bits; with nonces of 64 and 192 bits the upper half of one of 64 bits lies
// where the beginning of its nonce is.
type chachaOp struct {
	key    [chacha20.KeySize]byte
	nonce  [chacha20.NonceSize]byte
	cipher *chacha20.Cipher
	left   uint64 // bytes until the lower half overflows
	wide   bool   // the counter has an upper half
}

func newChaChaOp(k Key, p p11.Params) (Op, error) {
	params, err := paramAs[p11.ChaCha20Params](p)
	if err != nil {
		return nil, err
	}
	o := &chachaOp{}
	switch {
	case params.CounterBits != 32 && params.CounterBits != 64:
		err = p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the block counter has %d bits; it can have 32 or 64", params.CounterBits)
	case len(params.Nonce) == chacha20.NonceSize && params.Counter > math.MaxUint32:
		err = p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "with a nonce of 96 bits the block counter has no more than 32")
	case len(params.Nonce) == chacha20.NonceSize:
		copy(o.nonce[:], params.Nonce)
	case len(params.Nonce) == 8 || len(params.Nonce) == chacha20.NonceSizeX:
		o.wide = true
		copy(o.nonce[4:], params.Nonce[len(params.Nonce)-8:])
		binary.LittleEndian.PutUint32(o.nonce[:], uint32(params.Counter>>32))
	default:
		err = p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the nonce has %d bits; it can have 64, 96 or 192", 8*len(params.Nonce))
	}
	if err != nil {
		return nil, err
	}
	key, err := chachaKey(k)
	if err != nil {
		return nil, err
	}
	if len(params.Nonce) == chacha20.NonceSizeX {
		sub, err := chacha20.HChaCha20(key, params.Nonce[:16])
		if err != nil {
			return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w", err)
		}
		defer clear(sub)
		key = sub
	}
	copy(o.key[:], key)
	return o, o.start(uint32(params.Counter))
}

// start sets the lower half of the block counter.
func (o *chachaOp) start(counter uint32) (err error) {
	if o.cipher, err = chacha20.NewUnauthenticatedCipher(o.key[:], o.nonce[:]); err != nil {
		return p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w", err)
	}
	o.cipher.SetCounter(counter)
	o.left = (1<<32 - uint64(counter)) * 64
	return nil
}

// carry goes on behind the last block that the lower half counts.
func (o *chachaOp) carry() error {
	binary.LittleEndian.PutUint32(o.nonce[:], o.upper()+1)
	erase(o.cipher)
	return o.start(0)
}

// upper is the upper half of a counter that has one.
func (o *chachaOp) upper() uint32 { return binary.LittleEndian.Uint32(o.nonce[:]) }

// room reports whether the counter goes on for n bytes.
func (o *chachaOp) room(n uint64) bool {
	if n <= o.left {
		return true
	}
	carries := (n-o.left-1)>>38 + 1
	return o.wide && carries <= uint64(math.MaxUint32-o.upper())
}

func (o *chachaOp) Update(dst, src []byte) (int, error) {
	if !o.room(uint64(len(src))) {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes would overflow the block counter", len(src))
	}
	total := len(src)
	for len(src) > 0 {
		if o.left == 0 {
			if err := o.carry(); err != nil {
				return 0, err
			}
		}
		n := int(min(uint64(len(src)), o.left))
		o.cipher.XORKeyStream(dst[:n], src[:n])
		o.left -= uint64(n)
		dst, src = dst[n:], src[n:]
	}
	return total, nil
}

func (o *chachaOp) UpdateSize(n int) Size { return Size{Max: n, Exact: true} }

func (o *chachaOp) Final(dst, src []byte) (int, error) { return o.Update(dst, src) }

func (o *chachaOp) FinalSize(n int) Size { return o.UpdateSize(n) }

func (o *chachaOp) Wipe() {
	if o.cipher != nil {
		erase(o.cipher)
	}
	o.cipher = nil
	clear(o.key[:])
	scrub()
}

const polyTag = poly1305.TagSize

// poly is Poly1305 as a hash.Hash.
type poly struct{ *poly1305.MAC }

func newPoly(key *[32]byte) poly { return poly{poly1305.New(key)} }

func keyedPoly(value []byte) (hash.Hash, error) {
	if len(value) != 32 {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a Poly1305 key has 32 bytes, not %d", len(value))
	}
	key := [32]byte(value)
	defer clear(key[:])
	return newPoly(&key), nil
}

// Reset has nothing to go back to: a key is for one message.
func (p poly) Reset() {}

func (p poly) BlockSize() int { return polyTag }

// wipe clears the state, which lies behind a pointer of the MAC.
func (p poly) wipe() { erasePointer(reflect.ValueOf(p.MAC).Elem().Field(0)) }
