package conformance

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// An aead is a mechanism for messages, with a parameter for one of n bytes.
type aead struct {
	m     p11.MechanismType
	key   p11.KeyType
	kind  p11.MessageKind
	nonce int
	tag   int
}

// aeads has every mechanism with CKF_MESSAGE_ENCRYPT.
var aeads = []aead{
	{p11.CKM_AES_GCM, p11.CKK_AES, p11.MessageGCM, 12, 16},
	{p11.CKM_AES_GCM, p11.CKK_AES, p11.MessageGCM, 12, 13},
	{p11.CKM_AES_GCM, p11.CKK_AES, p11.MessageGCM, 17, 16},
	{p11.CKM_AES_CCM, p11.CKK_AES, p11.MessageCCM, 7, 16},
	{p11.CKM_AES_CCM, p11.CKK_AES, p11.MessageCCM, 13, 8},
	{p11.CKM_CHACHA20_POLY1305, p11.CKK_CHACHA20, p11.MessageChaCha20Poly1305, 12, 16},
	{p11.CKM_CHACHA20_POLY1305, p11.CKK_CHACHA20, p11.MessageChaCha20Poly1305, 24, 16},
}

func (a *aead) params(n int) *p11.MessageParams {
	p := &p11.MessageParams{Kind: a.kind, IV: random(a.nonce), Tag: make([]byte, a.tag), TagLen: a.tag}
	if a.kind == p11.MessageCCM {
		p.DataLen = uint64(n)
	}
	return p
}

func (a *aead) generates(n int, g p11.Generator, fixed uint64) *p11.MessageParams {
	p := a.params(n)
	p.Generator, p.FixedBits = g, fixed
	return p
}

func (a *aead) create(h *Host, s p11.SessionHandle, parts ...attr.Values) p11.ObjectHandle {
	h.Helper()
	return h.Create(s, Secret(a.key, random(32)), Join(parts...))
}

func eachAEAD(t *testing.T, f func(h *Host, s p11.SessionHandle, a *aead)) {
	Each(t, func(h *Host) {
		for i := range aeads {
			a := &aeads[i]
			h.Case(a.m.String()+" "+hex.EncodeToString([]byte{byte(a.nonce), byte(a.tag)}), func(h *Host) {
				h.Fresh()
				f(h, h.User(), a)
			})
		}
	})
}

const end = p11.CKF_END_OF_MESSAGE

// startBoth begins both processes with one key.
func (a *aead) startBoth(h *Host, s p11.SessionHandle) p11.ObjectHandle {
	h.Helper()
	k := a.create(h, s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
	h.Must(h.MessageEncryptInit(s, Mech(a.m), k))
	h.Must(h.MessageDecryptInit(s, Mech(a.m), k))
	return k
}

func TestMessages(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		k := a.startBoth(h, s)
		for _, n := range []int{0, 1, 15, 16, 17, 1000, 65 << 10, 300 << 10} {
			plain, aad := random(n), random(n%31)
			if a.nonce == 13 && n > 65535 {
				p := a.params(n)
				h.Want(h.EncryptMessage(s, p, aad, plain, &p11.Out{Buf: make([]byte, n)}), p11.CKR_DATA_LEN_RANGE)
				continue
			}
			p := a.params(n)
			given := bytes.Clone(p.IV)
			ct := h.Output(func(out *p11.Out) error { return h.EncryptMessage(s, p, aad, plain, out) })
			if len(ct) != n || !bytes.Equal(p.IV, given) {
				h.Fatalf("%d bytes of %d, or the caller's IV was changed", len(ct), n)
			}
			// C_Encrypt makes the same with the tag behind.
			h.Must(h.EncryptInit(s, Mech(a.m, a.classic(p, aad, n)), k))
			if whole := h.Output(func(out *p11.Out) error { return h.Encrypt(s, plain, out) }); !bytes.Equal(whole, append(bytes.Clone(ct), p.Tag...)) {
				h.Fatalf("%d bytes: C_EncryptMessage and C_Encrypt differ", n)
			}
			got := h.Output(func(out *p11.Out) error { return h.DecryptMessage(s, p, aad, ct, out) })
			if !bytes.Equal(got, plain) {
				h.Fatalf("%d bytes come back wrong", n)
			}
			// In parts, with the same IV.
			q := a.params(n)
			q.IV = p.IV
			h.Must(h.EncryptMessageBegin(s, q, aad))
			var parts []byte
			for _, cut := range [][2]int{{0, n / 3}, {n / 3, n / 2}} {
				part := plain[cut[0]:cut[1]]
				out := p11.Out{Buf: make([]byte, len(part)+3)}
				h.Must(h.EncryptMessageNext(s, q, part, &out, 0))
				parts = append(parts, out.Buf[:out.N]...)
			}
			last := h.Output(func(out *p11.Out) error { return h.EncryptMessageNext(s, q, plain[n/2:], out, end) })
			if parts = append(parts, last...); !bytes.Equal(parts, ct) || !bytes.Equal(q.Tag, p.Tag) {
				h.Fatalf("%d bytes in parts differ from those in one", n)
			}
			h.Must(h.DecryptMessageBegin(s, q, aad))
			out := p11.Out{Buf: make([]byte, n)}
			h.Must(h.DecryptMessageNext(s, q, ct[:n/2], &out, 0))
			if out.N != 0 || len(bytes.Trim(out.Buf, "\x00")) != 0 {
				h.Fatal("plaintext was given out before the tag was checked")
			}
			got = h.Output(func(out *p11.Out) error { return h.DecryptMessageNext(s, q, ct[n/2:], out, end) })
			if !bytes.Equal(got, plain) {
				h.Fatalf("%d bytes in parts come back wrong", n)
			}
		}
		h.Must(h.MessageEncryptFinal(s))
		h.Must(h.MessageDecryptFinal(s))
		h.Want(h.MessageEncryptFinal(s), notInitialized)
		h.Want(h.MessageDecryptFinal(s), notInitialized)
	})
}

// classic is the parameter of C_EncryptInit for the same message.
func (a *aead) classic(p *p11.MessageParams, aad []byte, n int) p11.Params {
	switch a.kind {
	case p11.MessageGCM:
		return p11.GCMParams{IV: p.IV, AAD: aad, TagBits: uint64(8 * a.tag)}
	case p11.MessageCCM:
		return p11.CCMParams{Nonce: p.IV, AAD: aad, MACLen: uint64(a.tag), DataLen: uint64(n)}
	}
	return p11.ChaCha20Poly1305Params{Nonce: p.IV, AAD: aad}
}

func TestMessagesThatWereChanged(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		a.startBoth(h, s)
		plain, aad := []byte("attack at dawn, or so"), []byte("header")
		p := a.params(len(plain))
		ct := h.Output(func(out *p11.Out) error { return h.EncryptMessage(s, p, aad, plain, out) })
		flip := func(b []byte) []byte { c := bytes.Clone(b); c[len(c)/2] ^= 1; return c }
		for what, bad := range map[string]struct{ iv, aad, ct, tag []byte }{
			"the IV":                  {flip(p.IV), aad, ct, p.Tag},
			"the associated data":     {p.IV, flip(aad), ct, p.Tag},
			"no associated data":      {p.IV, nil, ct, p.Tag},
			"more associated data":    {p.IV, append(bytes.Clone(aad), 0), ct, p.Tag},
			"the ciphertext":          {p.IV, aad, flip(ct), p.Tag},
			"the ciphertext cut":      {p.IV, aad, ct[1:], p.Tag},
			"the ciphertext extended": {p.IV, aad, append(bytes.Clone(ct), 0), p.Tag},
			"no ciphertext":           {p.IV, aad, []byte{}, p.Tag},
			"the tag":                 {p.IV, aad, ct, flip(p.Tag)},
			"the last bit of the tag": {p.IV, aad, ct, append(bytes.Clone(p.Tag[:a.tag-1]), p.Tag[a.tag-1]^1)},
		} {
			h.Case(what, func(h *Host) {
				q := a.params(len(bad.ct))
				q.IV, q.Tag = bad.iv, bad.tag
				out := p11.Out{Buf: bytes.Repeat([]byte{0xee}, 64)}
				h.Want(h.DecryptMessage(s, q, bad.aad, bad.ct, &out), p11.CKR_AEAD_DECRYPT_FAILED)
				leaks(h, out.Buf, plain)
				h.Must(h.DecryptMessageBegin(s, q, bad.aad))
				h.Must(h.DecryptMessageNext(s, q, bad.ct[:len(bad.ct)/2], &out, 0))
				h.Want(h.DecryptMessageNext(s, q, bad.ct[len(bad.ct)/2:], &out, end), p11.CKR_AEAD_DECRYPT_FAILED)
				leaks(h, out.Buf, plain)
				h.Want(h.DecryptMessageNext(s, q, nil, &out, end), notInitialized)
				// The process goes on.
				got := h.Output(func(out *p11.Out) error { return h.DecryptMessage(s, p, aad, ct, out) })
				if !bytes.Equal(got, plain) {
					h.Error("the next message comes back wrong")
				}
			})
		}
	})
}

func leaks(h *Host, buf, plain []byte) {
	h.Helper()
	for i := 0; i+4 <= len(plain); i++ {
		if bytes.Contains(buf, plain[i:i+4]) {
			h.Fatal("the buffer has plaintext that was not authentic")
		}
	}
}

func TestMessageParameters(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		a.startBoth(h, s)
		plain := make([]byte, 20)
		for what, change := range map[string]func(p *p11.MessageParams){
			"no IV":             func(p *p11.MessageParams) { p.IV = nil },
			"no tag":            func(p *p11.MessageParams) { p.Tag = nil },
			"a tag of 3 bytes":  func(p *p11.MessageParams) { p.Tag, p.TagLen = p.Tag[:3], 3 },
			"a tag of 17 bytes": func(p *p11.MessageParams) { p.Tag, p.TagLen = make([]byte, 17), 17 },
			"another generator": func(p *p11.MessageParams) { p.Generator = 77 },
			"all bits fixed":    func(p *p11.MessageParams) { p.Generator, p.FixedBits = p11.CKG_GENERATE, uint64(8*len(p.IV)) },
			"too many fixed":    func(p *p11.MessageParams) { p.Generator, p.FixedBits = p11.CKG_GENERATE_COUNTER, 1<<60 },
		} {
			chacha := a.kind == p11.MessageChaCha20Poly1305
			if chacha && what != "no IV" && what != "no tag" {
				continue // its parameter has none of this
			}
			h.Case(what, func(h *Host) {
				p := a.params(len(plain))
				change(p)
				h.Want(h.EncryptMessage(s, p, nil, plain, room()), p11.CKR_MECHANISM_PARAM_INVALID)
				if p.Generator == 0 {
					h.Want(h.DecryptMessage(s, p, nil, plain, room()), p11.CKR_MECHANISM_PARAM_INVALID)
				}
			})
		}
		if a.kind == p11.MessageCCM {
			p := a.params(19)
			h.Want(h.EncryptMessage(s, p, nil, plain, room()), p11.CKR_DATA_LEN_RANGE)
			h.Want(h.DecryptMessage(s, p, nil, plain, room()), p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
			h.Must(h.EncryptMessageBegin(s, p, nil))
			h.Want(h.EncryptMessageNext(s, p, plain, room(), 0), p11.CKR_DATA_LEN_RANGE)
			h.Must(h.EncryptMessageBegin(s, p, nil))
			h.Want(h.EncryptMessageNext(s, p, plain[:18], room(), end), p11.CKR_DATA_LEN_RANGE)
			h.Must(h.DecryptMessageBegin(s, p, nil))
			h.Want(h.DecryptMessageNext(s, p, plain, room(), end), p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
		}
		// The parameter of another mechanism, and none.
		h.Must(h.MessageEncryptFinal(s))
		h.Want(h.EncryptMessage(s, a.params(20), nil, plain, room()), notInitialized)
	})
}

// TestIVGenerators: an IV never repeats in a process, the fixed part is the
// caller's, and what a counter has no room for is refused.
func TestIVGenerators(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		if a.kind == p11.MessageChaCha20Poly1305 {
			return // its parameter has no generator
		}
		k := a.create(h, s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
		start := func() {
			h.Idle(s)
			h.Must(h.MessageEncryptInit(s, Mech(a.m), k))
		}
		bits := uint64(8 * a.nonce)
		seal := func(p *p11.MessageParams) error { return h.EncryptMessage(s, p, nil, nil, &p11.Out{Buf: []byte{}}) }
		for _, g := range []p11.Generator{p11.CKG_GENERATE, p11.CKG_GENERATE_RANDOM, p11.CKG_GENERATE_COUNTER, p11.CKG_GENERATE_COUNTER_XOR} {
			for _, fixed := range []uint64{0, bits - 56, 3, bits - 61} {
				if bits-fixed < 56 && (g == p11.CKG_GENERATE || g == p11.CKG_GENERATE_RANDOM) || fixed > bits {
					continue
				}
				start()
				base := random(a.nonce)
				seen := map[string]bool{}
				for i := range 300 {
					p := a.generates(0, g, fixed)
					copy(p.IV, base)
					h.Must(seal(p))
					if seen[string(p.IV)] {
						h.Fatalf("%v, %d bits fixed: the IV %x comes twice", g, fixed, p.IV)
					}
					seen[string(p.IV)] = true
					for b := range bits {
						same := (p.IV[b/8]^base[b/8])>>(7-b%8)&1 == 0
						if b < fixed && !same {
							h.Fatalf("%v: bit %d of %d fixed ones was changed", g, b, fixed)
						}
					}
					want := bytes.Clone(base)
					switch g {
					case p11.CKG_GENERATE_COUNTER:
						for b := fixed; b < bits; b++ {
							want[b/8] &^= 1 << (7 - b%8)
						}
						fallthrough
					case p11.CKG_GENERATE_COUNTER_XOR:
						want[a.nonce-1] ^= byte(i)
						want[a.nonce-2] ^= byte(i >> 8)
						if !bytes.Equal(p.IV, want) {
							h.Fatalf("%v: message %d has the IV %x, want %x", g, i, p.IV, want)
						}
					}
					got := a.opens(h, s, k, p)
					h.Must(got)
				}
				p := a.generates(0, p11.CKG_GENERATE_COUNTER, fixed)
				if g == p11.CKG_GENERATE_COUNTER {
					p.Generator = p11.CKG_GENERATE
				}
				copy(p.IV, base)
				h.Want(seal(p), p11.CKR_MECHANISM_PARAM_INVALID) // one generator for a process
				p = a.generates(0, g, fixed)
				copy(p.IV, base)
				p.IV[0] ^= 0x80
				if fixed > 0 || g == p11.CKG_GENERATE_COUNTER_XOR {
					h.Want(seal(p), p11.CKR_MECHANISM_PARAM_INVALID) // and one fixed part
				}
				h.Must(seal(a.params(0))) // the caller's own IV goes in between
			}
		}
		for _, g := range []p11.Generator{p11.CKG_GENERATE_COUNTER, p11.CKG_GENERATE_COUNTER_XOR} {
			start()
			base := random(a.nonce)
			for i := range 9 {
				p := a.generates(0, g, bits-3)
				copy(p.IV, base)
				want := ok
				if i == 8 {
					want = p11.CKR_MECHANISM_PARAM_INVALID // it would wrap
				}
				h.Want(seal(p), want)
			}
		}
		for _, g := range []p11.Generator{p11.CKG_GENERATE, p11.CKG_GENERATE_RANDOM} {
			start()
			h.Want(seal(a.generates(0, g, bits-55)), p11.CKR_MECHANISM_PARAM_INVALID)
			h.Must(seal(a.generates(0, g, 0)))
		}
		// What asks for the length, and what fails beforehand, uses up no IV.
		start()
		p := a.generates(5, p11.CKG_GENERATE_COUNTER, 8)
		given := bytes.Clone(p.IV)
		h.Must(h.EncryptMessage(s, p, nil, make([]byte, 5), &p11.Out{}))
		h.Want(h.EncryptMessage(s, p, nil, make([]byte, 5), &p11.Out{Buf: make([]byte, 4)}), tooSmall)
		if !bytes.Equal(p.IV, given) {
			h.Error("an IV was given out for nothing")
		}
		h.Must(h.EncryptMessage(s, p, nil, make([]byte, 5), room()))
		if p.IV[a.nonce-1] != 0 {
			h.Errorf("the first IV is %x", p.IV)
		}
		// In parts the IV is there from the beginning on.
		p = a.generates(3, p11.CKG_GENERATE_COUNTER, 8)
		copy(p.IV, given)
		h.Must(h.EncryptMessageBegin(s, p, nil))
		if p.IV[a.nonce-1] != 1 {
			h.Errorf("the second IV is %x", p.IV)
		}
	})
}

// opens decrypts an empty message in a session of its own.
func (a *aead) opens(h *Host, s p11.SessionHandle, k p11.ObjectHandle, p *p11.MessageParams) error {
	h.Helper()
	if err := h.MessageDecryptInit(s, Mech(a.m), k); err != nil && p11.Code(err) != active {
		return err
	}
	return h.DecryptMessage(s, p, nil, nil, &p11.Out{Buf: []byte{}})
}

// A messageBench is what the matrix of message functions works with.
type messageBench struct {
	name                string
	flag                p11.Flags
	init, cancel, final func() error
	whole, next, last   func(out *p11.Out) error // last is right, for what next has taken
	begin               func() error
	wrongWhole          func() error
	output, parts       bool // whole and last, next have an output
}

func messageBenches(h *Host, s p11.SessionHandle) []messageBench {
	a := &aeads[0]
	k := a.create(h, s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
	gcm, cmac := Mech(a.m), Mech(p11.CKM_AES_CMAC)
	data := make([]byte, 20)
	p := a.params(20)
	h.Must(h.MessageEncryptInit(s, gcm, k))
	ct := h.Output(func(out *p11.Out) error { return h.EncryptMessage(s, p, nil, data, out) })
	h.Must(h.MessageSignInit(s, cmac, k))
	mac := h.Output(func(out *p11.Out) error { return h.SignMessage(s, data, out) })
	bad := a.params(20)
	h.Idle(s)
	return []messageBench{
		{name: "encryption", flag: p11.CKF_MESSAGE_ENCRYPT, output: true, parts: true,
			init: func() error { return h.MessageEncryptInit(s, gcm, k) }, cancel: func() error { return h.MessageEncryptInit(s, nil, 0) },
			final:      func() error { return h.MessageEncryptFinal(s) },
			whole:      func(out *p11.Out) error { return h.EncryptMessage(s, a.params(20), nil, data, out) },
			begin:      func() error { return h.EncryptMessageBegin(s, a.params(20), nil) },
			next:       func(out *p11.Out) error { return h.EncryptMessageNext(s, a.params(20), data[:9], out, 0) },
			last:       func(out *p11.Out) error { return h.EncryptMessageNext(s, a.params(20), data[9:], out, end) },
			wrongWhole: func() error { q := a.params(20); q.IV = nil; return h.EncryptMessage(s, q, nil, data, room()) }},
		{name: "decryption", flag: p11.CKF_MESSAGE_DECRYPT, output: true,
			init: func() error { return h.MessageDecryptInit(s, gcm, k) }, cancel: func() error { return h.MessageDecryptInit(s, nil, 0) },
			final:      func() error { return h.MessageDecryptFinal(s) },
			whole:      func(out *p11.Out) error { return h.DecryptMessage(s, p, nil, ct, out) },
			begin:      func() error { return h.DecryptMessageBegin(s, p, nil) },
			next:       func(*p11.Out) error { return h.DecryptMessageNext(s, p, ct[:9], room(), 0) },
			last:       func(out *p11.Out) error { return h.DecryptMessageNext(s, p, ct[9:], out, end) },
			wrongWhole: func() error { return h.DecryptMessage(s, bad, nil, ct, room()) }},
		{name: "signing", flag: p11.CKF_MESSAGE_SIGN, output: true,
			init: func() error { return h.MessageSignInit(s, cmac, k) }, cancel: func() error { return h.MessageSignInit(s, nil, 0) },
			final:      func() error { return h.MessageSignFinal(s) },
			whole:      func(out *p11.Out) error { return h.SignMessage(s, data, out) },
			begin:      func() error { return h.SignMessageBegin(s) },
			next:       func(*p11.Out) error { return h.SignMessageNext(s, data[:9], nil) },
			last:       func(out *p11.Out) error { return h.SignMessageNext(s, data[9:], out) },
			wrongWhole: nil},
		{name: "verification", flag: p11.CKF_MESSAGE_VERIFY,
			init: func() error { return h.MessageVerifyInit(s, cmac, k) }, cancel: func() error { return h.MessageVerifyInit(s, nil, 0) },
			final:      func() error { return h.MessageVerifyFinal(s) },
			whole:      func(*p11.Out) error { return h.VerifyMessage(s, data, mac) },
			begin:      func() error { return h.VerifyMessageBegin(s) },
			next:       func(*p11.Out) error { return h.VerifyMessageNext(s, data[:9], nil) },
			last:       func(*p11.Out) error { return h.VerifyMessageNext(s, data[9:], mac) },
			wrongWhole: func() error { return h.VerifyMessage(s, data[1:], mac) }},
	}
}

// The states of a message process.
const (
	noProcess = iota
	process
	message
)

var messageStates = []string{"no process", "a process", "a message"}

func (b *messageBench) enter(h *Host, s p11.SessionHandle, st int) {
	h.Helper()
	h.Idle(s)
	if st >= process {
		h.Must(b.init())
	}
	if st == message {
		h.Must(b.begin())
		h.Must(b.next(room()))
	}
}

// is finds out the state, and ends it.
func (b *messageBench) is(h *Host, s p11.SessionHandle) int {
	h.Helper()
	defer h.Idle(s)
	switch p11.Code(b.final()) {
	case ok:
		return process
	case active:
		h.Must(b.last(room())) // and the message is whole
		return message
	}
	return noProcess
}

func TestEveryMessageCallInEveryState(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		benches := messageBenches(h, s)
		for i := range benches {
			b := &benches[i]
			steps := []struct {
				name string
				run  func() error
				in   [3]p11.RV
				next [3]int
				only bool
			}{
				{"Init", b.init, [3]p11.RV{ok, active, active}, [3]int{process, process, message}, true},
				{"Init with a NULL mechanism", b.cancel, [3]p11.RV{ok, ok, ok}, [3]int{noProcess, noProcess, noProcess}, true},
				{"Final", b.final, [3]p11.RV{notInitialized, ok, active}, [3]int{noProcess, noProcess, message}, true},
				{"the call of one part", func() error { return b.whole(room()) }, [3]p11.RV{notInitialized, ok, active}, [3]int{noProcess, process, message}, true},
				{"the call of one part, asking for the length", func() error { return b.whole(&p11.Out{}) },
					[3]p11.RV{notInitialized, ok, active}, [3]int{noProcess, process, message}, b.output},
				{"the call of one part with a short buffer", func() error { return b.whole(&p11.Out{Buf: make([]byte, 3)}) },
					[3]p11.RV{notInitialized, tooSmall, active}, [3]int{noProcess, process, message}, b.output},
				{"the call of one part that fails", b.wrongWhole, [3]p11.RV{notInitialized, wrong, active}, [3]int{noProcess, process, message}, b.wrongWhole != nil},
				{"Begin", b.begin, [3]p11.RV{notInitialized, ok, active}, [3]int{noProcess, -1, message}, true},
				{"Next", func() error { return b.next(room()) }, [3]p11.RV{notInitialized, notInitialized, ok}, [3]int{noProcess, process, -1}, true},
				{"Next, asking for the length", func() error { return b.next(&p11.Out{}) }, [3]p11.RV{notInitialized, notInitialized, ok}, [3]int{noProcess, process, message}, b.parts},
				{"Next with a short buffer", func() error { return b.next(&p11.Out{Buf: make([]byte, 3)}) }, [3]p11.RV{notInitialized, notInitialized, tooSmall}, [3]int{noProcess, process, message}, b.parts},
				{"the last Next", func() error { return b.last(room()) }, [3]p11.RV{notInitialized, notInitialized, ok}, [3]int{noProcess, process, process}, true},
				{"the last Next, asking for the length", func() error { return b.last(&p11.Out{}) }, [3]p11.RV{notInitialized, notInitialized, ok}, [3]int{noProcess, process, message}, b.output},
				{"the last Next with a short buffer", func() error { return b.last(&p11.Out{Buf: make([]byte, 3)}) }, [3]p11.RV{notInitialized, notInitialized, tooSmall}, [3]int{noProcess, process, message}, b.output},
				{"C_SessionCancel", func() error { return h.SessionCancel(s, b.flag) }, [3]p11.RV{ok, ok, ok}, [3]int{noProcess, noProcess, noProcess}, true},
				{"C_SessionCancel of all else", func() error { return h.SessionCancel(s, ^b.flag) }, [3]p11.RV{ok, ok, ok}, [3]int{noProcess, process, message}, true},
			}
			for _, step := range steps {
				if !step.only {
					continue
				}
				for st := range 3 {
					b.enter(h, s, st)
					got := p11.Code(step.run())
					want, next := step.in[st], step.next[st]
					if bad := want == wrong && got == ok || want != wrong && got != want; bad {
						h.Errorf("%s, %s: %s answers %v, want %v", b.name, messageStates[st], step.name, got, want)
					}
					if next < 0 {
						continue // Begin leaves a message, of which last is not the rest
					}
					if is := b.is(h, s); is != next {
						h.Errorf("%s, %s: %s leaves %s, want %s", b.name, messageStates[st], step.name, messageStates[is], messageStates[next])
					}
				}
			}
			// Beside all the others, and beside the operations of C_EncryptInit and its like.
			h.Idle(s)
			for j := range benches {
				benches[j].enter2(h)
			}
			for j := range benches {
				h.Must(benches[j].last(room()))
				h.Must(benches[j].final())
			}
		}
	})
}

// enter2 begins a message without ending what else there is.
func (b *messageBench) enter2(h *Host) {
	h.Helper()
	h.Must(b.init())
	h.Must(b.begin())
	h.Must(b.next(room()))
}

// An error in Next ends the message, not the process.
func TestErrorsWithinAMessage(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		a := &aeads[0]
		a.startBoth(h, s)
		p := a.params(0)
		for what, bad := range map[string]func() error{
			"unknown flags": func() error { return h.EncryptMessageNext(s, p, []byte{1}, room(), 2) },
			"another tag length": func() error {
				q := *p
				q.TagLen = 13
				q.Tag = q.Tag[:13]
				return h.EncryptMessageNext(s, &q, []byte{1}, room(), 0)
			},
			"no place for the tag": func() error { q := *p; q.Tag = nil; return h.EncryptMessageNext(s, &q, []byte{1}, room(), end) },
		} {
			h.Case(what, func(h *Host) {
				h.Must(h.EncryptMessageBegin(s, p, nil))
				h.Want(bad(), p11.CKR_ARGUMENTS_BAD, p11.CKR_MECHANISM_PARAM_INVALID)
				h.Want(h.EncryptMessageNext(s, p, nil, room(), end), notInitialized)
				h.Want(h.EncryptMessage(s, p, nil, []byte{1}, room()), ok)
			})
		}
	})
}

func TestMessageInitAsksForTheKeysAttributes(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		gcm, cmac := Mech(p11.CKM_AES_GCM), Mech(p11.CKM_AES_CMAC)
		all := Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY)
		for use, init := range map[p11.AttributeType]func(k p11.ObjectHandle) error{
			p11.CKA_ENCRYPT: func(k p11.ObjectHandle) error { return h.MessageEncryptInit(s, gcm, k) },
			p11.CKA_DECRYPT: func(k p11.ObjectHandle) error { return h.MessageDecryptInit(s, gcm, k) },
			p11.CKA_SIGN:    func(k p11.ObjectHandle) error { return h.MessageSignInit(s, cmac, k) },
			p11.CKA_VERIFY:  func(k p11.ObjectHandle) error { return h.MessageVerifyInit(s, cmac, k) },
		} {
			h.Case(use.String(), func(h *Host) {
				h.Idle(s)
				h.Want(init(h.AES(s, Join(all, No(use)))), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
				h.Want(init(h.AES(s, all, attr.Values{mechanisms(p11.CKM_AES_ECB)})), p11.CKR_MECHANISM_INVALID)
				h.Want(init(h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(16)))), p11.CKR_KEY_TYPE_INCONSISTENT)
				h.Want(init(0), p11.CKR_KEY_HANDLE_INVALID)
				h.Want(init(h.AES(s, all)), ok)
				h.Want(init(h.AES(s, all)), active)
			})
		}
		h.Idle(s)
		k := h.AES(s, all)
		h.Want(h.VerifySignatureInit(s, cmac, h.AES(s, Join(all, No(p11.CKA_VERIFY))), make([]byte, 16)), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
		h.Want(h.VerifySignatureInit(s, Mech(p11.CKM_AES_ECB), k, make([]byte, 16)), p11.CKR_MECHANISM_INVALID)
		h.Want(h.VerifySignatureInit(s, cmac, k, make([]byte, 1<<21)), p11.CKR_SIGNATURE_LEN_RANGE)
		h.Want(h.VerifySignature(s, nil), notInitialized)
		for _, m := range []p11.MechanismType{p11.CKM_AES_ECB, p11.CKM_AES_CBC, p11.CKM_SHA256} {
			h.Want(h.MessageEncryptInit(s, Mech(m), k), p11.CKR_MECHANISM_INVALID)
			h.Want(h.MessageDecryptInit(s, Mech(m), k), p11.CKR_MECHANISM_INVALID)
		}
		// The parameter of Init is that of a message, as in the standard's example.
		h.Must(h.MessageEncryptInit(s, Mech(p11.CKM_AES_GCM, *aeads[0].params(0)), k))
		// A logout ends what uses a private key.
		h.Must(h.EncryptMessageBegin(s, aeads[0].params(0), nil))
		h.Must(h.Logout(s))
		h.Want(h.EncryptMessageNext(s, aeads[0].params(0), nil, room(), end), notInitialized)
		h.Want(h.MessageEncryptFinal(s), notInitialized)
	})
}

// Each message of a key with CKA_ALWAYS_AUTHENTICATE asks for the PIN again.
func TestMessagesAndAlwaysAuthenticate(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := h.Create(s, KeyOf(p11.CKK_RSA).Own, Yes(p11.CKA_SIGN, p11.CKA_ALWAYS_AUTHENTICATE))
		context := func() error { return h.Login(s, p11.CKU_CONTEXT_SPECIFIC, UserPIN) }
		h.Want(context(), notInitialized)
		h.Must(h.MessageSignInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), k))
		out := func() *p11.Out { return &p11.Out{Buf: make([]byte, 256)} }
		for range 2 {
			h.Want(h.SignMessage(s, []byte("m"), out()), p11.CKR_USER_NOT_LOGGED_IN)
			h.Must(context())
			h.Must(h.SignMessage(s, []byte("m"), &p11.Out{})) // asking is not signing
			h.Must(h.SignMessage(s, []byte("m"), out()))
		}
		h.Must(h.SignMessageBegin(s))
		h.Want(h.SignMessageNext(s, []byte("m"), nil), p11.CKR_USER_NOT_LOGGED_IN)
		h.Want(h.SignMessageNext(s, []byte("m"), nil), notInitialized)
		h.Must(h.SignMessageBegin(s))
		h.Must(context())
		h.Must(h.SignMessageNext(s, []byte("m"), nil))
		h.Must(h.SignMessageNext(s, []byte("m"), out()))
		h.Want(h.SignMessage(s, []byte("m"), out()), p11.CKR_USER_NOT_LOGGED_IN)
	})
}

// What C_EncryptMessage makes, crypto/cipher opens.
func TestMessagesOfGCMAreGCM(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		value := random(32)
		k := h.Create(s, Secret(p11.CKK_AES, value), Yes(p11.CKA_ENCRYPT))
		h.Must(h.MessageEncryptInit(s, Mech(p11.CKM_AES_GCM), k))
		block, err := aes.NewCipher(value)
		h.Must(err)
		gcm, err := cipher.NewGCM(block)
		h.Must(err)
		for range 5 {
			p := aeads[0].generates(0, p11.CKG_GENERATE, 0)
			ct := h.Output(func(out *p11.Out) error { return h.EncryptMessage(s, p, []byte("aad"), []byte("plain"), out) })
			got, err := gcm.Open(nil, p.IV, append(ct, p.Tag...), []byte("aad"))
			if err != nil || string(got) != "plain" {
				h.Errorf("%q, %v", got, err)
			}
		}
	})
}

// A message costs no memory: the key was set up once.
func TestAMessageAllocatesNothing(t *testing.T) {
	h := NewHost(t, GoModule)
	s := h.User()
	for _, a := range []*aead{&aeads[0], &aeads[5]} {
		h.Idle(s)
		a.startBoth(h, s)
		p := a.params(1024)
		plain, ct := make([]byte, 1024), &p11.Out{Buf: make([]byte, 1024)}
		out := &p11.Out{Buf: make([]byte, 1024)}
		if n := testing.AllocsPerRun(100, func() {
			h.Must(h.EncryptMessage(s, p, nil, plain, ct))
			h.Must(h.DecryptMessage(s, p, nil, ct.Buf, out))
		}); n != 0 {
			t.Errorf("%v: %v allocations for a message", a.m, n)
		}
	}
}
