package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindModule(t *testing.T) {
	t.Parallel()
	unset := func(string) (string, bool) { return "", false }
	for _, c := range []struct{ name, library, command string }{
		{"beside the command, as it is built", "build/libcoffer.so", "build/coffer"},
		{"in lib", "usr/lib/libcoffer.so", "usr/bin/coffer"},
		{"in lib/pkcs11, as it is installed", "usr/lib/pkcs11/libcoffer.so", "usr/bin/coffer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			want, own := filepath.Join(dir, c.library), filepath.Join(dir, c.command)
			link := filepath.Join(dir, "link")
			for _, path := range []string{want, own} {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(own, link); err != nil {
				t.Fatal(err)
			}
			for _, own := range []string{own, link} {
				if got, err := findModule(own, unset); got != want || err != nil {
					t.Errorf("for %s: got %q, %v, want %q", own, got, err, want)
				}
			}
		})
	}
}
