// Package built finds or builds the product for the black-box suites: the
// library as a host loads it, and the command.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Lib returns the path of libcoffer.so: $COFFER_LIB, which `make test` sets,
// or one built for this run.
func Lib(t testing.TB) string {
	t.Helper()
	return path(t, "COFFER_LIB", lib)
}

// Cmd returns the path of the command: $COFFER_CMD or one built for this run.
func Cmd(t testing.TB) string {
	t.Helper()
	return path(t, "COFFER_CMD", cmd)
}

func path(t testing.TB, env string, build func() (string, error)) string {
	t.Helper()
	if p := os.Getenv(env); p != "" {
		return p
	}
	p, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// debug are the settings of the Go runtime in a library, as the Makefile has
// them.
const debug = "asyncpreemptoff=1,invalidptr=0,containermaxprocs=0,updatemaxprocs=0,clobberfree=1"

var lib = sync.OnceValues(func() (string, error) {
	return goBuild("libcoffer.so", "./cshim", nil, "-buildmode=c-shared", "-ldflags=-X runtime.godebugDefault="+debug)
})

// FIPS returns the path of a library that is built on a version of Go's FIPS
// 140-3 module.
func FIPS(t testing.TB, version string) string {
	t.Helper()
	p, err := goBuild("libcoffer-fips-"+version+".so", "./cshim", []string{"GOFIPS140=" + version},
		"-buildmode=c-shared", "-ldflags=-X runtime.godebugDefault="+debug+",fips140=on")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var cmd = sync.OnceValues(func() (string, error) { return goBuild("coffer", "./cmd/coffer", nil) })

// goBuild builds into a folder that every test binary of a checkout shares:
// Go's cache makes the second build quick, and the rename makes it whole.
func goBuild(name, pkg string, env []string, args ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "build", "test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	c := exec.Command("go", append(append([]string{"build", "-o", filepath.Join(tmp, name)}, args...), pkg)...)
	c.Dir, c.Env = root, append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	final := filepath.Join(dir, name)
	return final, os.Rename(filepath.Join(tmp, name), final)
}

// Root returns the top folder of the checkout.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working folder")
		}
	}
}

// Need returns the path of a program that a test cannot do without. A missing
// one skips the test with the name of its package, except in CI, where
// tests/setup.sh has installed it or has failed to.
func Need(t testing.TB, program, pkg string) string {
	t.Helper()
	p, err := exec.LookPath(program)
	if err != nil {
		Missing(t, fmt.Sprintf("%s is not installed (Debian package %s)", program, pkg))
	}
	return p
}

// Missing skips a test for a reason, or fails it in CI.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, and in CI nothing that matters skips", why)
	}
	t.Skip(why)
}
