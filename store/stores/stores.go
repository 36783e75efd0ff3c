// Package stores opens a store by its URL, for those who take it from a
// configuration.
//
// # Design
//
// The schemes are one switch: what can be opened stands in one place, and
// nothing registers itself by being imported. An engine that is reached over
// a connection is one more case here.
package stores

import (
	"fmt"
	"strings"
	"time"

	"coffer/store"
	"coffer/store/mem"
	"coffer/store/shared"
)

// Options are what the user of any store may choose. An engine ignores what
// has no meaning for it. The zero value is good.
type Options struct {
	// Wait is how long a call waits for another process that has the store
	// and does not answer, because it is stopped, say: 0 is the engine's
	// default, negative is no longer than it takes to see that.
	Wait time.Duration
	// Group is the id of a group whose members may all use the store; 0 is
	// none, unless the store's folder says otherwise.
	Group int
	// History is how many revisions to keep without being told to compact:
	// 0 is the engine's default.
	History int
	// Ballast, if not nil, is told of a file of the store's that may be cut to
	// nothing, at any time and by anyone, to make room for a write that could
	// not fail in another way; and when that must not be done any more.
	Ballast func(fd int, held bool)
}

// Open opens the store that url names:
//
//	badger:DIR   the folder DIR on this machine, shared by all processes that
//	             open it; the same without "badger:"
//	mem:NAME     in memory, shared by all who open that name in this process
//	mem:         in memory, for the caller alone
//
// A path that contains a colon before any slash has to be written with its
// scheme, or with ./ before it.
func Open(url string, opt Options) (store.Backend, error) {
	engine, name, err := parse(url)
	if err != nil {
		return nil, err
	}
	if engine == inFolder {
		s, err := shared.Open(name, opt.shared())
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	if name == "" {
		return mem.New(), nil
	}
	return mem.Open(name), nil
}

// Verify reads all that the store keeps on disk and returns what is damaged,
// one sentence each. It can be open meanwhile.
func Verify(url string) (problems []string, err error) {
	engine, name, err := parse(url)
	if err != nil || engine != inFolder {
		return nil, err
	}
	return shared.Verify(name)
}

// Repair makes a store usable again that is refused because something in it is
// gone. Nothing is taken away; a copy is kept. It returns what was done, one
// sentence each.
func Repair(url string, opt Options) (did []string, err error) {
	engine, name, err := parse(url)
	if err != nil || engine != inFolder {
		return nil, err
	}
	return shared.Repair(name, opt.shared())
}

func (o Options) shared() shared.Options {
	return shared.Options{Wait: o.Wait, History: o.History, Group: o.Group, Ballast: o.Ballast}
}

// engine is what keeps a store.
type engine int

const (
	inFolder engine = iota + 1
	inMemory
)

// parse returns the engine of a URL, and what it knows the store by.
func parse(url string) (engine, string, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok || strings.Contains(scheme, "/") {
		scheme, rest = "badger", url
	}
	switch scheme {
	case "badger":
		if rest == "" {
			return 0, "", fmt.Errorf("%w: store URL %q names no folder", store.ErrInvalid, url)
		}
		return inFolder, rest, nil
	case "mem":
		return inMemory, rest, nil
	}
	return 0, "", fmt.Errorf("%w: store URL %q: unknown scheme %q; badger and mem are known",
		store.ErrInvalid, url, scheme)
}
