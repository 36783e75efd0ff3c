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
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok || strings.Contains(scheme, "/") {
		scheme, rest = "badger", url
	}
	switch scheme {
	case "badger":
		if rest == "" {
			return nil, fmt.Errorf("%w: store URL %q names no folder", store.ErrInvalid, url)
		}
		s, err := shared.Open(rest, shared.Options{Wait: opt.Wait, History: opt.History, Group: opt.Group})
		if err != nil {
			return nil, err
		}
		return s, nil
	case "mem":
		if rest == "" {
			return mem.New(), nil
		}
		return mem.Open(rest), nil
	}
	return nil, fmt.Errorf("%w: store URL %q: unknown scheme %q; badger and mem are known",
		store.ErrInvalid, url, scheme)
}
