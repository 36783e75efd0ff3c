package hosts

import (
	"path/filepath"
	"testing"

	"coffer/tests/built"
)

// TestPythonForks has Python's multiprocessing fork a process that uses the
// token through PyKCS11 1.5.12; the children use it too.
func TestPythonForks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "p256")
	b.tool("--read-object", "--type", "pubkey", "--id", "01", "-o", "p256.der")
	b.openssl("pkey", "-pubin", "-inform", "DER", "-in", "p256.der", "-out", "p256.pub")
	// Debian's Python, which Debian's package is for.
	python := built.Need(t, "/usr/bin/python3", "python3")
	if r := b.try(python, "-c", "import PyKCS11"); r.err != nil {
		built.Missing(t, "PyKCS11 is not installed (Debian package python3-pykcs11)")
	}
	program, err := filepath.Abs("testdata/children.py")
	if err != nil {
		t.Fatal(err)
	}
	b.contains(b.run(python, program, b.lib, pin), "pool 60\n", "children of children 8\n", "parent's session", "ok\n")
}
