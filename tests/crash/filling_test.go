package crash

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/tests/p11test"
)

// A made is an object that a writer tried to make.
type made struct {
	Label string
	RV    p11.RV
}

// write makes data objects until it is told to stop, or until the library says
// that it cannot go on.
func write(c *child) {
	h := c.open()
	s := c.login(h, 0, p11.CKU_USER, pin)
	stop := make(chan bool)
	go func() {
		c.in.Scan()
		close(stop)
	}()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		m := made{Label: fmt.Sprintf("n%d", n)}
		_, err := h.CreateObject(s, p11test.Join(p11test.Yes(p11.CKA_TOKEN), attr.Values{
			p11test.Class(p11.CKO_DATA), p11test.Label(m.Label), p11test.Value([]byte(contentOf(m.Label)))}))
		m.RV = p11.Code(err)
		c.line(m)
		switch m.RV {
		case p11.CKR_OK:
		case p11.CKR_DEVICE_MEMORY:
			time.Sleep(time.Millisecond)
		default:
			return
		}
	}
}

// TestADiskThatFillsUpMeanwhile: another program takes the last byte at any
// moment, and gives it back. Nothing that was acknowledged is lost.
//
// The process does not crash either, although Badger writes through memory maps
// of sparse files, where a page for which there is no room is a fault: the
// ballast makes room (package store/badger).
func TestADiskThatFillsUpMeanwhile(t *testing.T) {
	t.Parallel()
	b := onDisk(t, 120)
	r := newRandom(t)
	b.initToken()
	p := b.start("write", nil)
	said := make(chan map[p11.RV][]string)
	go func() {
		all := map[p11.RV][]string{}
		for p.lines.Scan() {
			var m made
			if err := json.Unmarshal(p.lines.Bytes(), &m); err != nil {
				t.Errorf("%v: %q", err, p.lines.Text())
			}
			all[m.RV] = append(all[m.RV], m.Label)
		}
		said <- all
	}()
	for range 5 {
		time.Sleep(time.Duration(r.IntN(80)) * time.Millisecond)
		empty := b.fill(0)
		time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
		empty()
	}
	fmt.Fprintln(p.in, "stop")
	p.end()
	all := <-said
	for rv, labels := range all {
		t.Logf("%d times %v", len(labels), rv)
		if rv != p11.CKR_OK && rv != p11.CKR_DEVICE_MEMORY && rv != p11.CKR_DEVICE_ERROR {
			t.Errorf("%s: got %v", labels[0], rv)
		}
	}
	for _, line := range b.lines() {
		b.discreet(line)
	}
	b.clean()
	b.start("readback", all[p11.CKR_OK]).wait()
}

// readback expects objects of write to be there.
func readback(c *child) {
	var labels []string
	c.arg(&labels)
	h := c.open()
	s := c.login(h, 0, p11.CKU_USER, pin)
	for _, l := range labels {
		if found := h.Find(s, p11test.Label(l)); len(found) != 1 {
			c.Errorf("%s: %d objects", l, len(found))
		} else if got := string(h.Read(s, found[0], p11.CKA_VALUE)); got != contentOf(l) {
			c.Errorf("%s has %d bytes that are not its own", l, len(got))
		}
	}
	h.Must(h.Close())
}

// contentOf fills a log of Badger's in a hundred objects.
func contentOf(label string) string { return strings.Repeat(label+".", 10_000) }
