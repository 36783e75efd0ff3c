package crash

import (
	"strings"
	"sync"
	"time"
)

// killOneOfTwo has two processes at work, kills one, and the other when that
// has gone on for a while. It returns how many calls failed.
func (k *killer) killOneOfTwo(round int) (failed int) {
	k.t.Helper()
	both := []*process{
		k.start("work", workArg{k.r.Uint64(), round, k.state, []int{0, 1, 3}}),
		k.start("work", workArg{k.r.Uint64(), round, k.state, []int{4, 5}}),
	}
	pending := []map[int]change{{}, {}}
	var mu sync.Mutex   // guards k, and what follows
	acks, since := 0, 0 // of the other, since the victim was to be killed
	after, victim := 10+k.r.IntN(40), k.r.IntN(2)
	const enough = 40 // more than the other had made without knowing
	var all sync.WaitGroup
	for i, p := range both {
		all.Go(func() {
			for p.lines.Scan() {
				mu.Lock()
				switch c := k.heard(p, pending[i]); {
				case c.Failed != "":
					failed++
					if !strings.Contains(c.Failed, "CKR_DEVICE_ERROR") {
						k.t.Errorf("worker %d: %s", c.Who, c.Failed)
					}
				case c.Done:
					if acks++; acks == after {
						k.killAfter(both[victim], 3*time.Millisecond)
						time.AfterFunc(patience, func() { both[1-victim].cmd.Process.Kill() })
					}
					if acks >= after && i != victim {
						if since++; since == enough {
							both[i].cmd.Process.Kill()
						}
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for i, p := range both {
		p.kill()
		k.left(p, pending[i])
	}
	if since < enough {
		k.t.Errorf("the other process has made %d changes since", since)
	}
	return failed
}
