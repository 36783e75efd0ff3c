package main

import (
	"fmt"
	"strings"
)

// A rule says how a target is judged.
type rule int

const (
	_       rule = iota
	speedup      // against's number over the subject's is at least the bound
	growth       // the subject's number over against's is at most the bound
	limit        // the subject's number is at most the bound
	extra        // the subject's number is at most so much above against's
)

// A target is a promise about one comparison.
type target struct {
	rule    rule
	bound   float64
	against []string // keys of lanes: the best of those that there are
	subject string   // key of a lane; empty: coffer
	metric  *metric  // nil: the comparison's
	title   string   // empty: the comparison's
}

// atLeast asks for so many times the speed of the best of the columns.
func atLeast(bound float64, against ...string) target {
	return target{rule: speedup, bound: bound, against: against}
}

// A verdict is what became of a target; pass and miss may carry a question mark.
type verdict string

const (
	pass       verdict = "pass"
	miss       verdict = "miss"
	unmeasured verdict = "not measured"
)

// A judged target is one line of the table of limits.
type judged struct {
	Title   string  `json:"title"`
	Against string  `json:"against,omitempty"`
	Limit   string  `json:"limit"`
	Clock   string  `json:"clock"`
	Value   spread  `json:"value"` // of what the limit speaks of: a ratio, or a time or a size
	Text    string  `json:"text"`
	Bound   float64 `json:"bound"`
	Verdict verdict `json:"verdict"`
	Why     string  `json:"why,omitempty"` // it was not measured
}

// judge compares the subject with each of those that it is measured against; the one it looks worst beside counts.
func (c comparison) judge(t target, samples map[string][]sample, failed failures) judged {
	m := c.metric
	if t.metric != nil {
		m = *t.metric
	}
	subject := t.subject
	if subject == "" {
		subject = coffer
	}
	j := judged{Title: t.title, Against: strings.Join(t.against, ", "), Limit: t.limit(m), Clock: m.name, Bound: t.bound,
		Verdict: unmeasured}
	if j.Title == "" {
		j.Title = c.title
	}
	if len(t.against) > 1 {
		j.Against = "the best peer"
	}
	if err := failed[subject]; err != nil || len(samples[subject]) == 0 {
		j.Why = subject + ": not run"
		if err != nil {
			j.Why = subject + " " + missing(err)
		}
		return j
	}
	if t.rule == limit {
		j.settle(t, spreadOf(numbers(samples[subject], m)), m)
		return j
	}
	var reasons []string
	worst, found := spread{}, false
	for _, against := range t.against {
		if err := failed[against]; err != nil || len(samples[against]) == 0 {
			if err != nil {
				reasons = append(reasons, against+" "+missing(err))
			}
			continue
		}
		s := c.compare(t, samples, subject, against, m)
		if found && !t.worse(s, worst) {
			continue
		}
		worst, found = s, true
		if len(t.against) > 1 {
			j.Against = against + ", the best peer"
		}
	}
	if !found {
		j.Why = strings.Join(reasons, "; ")
		return j
	}
	j.settle(t, worst, m)
	return j
}

// compare is the number that the bound speaks of.
func (c comparison) compare(t target, samples map[string][]sample, subject, against string, m metric) spread {
	switch t.rule {
	case speedup:
		return c.ratios(samples, subject, against, m)
	case growth:
		return c.ratios(samples, against, subject, m)
	}
	return spreadOf(differences(numbers(samples[subject], m), numbers(samples[against], m)))
}

// worse says whether the subject looks worse by a than by b.
func (t target) worse(a, b spread) bool {
	if t.rule == speedup {
		return a.Median < b.Median
	}
	return a.Median > b.Median
}

// settle judges the median; a question mark says that the bound lies within the quartiles.
func (j *judged) settle(t target, s spread, m metric) {
	j.Value = s
	ok := s.Median <= t.bound
	if t.rule == speedup {
		ok = s.Median >= t.bound
	}
	j.Verdict = miss
	if ok {
		j.Verdict = pass
	}
	if s.Q1 <= t.bound && t.bound <= s.Q3 {
		j.Verdict += "?"
	}
	format := short
	if t.rule == limit || t.rule == extra {
		format = m.unit.format
	}
	j.Text = format(s.Median)
	if s.Q1 != s.Q3 {
		j.Text = fmt.Sprintf("%s [%s–%s]", format(s.Median), format(s.Q1), format(s.Q3))
	}
}

func (t target) limit(m metric) string {
	switch t.rule {
	case speedup:
		return fmt.Sprintf("≥ %g", t.bound)
	case growth:
		return fmt.Sprintf("≤ %g", t.bound)
	case extra:
		return "≤ + " + m.unit.format(t.bound)
	}
	return "≤ " + m.unit.format(t.bound)
}
