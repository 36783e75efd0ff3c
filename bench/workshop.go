package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The columns of the table.
const (
	coffer = "coffer"
	peer   = "softhsm2"
	bare   = "bare Go"
)

// A workshop holds what was built and the tokens that were made, below one folder.
type workshop struct {
	root     string // of the source tree
	dir      string // of everything built and stored, removed at the end
	p11bench string
	bare     string
	modules  map[string]module
	tokens   map[fixture]token
}

// A module is a library to load, or why there is none.
type module struct {
	path string
	err  error
}

// A fixture says what a token holds: the keys always, and so many more objects. Fixtures of different names
// share nothing.
type fixture struct {
	module  string
	name    string
	objects int
}

// A token is a fixture made: the environment that leads a module to it.
type token struct {
	env []string
	err error
}

// newWorkshop builds the programs, and coffer unless it is given.
func newWorkshop(ctx context.Context, o options) (_ *workshop, err error) {
	gomod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMOD: %w", err)
	}
	dir, err := os.MkdirTemp(o.dir, "coffer-bench-")
	if err != nil {
		return nil, err
	}
	w := &workshop{
		root:    filepath.Dir(strings.TrimSpace(string(gomod))),
		dir:     dir,
		modules: map[string]module{},
		tokens:  map[fixture]token{},
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()

	w.bare = filepath.Join(dir, "bare")
	if err := w.build(ctx, "go", "build", "-o", w.bare, "./bench/bare"); err != nil {
		return nil, err
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	sources, err := filepath.Glob(filepath.Join(w.root, "bench/p11bench/*.c"))
	if err != nil {
		return nil, err
	}
	w.p11bench = filepath.Join(dir, "p11bench")
	args := append([]string{"-std=gnu11", "-O2", "-Wall", "-o", w.p11bench}, sources...)
	if err := w.build(ctx, cc, append(args, "-ldl", "-pthread")...); err != nil {
		return nil, err
	}

	w.modules[coffer] = w.cofferModule(ctx, o.coffer)
	if m := w.modules[coffer]; m.err != nil {
		fmt.Fprintf(os.Stderr, "bench: coffer is not measured: %v\n", m.err)
	}
	w.modules[peer] = module{path: o.peer}
	if o.peer == "" {
		w.modules[peer] = module{err: errors.New("SoftHSM2 is not installed")}
	}
	return w, nil
}

func (w *workshop) close() { os.RemoveAll(w.dir) }

// build runs a compiler in the source tree; what it says is part of the error.
func (w *workshop) build(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = w.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out)
	}
	return nil
}

// cofferModule is the library at path, or one built from the tree as it is.
func (w *workshop) cofferModule(ctx context.Context, path string) module {
	if path != "" {
		path, err := filepath.Abs(path)
		if err == nil {
			_, err = os.Stat(path)
		}
		return module{path, err}
	}
	path = filepath.Join(w.dir, "libcoffer.so")
	return module{path, w.build(ctx, "go", "build", "-buildmode=c-shared",
		"-ldflags", "-X runtime.godebugDefault=asyncpreemptoff=1,invalidptr=0,containermaxprocs=0,updatemaxprocs=0,clobberfree=1", "-o", path, "./cshim")}
}

// token makes the fixture's token, the first time it is asked for.
func (w *workshop) token(ctx context.Context, f fixture) ([]string, error) {
	t, ok := w.tokens[f]
	if !ok {
		t.env, t.err = w.make(ctx, f)
		w.tokens[f] = t
	}
	return t.env, t.err
}

func (w *workshop) make(ctx context.Context, f fixture) ([]string, error) {
	m := w.modules[f.module]
	if m.err != nil {
		return nil, m.err
	}
	dir := filepath.Join(w.dir, f.module+"-"+f.name)
	env, err := environment(m.path, dir, dir)
	if err != nil {
		return nil, err
	}
	// SoftHSM2 takes 10 to 70 ms to write an object to a disk and 1 ms to write it to memory: its tokens are
	// filled in memory, then copied to the disk where they are measured.
	fill, filled := env, dir
	if isSoftHSM(m.path) && f.objects > 0 {
		if ram, err := os.MkdirTemp("/dev/shm", "coffer-bench-"); err == nil {
			defer os.RemoveAll(ram)
			filled = filepath.Join(ram, "token")
			if fill, err = environment(m.path, filled, ram); err != nil {
				return nil, err
			}
		}
	}
	var answer struct{ Ed25519 bool }
	if err := ask(ctx, fill, &answer, w.p11bench, m.path, "init"); err != nil {
		return nil, fmt.Errorf("making a token: %w", err)
	}
	if err := ask(ctx, fill, &answer, w.p11bench, m.path, "keys"); err != nil {
		return nil, fmt.Errorf("making keys: %w", err)
	}
	if f.objects > 0 {
		threads := 8
		if isSoftHSM(m.path) {
			threads = 1 // it is no faster with more
		}
		var s sample
		err := ask(ctx, fill, &s, w.p11bench, m.path, "fill", strconv.Itoa(f.objects), strconv.Itoa(threads))
		if err != nil {
			return nil, fmt.Errorf("filling a token: %w", err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s: %d objects created in %v\n", f.module, f.objects,
			time.Duration(s["wall_ns"]).Round(10*time.Millisecond))
	}
	if filled != dir {
		return env, os.CopyFS(dir, os.DirFS(filled))
	}
	return env, nil
}

func isSoftHSM(path string) bool { return strings.Contains(filepath.Base(path), "softhsm") }

// environment returns all a module gets to know: where its store is. It makes the folder, and for SoftHSM2 a
// configuration file beside it.
func environment(path, dir, conf string) ([]string, error) {
	if !isSoftHSM(path) {
		return []string{"COFFER_STORE=" + dir}, os.MkdirAll(dir, 0o700)
	}
	if conf == dir {
		conf += ".d"
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.MkdirAll(conf, 0o700)); err != nil {
		return nil, err
	}
	file := filepath.Join(conf, "softhsm2.conf")
	text := "directories.tokendir = " + dir + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	return []string{"SOFTHSM2_CONF=" + file}, os.WriteFile(file, []byte(text), 0o600)
}
