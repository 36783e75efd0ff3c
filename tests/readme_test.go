package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"coffer/tests/built"
)

func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What the README tells a reader to type is typed here, in order, in one
// shell and a home of its own.
func TestREADMECommandsWork(t *testing.T) {
	for _, tool := range []struct{ program, pkg string }{
		{"pkcs11-tool", "opensc"}, {"openssl", "openssl"}, {"keytool", "default-jdk-headless"},
	} {
		built.Need(t, tool.program, tool.pkg)
	}
	blocks := regexp.MustCompile("(?s)<!-- run -->\n```sh\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(blocks) < 5 {
		t.Fatalf("the README has %d blocks to run, want the five clients'", len(blocks))
	}
	script := "set -euo pipefail\n"
	for _, b := range blocks {
		script += b[1]
	}
	script += "openssl x509 -in cert.pem -noout -subject | grep localhost\n" +
		"coffer object list --token work | grep java\n"
	dir := t.TempDir()
	cmd := exec.Command("bash", "-x", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"HOME="+dir,
		"PATH="+filepath.Dir(built.Cmd(t))+":"+os.Getenv("PATH"),
		"COFFER_MODULE="+built.Lib(t),
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The README's table of mechanisms is the command's.
func TestREADMEMechanismTable(t *testing.T) {
	out, err := exec.Command(built.Cmd(t), "mechanism", "list", "--markdown").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(readme(t), "<!-- mechanisms -->\n")
	table, _, ok2 := strings.Cut(rest, "<!-- /mechanisms -->")
	if !ok || !ok2 {
		t.Fatal("the README has lost its place for the table")
	}
	if strings.TrimSpace(table) != strings.TrimSpace(string(out)) {
		t.Error("the README's table of mechanisms is old; run tests/readme.sh")
	}
}
