package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// How often each file of the store is damaged in each way; it is also emptied,
// and loses a page.
const flipsOfEach, cutsOfEach = 4, 1

// TestDamagedFiles: whatever is flipped or cut off, no host crashes, no wrong
// key or value is ever used, and coffer store check says what is wrong: it
// names each object that cannot be used, or the whole store is refused.
// coffer store repair takes nothing away.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	b := newToken(t)
	ids := b.populate()
	im := imageOf(t, b.store)
	damages := im.damages(newRandom(t), flipsOfEach, cutsOfEach)
	outcomes := map[string]int{}
	for i, d := range damages {
		c := &casualty{
			damage: d, ids: ids,
			host:    b.at(b.path(fmt.Sprint("host", i))),
			command: b.at(b.path(fmt.Sprint("command", i))),
		}
		for _, b := range []*bench{c.host, c.command} {
			im.write(t, b.store)
			d.inflict(t, b.store)
		}
		outcomes[c.examine(t)]++
		os.RemoveAll(c.host.store)
		os.RemoveAll(c.command.store)
	}
	t.Logf("%d times damaged: %v", len(damages), outcomes)
}

// populate makes objects, half of them in Badger's tables and half in its log,
// and returns their CKA_UNIQUE_ID by their labels.
func (b *bench) populate() map[string]string {
	b.t.Helper()
	ids := map[string]string{}
	for _, half := range []string{"tables", "log"} {
		p := b.start("obey", nil)
		p.want("CKR_OK", "initialize")
		p.want("CKR_OK", "login 0 user %s", pin)
		for i := range 12 {
			label := fmt.Sprintf("%s-%d", half, i)
			p.want("CKR_OK", "%s %s", map[bool]string{true: "data", false: "key"}[i == 0], label)
			ids[label] = strings.TrimPrefix(p.want("CKR_OK", "use %s", label), "right ")
		}
		if half == "tables" {
			p.want("CKR_OK", "finalize")
		}
		p.kill()
	}
	return ids
}

// A casualty is a damaged store, in two copies: opening one may change it.
type casualty struct {
	damage
	ids           map[string]string
	host, command *bench
}

// examine says how it went.
func (c *casualty) examine(t *testing.T) string {
	t.Helper()
	out, err := c.command.coffer("store", "check", "--slot", "0")
	named := err != nil
	c.host.lines() // of others
	usable := c.host.usable(c.ids)
	c.logged(t, usable)
	refused, lost := c.refuses(out, usable), 0
	for label := range c.ids {
		got := usable[label]
		word, _, _ := strings.Cut(got, " ")
		switch word {
		case "right":
			continue
		case "CKR_DEVICE_ERROR", "CKR_GENERAL_ERROR": // the latter of C_Initialize
			if !strings.Contains(out, c.ids[label]) && !refused {
				t.Errorf("%v: %s cannot be used, and is not named:\n%s", c, label, out)
			}
		case "absent", "CKR_OBJECT_HANDLE_INVALID": // of its record, or its index, nothing is to be seen
		default: // above all, wrong
			t.Errorf("%v: %s is %s", c, label, got)
		}
		lost++
	}
	if lost > 0 && !named {
		t.Errorf("%v: %d objects are gone, and nobody says so", c, lost)
	}
	if refused && !strings.Contains(out, c.command.store) {
		t.Errorf("%v: the refusal does not name the store:\n%s", c, out)
	}
	c.command.discreet(out)

	c.command.coffer("store", "repair", "--slot", "0")
	after := c.command.usable(c.ids)
	if usable[""] != "CKR_OK" {
		c.accepted(t, after)
	}
	for label := range c.ids {
		if got := after[label]; strings.HasPrefix(usable[label], "right") && !strings.HasPrefix(got, "right") {
			t.Errorf("%v: %s was usable, and is %s after repair", c, label, got)
		}
	}
	switch {
	case refused:
		return "refused"
	case lost > 0:
		return "named"
	case named:
		return "named, all usable"
	}
	return "harmless"
}

// accepted expects that a store that was refused is of use again after repair,
// which accepts a loss, and that what it was is kept.
func (c *casualty) accepted(t *testing.T, after map[string]string) {
	t.Helper()
	// A table that cannot be read at all goes as a whole, be it the token's.
	noToken := strings.HasSuffix(c.file, ".sst") && after[""] == "CKR_TOKEN_NOT_RECOGNIZED"
	if after[""] != "CKR_OK" && !noToken {
		t.Errorf("%v: the store is refused after repair: %s", c, after[""])
	}
	kept, err := filepath.Glob(filepath.Join(c.command.store, "damaged-*", c.file))
	if err != nil || len(kept) != 1 {
		t.Errorf("%v: kept copies: %v, %v", c, kept, err)
	}
}

// logged expects one line in the log for a store that was not opened, or for
// each object that could not be found or used; what a search went on in spite
// of may be there too.
func (c *casualty) logged(t *testing.T, usable map[string]string) {
	t.Helper()
	lines := c.host.lines()
	count := func(parts ...string) (n int) {
		for _, line := range lines {
			ok := true
			for _, part := range parts {
				ok = ok && strings.Contains(line, part)
			}
			if ok {
				n++
			}
		}
		return n
	}
	for _, line := range lines {
		c.host.discreet(line)
		if !aLine.MatchString(line) {
			t.Errorf("%v: a line of the log is %q", c, line)
		}
	}
	inPassing := count("the index is damaged") + count("a search leaves an object out") + count("a token cannot be read")
	if usable[""] != "CKR_OK" && len(lines) == 1+inPassing {
		return // neither the store nor the token could be opened
	}
	refused := 0
	for label := range c.ids {
		if strings.HasPrefix(usable[label], "CKR_DEVICE_ERROR") {
			refused++
			if n := count(" = CKR_DEVICE_ERROR", c.ids[label]); n > 1 {
				t.Errorf("%v: %d lines tell of %s", c, n, label)
			}
		}
	}
	if len(lines) != refused+inPassing {
		t.Errorf("%v: %d lines in the log, want %d:\n%s", c, len(lines), refused+inPassing, strings.Join(lines, "\n"))
	}
}

// refuses says whether the command did not get as far as to check: the store
// cannot be opened, the token cannot, or Badger gives up reading.
func (c *casualty) refuses(out string, usable map[string]string) bool {
	return strings.HasPrefix(out, "coffer: CKR_") &&
		(usable[""] != "CKR_OK" || strings.Contains(out, "opening the store") || strings.Contains(out, "store: failed"))
}

// usable tells what a host can do with each object, and of "" whether it got
// as far as that.
func (b *bench) usable(ids map[string]string) map[string]string {
	b.t.Helper()
	out := map[string]string{}
	p := b.start("obey", nil)
	got := p.ask("initialize")
	if got == "CKR_OK" {
		got = p.ask("login 0 user %s", pin)
	}
	out[""] = got
	for label := range ids {
		if got == "CKR_OK" {
			out[label] = strings.TrimPrefix(p.ask("use %s", label), "CKR_OK ")
		} else {
			out[label] = got
		}
	}
	p.kill()
	return out
}
