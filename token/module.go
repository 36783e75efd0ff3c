// Package token is the HSM: slots that keep their numbers, tokens, sessions,
// login, objects, and the operation machine. Module has one method for each
// C_ function, in Go terms and under its name less "C_"; the standard's rules
// on who may do what to which key live here, in one place, before any
// mechanism runs.
//
// It refuses to be a C library (cshim), a store (store/…), a cipher (mech) or
// a file format (token/seal).
//
// # Design
//
// An application is one Module: login state, handles and session objects are
// its own, tokens and their objects are shared through the store. A handle
// leads to an entry that keeps the opened, parsed object; C_SignInit and its
// like go from handle to key without touching the store. Operations of one
// session are serialised by its lock; nothing else is shared between sessions
// while they work.
//
// Locks are taken in the order token, then session. No lock is held while the
// store is written but the token's admin lock.
package token

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/mech"
	"coffer/p11"
	"coffer/store"
	"coffer/token/object"
	"coffer/token/policy"
	"coffer/token/seal"
)

// LibraryVersion is coffer's version, as C_GetInfo shows it.
var LibraryVersion = p11.Version{Major: 0, Minor: 1}

const manufacturer = "coffer"

// Config is what a Module is made of.
type Config struct {
	Store    store.Backend  // closed with the Module
	Registry *mech.Registry // nil: every mechanism there is
	Log      *slog.Logger   // nil: nothing is logged
	Policy   policy.Set     // zero: the default policy for all tokens

	Argon2         seal.Argon2   // for PINs that are set; zero: seal.DefaultArgon2
	PINMaxFailures int           // 0: PINs are not locked, only slowed down
	PINDelay       time.Duration // of the second try after a failure, doubling
	PINMaxDelay    time.Duration
}

// Module is a Cryptoki application: what lies between C_Initialize and
// C_Finalize. Its methods are safe for concurrent use.
type Module struct {
	cfg    Config
	store  store.Backend
	reg    *mech.Registry
	log    *slog.Logger
	random io.Reader

	rulebook rulebook
	own      atomic.Pointer[seal.Master] // a key of this process: see ownKey

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	closed atomic.Bool

	slotMu  sync.Mutex // serialises changes of the slot table
	slots   atomic.Pointer[[]*slot]
	scanned atomic.Int64 // the newest revision when slots was read
	events  slotEvents

	sessions table[session]
	objects  table[entry]
}

// Open returns a Module over cfg.Store and owns it from then on, also when it
// fails. It reads the slot table and writes nothing.
func Open(cfg Config) (*Module, error) {
	if cfg.Registry == nil {
		cfg.Registry = mech.NewRegistry(mech.All()...)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Argon2 == (seal.Argon2{}) {
		cfg.Argon2 = seal.DefaultArgon2
	}
	m := &Module{
		cfg:    cfg,
		store:  cfg.Store,
		reg:    cfg.Registry,
		log:    cfg.Log,
		random: rand.Reader,
	}
	m.rulebook = newRulebook(cfg.Policy, cfg.Registry, object.NewFactory(cfg.Registry, rand.Reader))
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if err := m.rescan(); err != nil {
		m.cancel()
		// Nothing was written: that closing fails too is no news.
		_ = cfg.Store.Close()
		return nil, err
	}
	m.events = slotEvents{known: tokensBySlot(*m.slots.Load()), due: map[p11.SlotID]bool{}}
	return m, nil
}

// Close ends every session and closes the store. Calls that are in progress
// end with CKR_CRYPTOKI_NOT_INITIALIZED or with what they were about to
// return; Close waits for none of them.
func (m *Module) Close() error {
	if m.closed.Swap(true) {
		return p11.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	m.cancel()
	for _, s := range *m.slots.Load() {
		if s.token != nil {
			m.closeAll(s.token)
		}
	}
	m.own.Load().Wipe()
	if err := m.store.Close(); err != nil {
		return deviceError(err)
	}
	return nil
}

// GetInfo describes the library.
func (m *Module) GetInfo() (p11.Info, error) {
	if err := m.alive(); err != nil {
		return p11.Info{}, err
	}
	return p11.Info{
		Cryptoki:     p11.Version{Major: p11.CRYPTOKI_VERSION_MAJOR, Minor: p11.CRYPTOKI_VERSION_MINOR},
		Manufacturer: manufacturer,
		Description:  description(),
		Library:      LibraryVersion,
	}, nil
}

// ParamKind returns how the parameter of mechanism t is decoded, and false if
// there is no such mechanism.
func (m *Module) ParamKind(t p11.MechanismType) (p11.ParamKind, bool) {
	row, err := m.reg.Lookup(t)
	if err != nil {
		return 0, false
	}
	return row.Params, true
}

func (m *Module) alive() error {
	if m.closed.Load() {
		return p11.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return nil
}

// GetMechanismList returns the mechanisms that the policy of the slot's token
// leaves, in ascending order. The caller must not change the slice.
func (m *Module) GetMechanismList(id p11.SlotID) ([]p11.MechanismType, error) {
	s, err := m.slot(id)
	if err != nil {
		return nil, err
	}
	return m.rules(s).Mechanisms(), nil
}

// Policy returns the name of the policy of the slot's token.
func (m *Module) Policy(id p11.SlotID) (string, error) {
	s, err := m.slot(id)
	if err != nil {
		return "", err
	}
	return m.rules(s).Name(), nil
}

// GetMechanismInfo describes what the policy leaves of one mechanism.
func (m *Module) GetMechanismInfo(id p11.SlotID, t p11.MechanismType) (p11.MechanismInfo, error) {
	s, err := m.slot(id)
	if err != nil {
		return p11.MechanismInfo{}, err
	}
	return m.rules(s).Info(t)
}

// deviceError gives an error of the store its code.
func deviceError(err error) error {
	switch {
	case err == nil:
		return nil
	case isClosed(err):
		return p11.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if rv := p11.Code(err); rv != p11.CKR_GENERAL_ERROR {
		return err
	}
	return storeError(err)
}

// randomBytes fills a new slice of n bytes.
func (m *Module) randomBytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(m.random, b); err != nil {
		panic(fmt.Sprintf("token: the system's random generator failed: %v", err)) // crypto/rand never does
	}
	return b
}

func slotIndex(slots []*slot, id p11.SlotID) (int, bool) {
	return slices.BinarySearchFunc(slots, id, func(s *slot, id p11.SlotID) int {
		switch {
		case s.id < id:
			return -1
		case s.id > id:
			return 1
		}
		return 0
	})
}

// MessageKind returns how the parameters of messages of a mechanism lie in
// memory, MessageNone if it encrypts none or is not there.
func (m *Module) MessageKind(t p11.MechanismType) p11.MessageKind {
	row, err := m.reg.Lookup(t)
	if err != nil {
		return p11.MessageNone
	}
	return row.MessageKind
}
