package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The columns of the tables: the modules, and what bounds them.
const (
	coffer       = "coffer"
	softhsm      = "softhsm2"
	opencryptoki = "opencryptoki"
	nss          = "nss"
	bareGo       = "bare Go"
	libcrypto    = "libcrypto"
)

var (
	peers   = []string{softhsm, opencryptoki, nss}
	modules = append([]string{coffer}, peers...)
	columns = append(append([]string{}, modules...), bareGo, libcrypto)
)

// peerPaths is where distributions put the peers' libraries.
var peerPaths = map[string][]string{
	softhsm: {
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/*/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
	},
	opencryptoki: {"/usr/lib/*/pkcs11/libopencryptoki.so", "/usr/lib64/pkcs11/libopencryptoki.so"},
	nss:          {"/usr/lib/*/libsoftokn3.so", "/usr/lib/*/nss/libsoftokn3.so", "/usr/lib64/libsoftokn3.so"},
}

// A module is a library to load, or why there is none.
type module struct {
	path string
	err  error
}

func findPeer(name string) module {
	for _, pattern := range peerPaths[name] {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return module{path: found[0]}
		}
	}
	return module{err: fmt.Errorf("%s is not installed", name)}
}

// A place is where a module's token is: what leads the module there, and nothing else of the environment.
type place struct {
	env    []string
	prefix []string // of the command, for a module that lives behind walls
	close  func()
}

// newPlace makes a module's empty place below dir.
func newPlace(name, dir string) (place, error) {
	p := place{close: func() {}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p, err
	}
	switch name {
	case softhsm:
		file, tokens := filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "tokens")
		text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
		p.env = []string{"SOFTHSM2_CONF=" + file}
		return p, errors.Join(os.MkdirAll(tokens, 0o700), os.WriteFile(file, []byte(text), 0o600))
	case nss:
		// With its own number of rounds NSS derives a key from the password at each use of a key on the token,
		// some 20 to 300 ms. One round shows the rest of it. It also asks for an empty PIN of the SO at first.
		p.env = []string{
			"NSS_MAX_MP_PBE_ITERATION_COUNT=1",
			"P11BENCH_SO_PIN=",
			"P11BENCH_INIT=configdir='sql:" + dir + "' certPrefix='' keyPrefix='' secmod='' flags=forceOpen " +
				"tokenDescription='crypto' dbTokenDescription='bench'",
		}
		return p, nil
	case opencryptoki:
		return openCryptokiPlace(dir)
	}
	p.env = []string{"COFFER_STORE=" + dir}
	return p, nil
}

// fillsInMemory says whether a module takes so long for an object on a disk that its larger tokens are filled
// in memory and copied.
func fillsInMemory(name string) bool { return name == softhsm || name == nss }

// fillThreads is how many threads fill a token fastest.
func fillThreads(name string) string {
	if name == coffer {
		return "8"
	}
	return "1"
}

// feasible says whether a module can be filled with so many objects while somebody waits. SoftHSM2 takes 2 ms an
// object in memory and seconds to find one among 10 000; openCryptoki's token is full at 2 048.
func feasible(name string, objects int, quick bool) bool {
	switch name {
	case softhsm:
		return objects <= 1000 || (!quick && objects <= 10_000)
	case opencryptoki:
		return objects <= 1000
	}
	return true
}
