package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// A lane is one contender of a comparison. Lanes of one column differ in their label.
type lane struct {
	column string
	label  string
	open   func(context.Context, *workshop, time.Duration) (runner, error)
}

func (l lane) key() string { return laneKey(l.column, l.label) }

func laneKey(column, label string) string {
	if label == "" {
		return column
	}
	return column + "@" + label
}

// A metric reads one number from a sample.
type metric struct {
	name string
	unit unit
	of   func(sample) float64
}

var (
	cpu      = metric{"cpu", nanoseconds, func(s sample) float64 { return s.perOp("cpu_ns") }}
	wall     = metric{"wall", nanoseconds, func(s sample) float64 { return s.perOp("wall_ns") }}
	noLogin  = metric{"wall", nanoseconds, func(s sample) float64 { return s["wall_ns"] - s["login_ns"] }}
	resident = metric{"rss", kibibytes, of("resident_kib", kibibytes).of}
	grown    = metric{"rss", kibibytes, of("grown_kib", kibibytes).of}
	onDisk   = metric{"disk", bytesEach, of("bytes", bytesEach).of}
	blocks   = metric{"disk", bytesEach, of("blocks", bytesEach).of}
)

// A comparison lets its lanes take turns. Its figures are the lanes' medians of one metric; its targets judge.
type comparison struct {
	name   string // what -only chooses
	group  string
	title  string
	metric metric
	rounds int
	slice  time.Duration
	pooled bool // ratios of all rounds together: for operations whose single times say nothing
	cold   bool // nothing is warmed: each operation is long
	lanes  []lane
	also   []view    // further lines of the same samples
	after  []fixture // dropped when this is done
	target []target
}

// A view is another number of the same samples, as a line of its own.
type view struct {
	title  string
	metric metric
}

// of is a metric that is in the samples under that name; a time is by the clock on the wall.
func of(name string, u unit) metric {
	return metric{"wall", u, func(s sample) float64 { return s[name] }}
}

// failures is why a lane has no samples, by key.
type failures map[string]error

// run opens every lane, then gives each a slice a round, starting with another lane each time. A lane that
// fails is out; the others go on.
func (c comparison) run(ctx context.Context, w *workshop) []result {
	runners, failed, samples := map[string]runner{}, failures{}, map[string][]sample{}
	for _, l := range c.lanes {
		r, err := l.open(ctx, w, c.slice)
		if err == nil {
			defer r.close()
			if !c.cold {
				_, err = r.sample(ctx) // warms it
			}
		}
		if err != nil {
			failed[l.key()] = err
			continue
		}
		runners[l.key()] = r
	}
	for round := range c.rounds {
		for i := range c.lanes {
			key := c.lanes[(round+i)%len(c.lanes)].key()
			r := runners[key]
			if r == nil || ctx.Err() != nil {
				continue
			}
			s, err := r.sample(ctx)
			if err != nil {
				failed[key] = fmt.Errorf("round %d: %w", round+1, err)
				delete(runners, key)
				continue
			}
			samples[key] = append(samples[key], s)
		}
	}
	for key, err := range failed {
		if !errors.As(err, new(errAbsent)) && !errors.Is(err, errInfeasible) {
			fmt.Fprintf(os.Stderr, "bench: %s: %s: %v\n", c.name, key, err)
		}
	}
	out := []result{c.result(samples, failed)}
	for _, v := range c.also {
		other := c
		other.title, other.metric, other.target = c.title+": "+v.title, v.metric, nil
		out = append(out, other.result(samples, failed))
	}
	return out
}

// result makes the figures and judges the targets.
func (c comparison) result(samples map[string][]sample, failed failures) result {
	res := result{Group: c.group, Measure: c.name, Title: c.title, Clock: c.metric.name, unit: c.metric.unit}
	for _, l := range c.lanes {
		f := figure{Column: l.column, Label: l.label}
		if err := failed[l.key()]; err != nil {
			f.Missing = missing(err)
		} else {
			f.Value = spreadOf(numbers(samples[l.key()], c.metric))
			f.Details = medians(samples[l.key()])
			if l.column != coffer {
				// No ratio without coffer, or to nothing.
				if r := c.ratios(samples, laneKey(coffer, l.label), l.key(), c.metric); r.Median > 0 && !math.IsInf(r.Q3, 0) {
					f.Ratio = &r
				}
			}
		}
		res.Figures = append(res.Figures, f)
	}
	for _, t := range c.target {
		res.Judged = append(res.Judged, c.judge(t, samples, failed))
	}
	return res
}

// ratios is how many times the subject's number the other's is.
func (c comparison) ratios(samples map[string][]sample, subject, other string, m metric) spread {
	s := spreadOf(ratios(numbers(samples[other], m), numbers(samples[subject], m)))
	if c.pooled {
		s.Median = mean(numbers(samples[other], m)) / mean(numbers(samples[subject], m))
	}
	return s
}

// missing is why a lane has no figure, in a word or two.
func missing(err error) string {
	var a errAbsent
	if errors.As(err, &a) {
		return "lacks " + string(a)
	}
	return err.Error()
}

func numbers(samples []sample, m metric) []float64 {
	out := make([]float64, 0, len(samples))
	for _, s := range samples {
		out = append(out, m.of(s))
	}
	return out
}

// medians is the sample of the medians: it has the parts that a time consists of.
func medians(samples []sample) sample {
	out := sample{}
	if len(samples) == 0 {
		return out
	}
	for name := range samples[0] {
		out[name] = spreadOf(numbers(samples, metric{of: func(s sample) float64 { return s[name] }})).Median
	}
	return out
}

// columnsOf are the columns of the lanes, each once, in the order of the tables.
func columnsOf(figures []figure) []string {
	var out []string
	for _, column := range columns {
		if slices.ContainsFunc(figures, func(f figure) bool { return f.Column == column }) {
			out = append(out, column)
		}
	}
	return out
}
