package main

import (
	"context"
	"fmt"
	"time"
)

// A measure is what -only chooses; it yields one or more rows of the table.
type measure struct {
	name string
	run  func(context.Context, *workshop) []row
}

// A lane is one contender of a comparison. Lanes of one column differ in their label.
type lane struct {
	column string
	label  string
	open   func(context.Context, *workshop, time.Duration) (runner, error)
}

func (l lane) key() string {
	if l.label == "" {
		return l.column
	}
	return l.column + "@" + l.label
}

// A metric reads one number from a sample.
type metric struct {
	name string
	unit unit
	of   func(sample) float64
}

var (
	cpu       = metric{"cpu", nanoseconds, func(s sample) float64 { return s.perOp("cpu_ns") }}
	wall      = metric{"wall", nanoseconds, func(s sample) float64 { return s.perOp("wall_ns") }}
	noLogin   = metric{"wall", nanoseconds, func(s sample) float64 { return s["wall_ns"] - s["login_ns"] }}
	resident  = metric{"rss", kibibytes, func(s sample) float64 { return s["resident_kib"] }}
	anonymous = metric{"anon", kibibytes, func(s sample) float64 { return s["anonymous_kib"] }}
)

// otherClock is the metric that is shown beside the one that counts.
var otherClock = map[string]metric{cpu.name: wall, wall.name: cpu}

// A rule says how a line is judged.
type rule int

const (
	_       rule = iota
	shown        // not at all
	speedup      // against's number over subject's is at least bound
	growth       // subject's number over against's is at most bound
	limit        // subject's number is at most bound
)

// A line is one row of the table: a metric of one lane, judged alone or against another lane.
type line struct {
	title   string
	metric  metric
	subject string // key of a lane
	against string // key of a lane, for speedup and growth
	rule    rule
	bound   float64
}

// A comparison lets its lanes take turns.
type comparison struct {
	name   string
	rounds int
	slice  time.Duration
	lanes  []lane
	lines  []line
}

func (c comparison) measure() measure { return measure{c.name, c.run} }

// run opens every lane, then gives each a slice a round, starting with another lane each time. A lane that
// fails is out; the others go on.
func (c comparison) run(ctx context.Context, w *workshop) []row {
	var (
		runners = map[string]runner{}
		failed  = map[string]error{}
		samples = map[string][]sample{}
	)
	for _, l := range c.lanes {
		r, err := l.open(ctx, w, c.slice)
		if err == nil {
			defer r.close()
			_, err = r.sample(ctx) // warms it
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
			if r == nil {
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
	var rows []row
	for _, l := range c.lines {
		rows = append(rows, c.judge(l, samples, failed))
	}
	return rows
}

// judge makes the row of one line.
func (c comparison) judge(l line, samples map[string][]sample, failed map[string]error) row {
	r := row{Measure: c.name, Title: l.title, Clock: l.metric.name, unit: l.metric.unit,
		Values: map[string]spread{}, Details: map[string]sample{}}
	for _, lane := range c.lanes {
		key := lane.key()
		if lane.column == coffer && key != l.subject && key != l.against {
			continue
		}
		if failed[key] != nil {
			r.Errors = append(r.Errors, fmt.Sprintf("%s: %v", key, failed[key]))
			continue
		}
		r.Values[key] = spreadOf(numbers(samples[key], l.metric))
		r.Details[key] = medians(samples[key])
		r.lanes = append(r.lanes, lane)
	}
	r.Target = l.target()
	if failed[l.subject] != nil || failed[l.against] != nil {
		r.Verdict = l.verdict(nil)
		return r
	}
	judged := l.judged(samples, l.metric)
	r.Rounds, r.Ratio = judged, spreadOf(judged)
	r.absolute = l.against == ""
	if other, ok := otherClock[l.metric.name]; ok && !r.absolute && l.rule != shown {
		s := spreadOf(l.judged(samples, other))
		r.Other = &s
	}
	r.Verdict = l.verdict(&r.Ratio)
	return r
}

// judged is the number of each round that the bound speaks of.
func (l line) judged(samples map[string][]sample, m metric) []float64 {
	subject, against := numbers(samples[l.subject], m), numbers(samples[l.against], m)
	switch {
	case l.against == "":
		return subject
	case l.rule == speedup:
		return ratios(against, subject)
	default:
		return ratios(subject, against)
	}
}

func (l line) target() string {
	switch l.rule {
	case speedup:
		return fmt.Sprintf("≥ %g × %s", l.bound, l.against)
	case growth:
		return fmt.Sprintf("≤ %g × %s", l.bound, l.against)
	case limit:
		return "≤ " + l.metric.unit.format(l.bound)
	}
	return ""
}

// verdict judges the median; a question mark says that the bound lies within the quartiles. No spread means
// that there was nothing to judge.
func (l line) verdict(s *spread) verdict {
	if l.rule == shown {
		return ""
	}
	if s == nil {
		return unmeasured
	}
	ok := s.Median <= l.bound
	if l.rule == speedup {
		ok = s.Median >= l.bound
	}
	v := fail
	if ok {
		v = pass
	}
	if s.Q1 <= l.bound && l.bound <= s.Q3 {
		v += "?"
	}
	return v
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
	for name := range samples[0] {
		out[name] = spreadOf(numbers(samples, metric{of: func(s sample) float64 { return s[name] }})).Median
	}
	return out
}
