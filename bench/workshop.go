package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A workshop holds what was built and the tokens that were made, below one folder.
type workshop struct {
	root     string // of the source tree
	dir      string // of everything built and stored, removed at the end
	keys     string // of the keys of the programs without a module
	programs map[string]string
	missing  map[string]error // why a program is not there
	modules  map[string]module
	tokens   map[fixture]*token
}

// A fixture says what a token holds: the keys that its measures ask for, and so many more objects. Fixtures of
// different names share nothing.
type fixture struct {
	module  string
	name    string
	objects int
}

// A token is a fixture made.
type token struct {
	place
	dir   string
	empty sample // the sizes of the store before it was filled
	fill  sample
	err   error
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
		root:     filepath.Dir(strings.TrimSpace(string(gomod))),
		dir:      dir,
		keys:     filepath.Join(dir, "keys"),
		programs: map[string]string{},
		missing:  map[string]error{},
		modules:  map[string]module{},
		tokens:   map[fixture]*token{},
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := os.Mkdir(w.keys, 0o700); err != nil {
		return nil, err
	}
	if err := w.buildPrograms(ctx); err != nil {
		return nil, err
	}
	w.modules[coffer] = w.cofferModule(ctx, o.coffer)
	if m := w.modules[coffer]; m.err != nil {
		fmt.Fprintf(os.Stderr, "bench: coffer is not measured: %v\n", m.err)
	}
	for _, name := range peers {
		w.modules[name] = findPeer(name)
	}
	if o.peer != "" {
		w.modules[softhsm] = module{path: o.peer}
	}
	return w, nil
}

// buildPrograms builds p11bench, without which there is nothing to measure, and what measures the limits.
func (w *workshop) buildPrograms(ctx context.Context) error {
	w.programs[bareGo] = filepath.Join(w.dir, "bare")
	if err := w.build(ctx, "go", "build", "-o", w.programs[bareGo], "./bench/bare"); err != nil {
		return err
	}
	w.programs[libcrypto] = filepath.Join(w.dir, "libcrypto")
	w.missing[libcrypto] = w.compile(ctx, w.programs[libcrypto], "bench/libcrypto/*.c", "-lcrypto")
	w.programs[coffer] = filepath.Join(w.dir, "p11bench")
	return w.compile(ctx, w.programs[coffer], "bench/p11bench/*.c", "-ldl", "-pthread")
}

func (w *workshop) close() {
	for _, t := range w.tokens {
		if t.close != nil {
			t.close()
		}
	}
	os.RemoveAll(w.dir)
}

// build runs a compiler in the source tree; what it says is part of the error.
func (w *workshop) build(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = w.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out)
	}
	return nil
}

// compile builds a program of C.
func (w *workshop) compile(ctx context.Context, program, sources string, libraries ...string) error {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	files, err := filepath.Glob(filepath.Join(w.root, sources))
	if err != nil {
		return err
	}
	args := append([]string{"-std=gnu11", "-O2", "-Wall", "-o", program}, files...)
	return w.build(ctx, cc, append(args, libraries...)...)
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
	path = filepath.Join(w.root, "build/libcoffer.so")
	return module{path, w.build(ctx, "make", "build")}
}

// p11bench is a command of that program on the module of the place.
func (w *workshop) p11bench(name string, p place, args ...string) command {
	return command{p, w.programs[coffer], append([]string{w.modules[name].path}, args...)}
}

// token makes the fixture's token, the first time it is asked for.
func (w *workshop) token(ctx context.Context, f fixture) (*token, error) {
	t, ok := w.tokens[f]
	if !ok {
		t = &token{dir: filepath.Join(w.dir, f.module+"-"+f.name)}
		t.err = w.make(ctx, f, t)
		w.tokens[f] = t
	}
	return t, t.err
}

// drop ends a fixture that no measure needs any more.
func (w *workshop) drop(f fixture) {
	if t := w.tokens[f]; t != nil {
		if t.close != nil {
			t.close()
		}
		os.RemoveAll(t.dir)
		delete(w.tokens, f)
	}
}

func (w *workshop) make(ctx context.Context, f fixture, t *token) error {
	m := w.modules[f.module]
	if m.err != nil {
		return m.err
	}
	var err error
	if t.place, err = newPlace(f.module, t.dir); err != nil {
		return err
	}
	at, dir := t.place, t.dir
	if fillsInMemory(f.module) && f.objects > 0 {
		if ram, err := os.MkdirTemp("/dev/shm", "coffer-bench-"); err == nil {
			defer os.RemoveAll(ram)
			dir = filepath.Join(ram, "token")
			if at, err = newPlace(f.module, dir); err != nil {
				return err
			}
		}
	}
	// The key that new processes sign with.
	key := "p256"
	if f.module == opencryptoki {
		key = "rsa2048"
	}
	var done sample
	if err := w.p11bench(f.module, at, "init", key).ask(ctx, &done); err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	t.empty = sizes(dir)
	if f.objects > 0 {
		fill := w.p11bench(f.module, at, "fill", strconv.Itoa(f.objects), fillThreads(f.module))
		if err := fill.ask(ctx, &t.fill); err != nil {
			return fmt.Errorf("filling a token: %w", err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s: %d objects created in %v\n", f.module, f.objects,
			time.Duration(t.fill["wall_ns"]).Round(10*time.Millisecond))
	}
	if dir != t.dir {
		return copyInto(t.dir, dir)
	}
	return nil
}

// copyInto copies what is in from and not yet in to: a place's own files stay.
func copyInto(to, from string) error {
	root := os.DirFS(from)
	return fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, path)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		text, err := fs.ReadFile(root, path)
		if err != nil || strings.HasSuffix(path, ".conf") {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
}

// sizes is what the files below dir hold, and the blocks they take, in bytes.
func sizes(dir string) sample {
	s := sample{"bytes": 0, "blocks": 0}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil && d.Type().IsRegular() && unix.Lstat(path, &st) == nil {
			s["bytes"] += float64(st.Size)
			s["blocks"] += float64(st.Blocks) * 512
		}
		return nil
	})
	return s
}

// errInfeasible says that nobody can wait for a token so large.
var errInfeasible = errors.New("takes too long to fill")
