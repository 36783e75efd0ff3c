// Command bench measures coffer beside another PKCS #11 module and beside Go's bare standard library, and
// prints the ratios that coffer promises. It is the only place of the project where time is measured.
//
// # Design
//
// Times on a shared machine wander by half within seconds. So nothing is compared with a number of another
// run: the contenders of one measure are processes kept alive side by side, which take turns in slices of
// some 80 ms; each round gives one ratio, and the median of the rounds counts, with its quartiles to tell
// how far to trust it. What computes is judged by the CPU time of the process, which other work disturbs
// least; what waits for a disk, or is a whole process, by the wall clock. The other clock is shown too.
//
// The measuring is done in C (p11bench), as an application would call; this driver never loads a module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	coffer string // a built module; empty: build one
	peer   string
	only   *regexp.Regexp
	json   string
	dir    string
	rounds int
	slice  time.Duration
	quick  bool
	strict bool
}

// peerPaths is where distributions put SoftHSM2.
var peerPaths = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

func parse(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.coffer, "coffer", "", "measure this `module` (default: build one from the source tree)")
	f.StringVar(&o.peer, "peer", "", "compare with this `module` (default: SoftHSM2 where it is installed)")
	f.StringVar(&only, "only", "", "measure only what matches this `regexp`, for example 'gcm|find'")
	f.StringVar(&o.json, "json", "", "also write every result and every round to this `file`")
	f.StringVar(&o.dir, "dir", "", "keep programs and tokens below this `folder`, removed at the end (default: the system's)")
	f.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 31, 9 with -quick; less where a round is long)")
	f.DurationVar(&o.slice, "slice", 80*time.Millisecond, "`length` of a slice")
	f.BoolVar(&o.quick, "quick", false, "fewer rounds, and 10 000 objects instead of 100 000")
	f.BoolVar(&o.strict, "strict", false, "exit with 1 if a target is missed or could not be measured")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("what is %q?", f.Arg(0))
	}
	if o.rounds == 0 {
		o.rounds = 31
		if o.quick {
			o.rounds = 9
		}
	}
	if o.peer == "" {
		for _, p := range peerPaths {
			if _, err := os.Stat(p); err == nil {
				o.peer = p
				break
			}
		}
	}
	var err error
	o.only, err = regexp.Compile(only)
	return o, err
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	missed := false
	if err == nil {
		missed, err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if missed && o.strict {
		os.Exit(1)
	}
}

// run measures everything that was asked for; missed says whether a target was not met.
func run(ctx context.Context, o options) (missed bool, err error) {
	w, err := newWorkshop(ctx, o)
	if err != nil {
		return false, err
	}
	defer w.close()
	rep := report{Machine: w.machine(ctx), Modules: w.describe(ctx)}
	for _, m := range measures(o) {
		if !o.only.MatchString(m.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", m.name)
		rep.Rows = append(rep.Rows, m.run(ctx, w)...)
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	rep.Machine.LoadAfter = load()
	rep.print(os.Stdout)
	if o.json != "" {
		err = rep.save(o.json)
	}
	return rep.missed(), err
}
