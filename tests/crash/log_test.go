package crash

import (
	"os"
	"regexp"
	"strings"

	"coffer/p11"
)

// lines returns what was logged since it was last asked.
func (b *bench) lines() []string {
	b.t.Helper()
	data, err := os.ReadFile(b.log)
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	fresh := strings.TrimSuffix(string(data[*b.seen:]), "\n")
	*b.seen = len(data)
	if fresh == "" {
		return nil
	}
	return strings.Split(fresh, "\n")
}

var aLine = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[0-9:.]+Z coffer\[\d+\] ERROR \S`)

// oneLine expects that exactly one line was logged since last, and what is in
// it. No line has a PIN or a key in it.
func (b *bench) oneLine(parts ...string) {
	b.t.Helper()
	lines := b.lines()
	if len(lines) != 1 {
		b.t.Errorf("%d lines in the log, want one:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, line := range lines {
		if !aLine.MatchString(line) {
			b.t.Errorf("a line of the log is %q", line)
		}
		for _, part := range parts {
			if !strings.Contains(line, part) {
				b.t.Errorf("the log says\n%s\nand not %s", line, part)
			}
		}
		b.discreet(line)
	}
}

// discreet fails if a secret of the tests is in a text.
func (b *bench) discreet(text string) {
	b.t.Helper()
	for _, secret := range []string{pin, soPIN, "next-1357"} {
		if strings.Contains(text, secret) {
			b.t.Errorf("a PIN is in %q", text)
		}
	}
}

// silent expects that nothing was logged.
func (b *bench) silent() {
	b.t.Helper()
	if lines := b.lines(); len(lines) > 0 {
		b.t.Errorf("the log says\n%s", strings.Join(lines, "\n"))
	}
}

// clean expects that the command finds nothing wrong with the store.
func (b *bench) clean() {
	b.t.Helper()
	if out, err := b.coffer("store", "check", "--slot", "0"); err != nil {
		b.t.Errorf("coffer store check: %v\n%s", err, out)
	}
}

// right expects objects to be there and to be what they were.
func (p *process) right(labels ...string) {
	p.b.t.Helper()
	for _, l := range labels {
		if got := p.want(p11.CKR_OK.String(), "use %s", l); !strings.HasPrefix(got, "right") {
			p.b.t.Errorf("%s is %s", l, got)
		}
	}
}
