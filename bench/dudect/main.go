// Command dudect looks for secrets in the time that RSA, and the checks of
// paddings, tags and MACs take: each test makes
// inputs of two classes, in random order, times what is done with each, and
// compares the two sets of times by Welch's t-test (Reparaz, Balasch,
// Verbauwhede: Dude, is my code constant time?, 2017).
//
//	go run ./bench/dudect [-n 40000] [-only regexp]
//
// A t beyond 4.5 means that the times differ: a leak, or something the test
// itself does to the two classes. Run it again then: a leak stays and grows
// with the number of samples, as that of the control does, which compares bytes
// one after the other. No leak found is not a proof; docs/RSA.md has the
// argument.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// threshold is the t from which on a difference is believed: by chance it is
// beyond in one of 150 000 comparisons.
const threshold = 4.5

// A test makes an input of class 0 or 1, and says what to do with it. Where the
// input lies must not depend on the class: what is not in the cache makes a
// larger difference than what is looked for. So input does the same for both,
// and takes one of two results.
type test struct {
	name  string
	input func(class int) (in []byte, run func(in []byte))
}

// control has a difference, to show what one looks like: it compares a secret
// of 4 KiB with a guess that is wrong at its beginning or at its end.
func control() test {
	secret := make([]byte, 4096)
	return test{"control, which leaks", func(class int) ([]byte, func([]byte)) {
		guess := bytes.Clone(secret)
		guess[class*4095] = 1
		return guess, func(guess []byte) {
			for i := range secret {
				if secret[i] != guess[i] {
					break
				}
			}
		}
	}}
}

// measure takes n samples of a test. Inputs are made in batches before they are
// used, so that their making is not near.
func measure(t test, n int) []sample {
	const batch = 128
	samples := make([]sample, 0, n)
	room := make([]byte, 4096)
	for len(samples) < n {
		var runs [batch]func([]byte)
		var inputs [batch][]byte
		var classes [batch]int
		for i := range batch {
			classes[i] = rand.IntN(2)
			inputs[i], runs[i] = t.input(classes[i])
		}
		runtime.GC()
		for i, run := range runs {
			in := room[:copy(room, inputs[i])]
			start := time.Now()
			run(in)
			samples = append(samples, sample{float64(time.Since(start)), classes[i]})
		}
	}
	return samples
}

func main() {
	n := flag.Int("n", 40_000, "samples of each test")
	only := flag.String("only", "", "tests to run, a regular expression")
	flag.Parse()
	which, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	debug.SetGCPercent(-1) // measure collects between batches
	runtime.LockOSThread()
	leaks, found := 0, false
	fmt.Printf("%-60s %8s\n", "classes", "largest t")
	for i, t := range slices.Concat([]test{control()}, rsaTests(), secretTests()) {
		if !which.MatchString(t.name) {
			continue
		}
		x := largest(measure(t, *n))
		verdict := ""
		if math.Abs(x) > threshold {
			verdict = "  differ"
			if i == 0 {
				found = true
			} else {
				leaks++
			}
		}
		fmt.Printf("%-60s %8.1f%s\n", t.name, x, verdict)
	}
	if which.MatchString(control().name) && !found {
		fmt.Println("the control's difference was not found: too few samples, or too busy a machine")
		os.Exit(1)
	}
	if leaks > 0 {
		os.Exit(1)
	}
}
