// Package report keeps the pages of docs/ that say what tests did: a test makes
// a part of a page out of what ran and fails unless the page has the same.
package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/tests/built"
)

// Compare holds the part of a page of docs/ between <!-- part --> and
// <!-- /part --> against what a test did, or writes it there.
func Compare(t testing.TB, page, part, got string, update bool) {
	t.Helper()
	root, err := built.Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "docs", page)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+part+" -->\n", "<!-- /"+part+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Fatalf("docs/%s has lost its place for %s", page, part)
	case old == got:
	case !update:
		t.Fatalf("docs/%s does not say what ran: run this test with -update; the difference:\n%s", page, difference(old, got))
	default:
		if err := os.WriteFile(path, []byte(before+begin+got+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// difference has the lines that are in one text only.
func difference(old, got string) string {
	var b strings.Builder
	a, c := strings.Split(old, "\n"), strings.Split(got, "\n")
	for _, line := range a {
		if !slices.Contains(c, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range c {
		if !slices.Contains(a, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}
