package p11test

import (
	"testing"

	"coffer/store"
	"coffer/store/mem"
	"coffer/token"
	"coffer/token/seal"
	"coffer/token/settings"
)

// cheap is how the PINs of the tests are stretched: hardly.
var cheap = seal.Argon2{MemoryKiB: 64, Time: 1, Threads: 1}

// kept is a store that outlives the modules over it, as a folder does.
type kept struct{ store.Backend }

func (kept) Close() error { return nil }

// everything is the policy of hosts that are not about policies: it refuses
// nothing that a mechanism can do.
const everything = "policy=legacy"

// GoModule opens token.Module over a store in memory.
func GoModule(t *testing.T) (func(t *testing.T) Driver, store.Backend) {
	return goModule(everything)(t)
}

func goModule(config string) Opener {
	return func(*testing.T) (func(t *testing.T) Driver, store.Backend) {
		st := mem.New()
		return func(t *testing.T) Driver {
			t.Helper()
			m, err := openGo(st, config)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}, st
	}
}

// OpenGo opens a token.Module over a store, which it does not close.
func OpenGo(st store.Backend) (*token.Module, error) { return openGo(st, everything) }

func openGo(st store.Backend, config string) (*token.Module, error) {
	set, err := settings.Load(settings.Source{Arg: "store=unused " + config, Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		return nil, err
	}
	return token.Open(token.Config{Store: kept{st}, Argon2: cheap, Policy: set.Policy})
}
