package p11test

import (
	"testing"

	"coffer/store"
	"coffer/store/mem"
	"coffer/token"
	"coffer/token/seal"
)

// cheap is how the PINs of the tests are stretched: hardly.
var cheap = seal.Argon2{MemoryKiB: 64, Time: 1, Threads: 1}

// kept is a store that outlives the modules over it, as a folder does.
type kept struct{ store.Backend }

func (kept) Close() error { return nil }

// GoModule opens token.Module over a store in memory.
func GoModule(*testing.T) (func(t *testing.T) Driver, store.Backend) {
	st := mem.New()
	return func(t *testing.T) Driver {
		t.Helper()
		m, err := OpenGo(st)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}, st
}

// OpenGo opens a token.Module over a store, which it does not close.
func OpenGo(st store.Backend) (*token.Module, error) {
	return token.Open(token.Config{Store: kept{st}, Argon2: cheap})
}
