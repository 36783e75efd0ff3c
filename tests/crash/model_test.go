package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A state is what a store is known to hold, by names that the tests give to
// what can change: an object, a PIN, a token in a slot. What is absent is not
// in it. A ? at the end of a description stands for what only the library
// knows, such as the public point of a key that it generated.
type state map[string]string

// A change is what one call makes of a state: wholly, or not at all. What is
// absent is empty.
type change struct {
	Who    int               // does it, one change after the other
	Before map[string]string // what it replaces
	After  map[string]string
	Done   bool // acknowledged
	Failed string
}

// apply carries the change out on a state.
func (c *change) apply(s state) {
	for k, v := range c.After {
		if v == "" {
			delete(s, k)
		} else {
			s[k] = v
		}
	}
}

func fits(got, want string) bool {
	open, isOpen := strings.CutSuffix(want, "?")
	return got == want || isOpen && strings.HasPrefix(got, open)
}

// differences compares what was found with a state.
func (s state) differences(found state) []string {
	var out []string
	names := maps.Clone(s)
	maps.Copy(names, found)
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if !fits(found[k], s[k]) {
			out = append(out, fmt.Sprintf("%s is %q, want %q", k, found[k], s[k]))
		}
	}
	return out
}

// settle decides by what was found whether a change that was not acknowledged
// took place, and says so in the state. It returns 1 if it did, 0 if not, and -1 if
// neither is so.
func (s state) settle(c *change, found state) int {
	is := func(want map[string]string) bool {
		for k, v := range want {
			if !fits(found[k], v) {
				return false
			}
		}
		return true
	}
	switch {
	case is(c.Before): // also if the change makes no difference
		return 0
	case is(c.After):
		for k := range c.After {
			s[k] = found[k]
			if found[k] == "" {
				delete(s, k)
			}
		}
		return 1
	}
	return -1
}
