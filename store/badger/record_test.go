package badger

import (
	"bytes"
	"math"
	"testing"

	"coffer/store"
)

func TestValuesRoundTrip(t *testing.T) {
	for _, kv := range []store.KV{
		{Key: []byte("k"), Value: []byte("v"), Create: 1, Mod: 1, Version: 1},
		{Key: []byte{0}, Value: []byte{}, Create: 300, Mod: 70_000, Version: 129},
		{Key: []byte("k"), Value: make([]byte, 1000), Create: math.MaxInt64, Mod: math.MaxInt64, Version: math.MaxInt64},
	} {
		b := appendValue([]byte("before"), kv)[len("before"):]
		got, err := parseValue(b, kv.Key, kv.Mod)
		if err != nil || got.Create != kv.Create || got.Mod != kv.Mod || got.Version != kv.Version ||
			!bytes.Equal(got.Value, kv.Value) {
			t.Errorf("got %+v, %v, want %+v", got, err, kv)
		}
	}
}

func TestDamagedValuesAreRefused(t *testing.T) {
	kv := store.KV{Key: []byte("key"), Value: []byte("value"), Create: 300, Mod: 400, Version: 200}
	good := appendValue(nil, kv)
	for n := range good {
		if _, err := parseValue(good[:n], kv.Key, kv.Mod); err == nil {
			t.Errorf("cut to %d bytes: accepted", n)
		}
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[n] ^= 1 << bit
			if _, err := parseValue(bad, kv.Key, kv.Mod); err == nil {
				t.Errorf("bit %d of byte %d: accepted", bit, n)
			}
		}
	}
	if _, err := parseValue(good, []byte("kez"), kv.Mod); err == nil {
		t.Error("under another key: accepted")
	}
	if _, err := parseValue(good, kv.Key, kv.Mod+1); err == nil {
		t.Error("at another revision: accepted")
	}
	floor := appendFloor(nil, 300)
	for n := range floor {
		bad := bytes.Clone(floor)
		bad[n] ^= 1
		if _, err := parseFloor(bad); err == nil {
			t.Errorf("byte %d of the floor: accepted", n)
		}
	}
}

// FuzzRecords checks that nothing on disk can make the parsers panic, and
// that what they accept is what would have been written.
func FuzzRecords(f *testing.F) {
	kv := store.KV{Key: []byte("k"), Value: []byte("v"), Create: 1, Mod: 2, Version: 2}
	f.Add(appendValue(nil, kv), []byte("k"), int64(2))
	f.Add(appendFloor(nil, 1000), []byte("k"), int64(2))
	f.Add([]byte{valueFormat}, []byte{}, int64(0))
	f.Add(append([]byte{valueFormat}, bytes.Repeat([]byte{0xff}, 12)...), []byte("k"), int64(-1))
	f.Fuzz(func(t *testing.T, b, key []byte, mod int64) {
		kv, err := parseValue(b, key, store.Rev(mod))
		if err == nil {
			if kv.Create < 0 || kv.Version < 0 {
				t.Errorf("accepted %+v", kv)
			}
			again, err := parseValue(appendValue(nil, kv), key, store.Rev(mod))
			if err != nil || again.Create != kv.Create || again.Version != kv.Version ||
				!bytes.Equal(again.Value, kv.Value) {
				t.Errorf("%x: got %+v, then %+v, %v", b, kv, again, err)
			}
		}
		if floor, err := parseFloor(b); err == nil {
			if again, err := parseFloor(appendFloor(nil, floor)); err != nil || again != floor || floor < 0 {
				t.Errorf("%x: got %d, then %d, %v", b, floor, again, err)
			}
		}
	})
}
