package main

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unsafe"

	"coffer/p11"
)

func TestDecodeMessage(t *testing.T) {
	iv, tag := make([]byte, 12), make([]byte, 16)
	for _, c := range []struct {
		name string
		kind p11.MessageKind
		in   *memory
		want p11.MessageParams
		err  bool
	}{
		{"GCM", p11.MessageGCM, new(memory).pointer(iv).ulong(12).ulong(32).ulong(2).pointer(tag).ulong(128),
			p11.MessageParams{FixedBits: 32, Generator: p11.CKG_GENERATE_COUNTER, TagLen: 16}, false},
		{"CCM", p11.MessageCCM, new(memory).ulong(99).pointer(iv).ulong(12).ulong(3).ulong(0).pointer(tag).ulong(8),
			p11.MessageParams{FixedBits: 3, TagLen: 8, DataLen: 99}, false},
		{"ChaCha20 in bits", p11.MessageChaCha20Poly1305, new(memory).pointer(iv).ulong(96).pointer(tag), p11.MessageParams{TagLen: 16}, false},
		{"ChaCha20 in bytes", p11.MessageChaCha20Poly1305, new(memory).pointer(iv).ulong(12).pointer(tag), p11.MessageParams{TagLen: 16}, false},
		{"a tag of odd bits", p11.MessageGCM, new(memory).pointer(iv).ulong(12).ulong(0).ulong(0).pointer(tag).ulong(127), p11.MessageParams{}, true},
		{"a tag beyond memory", p11.MessageGCM, new(memory).pointer(iv).ulong(12).ulong(0).ulong(0).pointer(tag).ulong(1 << 63), p11.MessageParams{}, true},
		{"a MAC whose bits wrap", p11.MessageCCM, new(memory).ulong(0).pointer(iv).ulong(12).ulong(0).ulong(0).pointer(tag).ulong(1 << 61), p11.MessageParams{}, true},
		{"an IV beyond memory", p11.MessageGCM, new(memory).pointer(iv).ulong(1 << 62).ulong(0).ulong(0).pointer(tag).ulong(128), p11.MessageParams{}, true},
		{"an IV that is NULL", p11.MessageGCM, new(memory).null().ulong(12).ulong(0).ulong(0).pointer(tag).ulong(128), p11.MessageParams{}, true},
		{"too short", p11.MessageGCM, new(memory).pointer(iv).ulong(12), p11.MessageParams{}, true},
		{"too long", p11.MessageChaCha20Poly1305, new(memory).pointer(iv).ulong(12).pointer(tag).ulong(0), p11.MessageParams{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodeMessage(c.kind, unsafe.Pointer(unsafe.SliceData(c.in.words)), uint64(len(c.in.words)))
			if c.err {
				if p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if &got.IV[0] != &iv[0] || len(got.IV) != 12 || &got.Tag[0] != &tag[0] || len(got.Tag) != c.want.TagLen {
				t.Fatal("the IV or the tag is not the caller's memory")
			}
			got.IV, got.Tag = nil, nil
			if c.want.Kind = c.kind; got.Kind != c.want.Kind || got.FixedBits != c.want.FixedBits || got.Generator != c.want.Generator ||
				got.TagLen != c.want.TagLen || got.DataLen != c.want.DataLen {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if _, err := decodeMessage(p11.MessageGCM, nil, 48); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
		t.Errorf("NULL: %v", err)
	}
}

// FuzzMessage lets the words of a parameter be anything, but for pointers,
// which lead to memory as long as is said, or nowhere if the length is more
// than is believed.
func FuzzMessage(f *testing.F) {
	places := map[p11.MessageKind]struct{ iv, tag int }{
		p11.MessageGCM: {0, 32}, p11.MessageCCM: {8, 40}, p11.MessageChaCha20Poly1305: {0, 16},
	}
	for kind := p11.MessageNone + 1; kind < p11.NumMessageKinds; kind++ {
		f.Add(uint8(kind), make([]byte, 56))
		f.Add(uint8(kind), bytes.Repeat([]byte{0xff}, 48))
		f.Add(uint8(kind), bytes.Repeat([]byte{8, 0, 0, 0, 0, 0, 0, 0}, 3))
	}
	f.Fuzz(func(t *testing.T, k uint8, raw []byte) {
		kind := p11.MessageNone + 1 + p11.MessageKind(k)%(p11.NumMessageKinds-1)
		at := places[kind]
		words := bytes.Clone(raw)
		behind := make([]byte, maxIV)
		if len(words) >= at.tag+8 {
			for _, p := range []int{at.iv, at.tag} {
				address := uint64(0)
				if words[p]&1 != 0 {
					address = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(behind))))
				}
				binary.LittleEndian.PutUint64(words[p:], address)
			}
		}
		got, err := decodeMessage(kind, unsafe.Pointer(unsafe.SliceData(words)), uint64(len(words)))
		if err != nil {
			if p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
				t.Fatalf("got %v", err)
			}
			return
		}
		if len(got.IV) > maxIV || got.TagLen < 0 || got.TagLen > 64 || got.Tag != nil && len(got.Tag) != got.TagLen {
			t.Fatalf("got an IV of %d bytes and a tag of %d, %d", len(got.IV), len(got.Tag), got.TagLen)
		}
		clear(got.IV) // it is there
		clear(got.Tag)
	})
}
