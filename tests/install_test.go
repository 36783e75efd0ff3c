package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// `make install` is what a packager calls.
func TestInstall(t *testing.T) {
	dest := t.TempDir()
	cmd := exec.Command("make", "-C", "..", "--no-print-directory", "install", "PREFIX=/opt/coffer", "DESTDIR="+dest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := filepath.Join(dest, "opt/coffer")
	for name, want := range map[string]string{
		"share/p11-kit/modules/coffer.module": "module: /opt/coffer/lib/pkcs11/libcoffer.so",
		"lib/pkgconfig/coffer.pc":             "prefix=/opt/coffer",
		"lib/systemd/system/coffer.service":   "ExecStart=/opt/coffer/bin/coffer serve",
		"include/coffer/pkcs11.h":             "C_Initialize",
	} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(data), want) || strings.Contains(string(data), "@PREFIX@") {
			t.Errorf("%s does not say %q:\n%s", name, want, data)
		}
	}
	out, err := exec.Command(filepath.Join(root, "bin/coffer"), "exec", "--", "sh", "-c", "echo $COFFER_MODULE").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != filepath.Join(root, "lib/pkcs11/libcoffer.so") {
		t.Errorf("the installed command does not find the installed library: %v\n%s", err, out)
	}
}
