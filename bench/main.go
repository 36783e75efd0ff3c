// Command bench measures coffer beside other PKCS #11 modules, beside Go's bare standard library and beside
// OpenSSL's libcrypto, and prints the ratios that coffer promises. It is the only place of the project where
// time is measured.
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
	out    string
	accept string
	rounds int
	slice  time.Duration
	quick  bool
	// million adds the tokens of 1 000 000 objects.
	million bool
	strict  bool
}

func parse(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.coffer, "coffer", "", "measure this `module` (default: build one from the source tree)")
	f.StringVar(&o.peer, "peer", "", "put this `module` in SoftHSM2's place")
	f.StringVar(&only, "only", "", "measure only what matches this `regexp`, for example 'gcm|find'")
	f.StringVar(&o.json, "json", "", "also write every result and every round to this `file`")
	f.StringVar(&o.dir, "dir", "", "keep programs and tokens below this `folder`, removed at the end (default: the system's)")
	f.StringVar(&o.out, "out", "build/bench", "write a table and a plot of each group to this `folder`")
	f.StringVar(&o.accept, "accept", "", "also make the figures the accepted ones: replace the tables in this `file` and the plots beside it")
	f.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 15, 7 with -quick; less where a round is long)")
	f.DurationVar(&o.slice, "slice", 0, "`length` of a slice (default 60ms, 30ms with -quick)")
	f.BoolVar(&o.quick, "quick", false, "only what has a limit, in fewer and shorter rounds")
	f.BoolVar(&o.million, "million", false, "also tokens of 1 000 000 objects")
	f.BoolVar(&o.strict, "strict", false, "exit with 1 if a target is missed or could not be measured")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("what is %q?", f.Arg(0))
	}
	if o.rounds == 0 {
		o.rounds = 15
		if o.quick {
			o.rounds = 7
		}
	}
	if o.slice == 0 {
		o.slice = 60 * time.Millisecond
		if o.quick {
			o.slice = 30 * time.Millisecond
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
		start := time.Now()
		results := m.run(ctx, w)
		rep.Results = append(rep.Results, results...)
		fmt.Fprintf(os.Stderr, "bench: %s, %v\n", m.name, time.Since(start).Round(100*time.Millisecond))
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	rep.Machine.LoadAfter = load()
	rep.print(os.Stdout)
	err = rep.write(o.out)
	if o.json != "" {
		err = errors.Join(err, rep.save(o.json))
	}
	if o.accept != "" {
		err = errors.Join(err, rep.accept(o.accept))
	}
	return rep.missed(), err
}
