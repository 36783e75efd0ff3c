package host

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"coffer/tests/built"
)

// build compiles a program of testdata with further options.
func build(t *testing.T, program string, options ...string) string {
	t.Helper()
	gcc := built.Need(t, "gcc", "gcc")
	out := filepath.Join(t.TempDir(), program)
	args := append([]string{"-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I../../cshim", "-o", out}, options...)
	cmd := exec.Command(gcc, append(args, filepath.Join("testdata", program+".c"), "-ldl", "-lpthread")...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	return out
}

// with runs a program with a store of its own in a folder, logs what it has to
// say, and fails if it complains.
func with(t *testing.T, exe string, args []string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(append(os.Environ(), "COFFER_STORE="+filepath.Join(t.TempDir(), "store"), "COFFER_LOG=off",
		"COFFER_PIN_ARGON2_MEMORY=64", "COFFER_PIN_ARGON2_TIME=1"), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	if stderr.Len() > 0 {
		t.Errorf("printed:\n%s", &stderr)
	}
	if stdout.Len() > 0 {
		t.Logf("%s", &stdout)
	}
}

// A thousand signals a second, of three timers, while keys of 4096 bits are
// made and MiBs encrypted.
func TestTimers(t *testing.T) {
	with(t, build(t, "timers"), []string{copyOfLib(t)})
}

// limits.c says what each is.
func TestLimits(t *testing.T) {
	exe, lib := build(t, "limits"), copyOfLib(t)
	for _, limit := range []string{"stacks", "altstack", "closed", "files", "space", "hundred"} {
		t.Run(limit, func(t *testing.T) {
			with(t, exe, []string{lib, limit})
		})
	}
}

// A host that starts as root and becomes nobody.
func TestSetuid(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	// nobody must get at the program, the library and the store's folder.
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(dir, "libcoffer.so")
	if err := os.Rename(copyOfLib(t), lib); err != nil {
		t.Fatal(err)
	}
	exe := build(t, "limits")
	t.Run("of the store's group", func(t *testing.T) {
		with(t, exe, []string{lib, "setuid"}, "COFFER_STORE="+filepath.Join(dir, "group"), "COFFER_STORE_GROUP=nogroup")
	})
	t.Run("of no group", func(t *testing.T) {
		t.Parallel() // it waits
		with(t, exe, []string{lib, "setuid-refused"}, "COFFER_STORE="+filepath.Join(dir, "own"))
	})
}

// Two copies of the library in one process, however they are loaded, also by a
// host that has functions of the same names.
func TestTwoCopies(t *testing.T) {
	for name, exe := range map[string]string{
		"plain":    build(t, "copies"),
		"exported": build(t, "copies", "-DEXPORTED", "-rdynamic"),
	} {
		for _, how := range []string{"local", "global", "deepbind", "all"} {
			t.Run(name+" "+how, func(t *testing.T) {
				with(t, exe, []string{copyOfLib(t), copyOfLib(t), how})
			})
		}
	}
}

// threads.c says what they do.
func TestThreads(t *testing.T) {
	exe, lib := build(t, "threads"), copyOfLib(t)
	for _, what := range []string{"own", "abused", "finalize", "closeall", "logout"} {
		t.Run(what, func(t *testing.T) {
			with(t, exe, []string{lib, what})
		})
	}
	// In memory, where what grows is not the store's cache.
	for _, what := range []string{"short", "million"} {
		t.Run(what, func(t *testing.T) {
			with(t, exe, []string{lib, what}, "COFFER_STORE=mem:")
		})
	}
}
