package crash

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/tests/p11test"
)

// A killer kills processes at work on a store of which it knows what it holds.
type killer struct {
	*bench
	r     *rand.Rand
	state state
	// open are the changes that were announced and not acknowledged.
	open []change
	acks int
	took [2]int // of those, how many turned out not to have taken place, and to have
}

func newKiller(t *testing.T) *killer {
	k := &killer{bench: newToken(t), r: newRandom(t), state: state{
		"slot 0": label, "slot 0 SO PIN": soPIN, "slot 0 user PIN": pin,
		"slot 1": label, "slot 1 SO PIN": soPIN, "slot 1 user PIN": pin,
		"survivor": describeData("survivor"),
	}}
	k.initToken()
	k.start("survive", nil).wait()
	return k
}

// rounds repeats what kills, and looks each time what is left.
func (k *killer) rounds(n int, kill func(round int)) {
	k.t.Helper()
	if testing.Short() {
		n /= 6
	}
	for round := range n {
		kill(round)
		for k.r.IntN(4) == 0 {
			k.killAtRecovery()
		}
		if k.r.IntN(2) == 0 {
			k.check()
		}
		k.look()
		k.check()
		if k.t.Failed() {
			k.t.Fatalf("in round %d, after %d acknowledged changes", round, k.acks)
		}
	}
	k.t.Logf("%d rounds, %d acknowledged changes; of others, %d took place and %d did not", n, k.acks, k.took[1], k.took[0])
}

// TestKilledAtAnyMoment: every acknowledged change is there after kill -9, every
// other is wholly there or wholly absent, and the store is in order.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	k.rounds(36, k.killAtWork)
}

// TestOneOfTwoIsKilled: of two processes at one store, whichever is killed, the
// other works on, and what either was told is so. What a call was about that
// failed because of it is wholly there or wholly absent too.
func TestOneOfTwoIsKilled(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	failed := 0
	k.rounds(12, func(round int) { failed += k.killOneOfTwo(round) })
	t.Logf("%d calls failed", failed)
}

// survive makes the object of slot 1 that outlives its token.
func survive(c *child) {
	h := c.open()
	s := c.login(h, 1, p11.CKU_USER, pin)
	h.Create(s, p11test.Yes(p11.CKA_TOKEN), p11test.No(p11.CKA_PRIVATE, p11.CKA_DESTROYABLE), attr.Values{
		p11test.Class(p11.CKO_DATA), p11test.Label("survivor"), named(p11.CKO_DATA, "survivor"), p11test.Value(content("survivor")),
	})
	h.Must(h.Close())
}

// killAtWork starts a process that makes changes and kills it.
func (k *killer) killAtWork(round int) {
	k.t.Helper()
	p := k.start("work", workArg{k.r.Uint64(), round, k.state, []int{0, 1, 2, 3}})
	after := k.r.IntN(100)
	if after < 8 { // while it starts
		k.killAfter(p, 60*time.Millisecond)
	}
	pending := map[int]change{}
	for n := 0; p.lines.Scan(); n++ {
		if c := k.heard(p, pending); c.Failed != "" {
			k.t.Fatalf("worker %d: %s", c.Who, c.Failed)
		}
		if n == after {
			k.killAfter(p, 3*time.Millisecond)
		}
	}
	p.kill()
	k.left(p, pending)
}

// killAfter kills a process within some time.
func (k *killer) killAfter(p *process, most time.Duration) {
	time.AfterFunc(time.Duration(k.r.Int64N(int64(most))), func() { p.cmd.Process.Kill() })
}

// heard takes note of what a process has just said.
func (k *killer) heard(p *process, pending map[int]change) change {
	k.t.Helper()
	var c change
	if err := json.Unmarshal(p.lines.Bytes(), &c); err != nil {
		k.t.Fatalf("%v: %q", err, p.lines.Text())
	}
	switch {
	case c.Failed != "":
	case c.Done:
		c.apply(k.state)
		delete(pending, c.Who)
		k.acks++
	default:
		pending[c.Who] = c
	}
	return c
}

// left takes note of what a dead process has left unanswered.
func (k *killer) left(p *process, pending map[int]change) {
	k.t.Helper()
	if strings.Contains(p.out.String(), "FAIL") {
		k.t.Fatalf("%s", &p.out)
	}
	k.open = append(k.open, slices.Collect(maps.Values(pending))...)
}

// killAtRecovery kills one who only looks, while he opens what was left.
func (k *killer) killAtRecovery() {
	p := k.start("look", k.lookArg())
	time.Sleep(time.Duration(k.r.IntN(50_000)) * time.Microsecond)
	p.kill()
}

// candidates are the PINs that may be right.
func (k *killer) candidates() map[string][]string {
	out := map[string][]string{}
	add := func(s state) {
		for name, v := range s {
			if strings.HasSuffix(name, "PIN") && v != "" && !slices.Contains(out[name], v) {
				out[name] = append(out[name], v)
			}
		}
	}
	add(k.state)
	for _, c := range k.open {
		add(c.After)
	}
	return out
}

func (k *killer) lookArg() lookArg {
	arg := lookArg{PINs: k.candidates()}
	for _, c := range k.open {
		for _, s := range []state{c.Before, c.After} {
			for name, description := range s {
				if words := strings.Fields(description); strings.HasPrefix(name, "object ") && len(words) > 1 {
					arg.Labels = append(arg.Labels, words[1])
				}
			}
		}
	}
	return arg
}

// look has a new process look, and compares.
func (k *killer) look() {
	k.t.Helper()
	p := k.start("look", k.lookArg())
	found := state{}
	if p.lines.Scan() {
		if err := json.Unmarshal(p.lines.Bytes(), &found); err != nil {
			k.t.Fatal(err)
		}
	}
	p.wait()
	for _, c := range k.open {
		n := k.state.settle(&c, found)
		if n < 0 {
			k.t.Errorf("half a change: from %v to %v", c.Before, c.After)
			continue
		}
		k.took[n]++
	}
	for _, d := range k.state.differences(found) {
		k.t.Error(d)
	}
	for name, was := range k.state {
		if strings.HasSuffix(was, "?") {
			k.state[name] = found[name]
		}
	}
	k.open = nil
}

// check has the command check the store, with the user PIN of slot 0.
func (k *killer) check() {
	k.t.Helper()
	var out string
	var err error
	for _, pin := range k.candidates()["slot 0 user PIN"] {
		if err := os.WriteFile(k.path("pin"), []byte(pin), 0o600); err != nil {
			k.t.Fatal(err)
		}
		out, err = k.coffer("store", "check", "--slot", "0", "--pin-file", k.path("pin"))
		if !strings.Contains(out, fmt.Sprint(p11.CKR_PIN_INCORRECT)) {
			break
		}
	}
	if err != nil || !strings.Contains(out, "nothing is wrong") {
		k.t.Errorf("coffer store check: %v\n%s", err, out)
	}
}
