package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// A verdict is what became of a target; pass and fail may carry a question mark.
type verdict string

const (
	pass       verdict = "pass"
	fail       verdict = "FAIL"
	unmeasured verdict = "not measured"
)

// A row is one line of the table with what stands behind it.
type row struct {
	Measure string            `json:"measure"`
	Title   string            `json:"title"`
	Clock   string            `json:"clock"`
	Values  map[string]spread `json:"values"` // by lane, in nanoseconds or KiB
	Ratio   spread            `json:"ratio"`  // or the value, where the target is one
	Other   *spread           `json:"other_clock_ratio,omitempty"`
	Target  string            `json:"target,omitempty"`
	Verdict verdict           `json:"verdict,omitempty"`
	Rounds  []float64         `json:"rounds"`
	Details map[string]sample `json:"details,omitempty"` // by lane: the median of every number of its samples
	Errors  []string          `json:"errors,omitempty"`

	lanes    []lane // of Values, in order
	unit     unit
	absolute bool
}

// A report is everything that is printed.
type report struct {
	Machine machine           `json:"machine"`
	Modules map[string]string `json:"modules"`
	Rows    []row             `json:"rows"`
}

// missed says whether a target was not met or not measured.
func (rep report) missed() bool {
	for _, r := range rep.Rows {
		if v := r.Verdict; v == unmeasured || strings.HasPrefix(string(v), string(fail)) {
			return true
		}
	}
	return false
}

func (rep report) save(file string) error {
	text, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// print writes the facts and the table. Medians; [quartiles] of the paired rounds.
func (rep report) print(out io.Writer) {
	m := rep.Machine
	fmt.Fprintf(out, "machine   %s, %d CPUs, Linux %s, stores on %s\n", m.CPU, m.CPUs, m.Kernel, m.FileSystem)
	fmt.Fprintf(out, "load      %s before, %s after\n", m.Load, m.LoadAfter)
	fmt.Fprintf(out, "source    %s, %s\n", m.Source, m.Go)
	fmt.Fprintf(out, "coffer    %s\n", rep.Modules[coffer])
	fmt.Fprintf(out, "softhsm2  %s\n\n", rep.Modules[peer])

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "measure\tcoffer\tsofthsm2\tbare Go\tclock\tratio [quartiles]\tother clock\ttarget\tverdict")
	for _, r := range rep.Rows {
		ratio, other := "", ""
		format := short
		if r.absolute {
			format = r.unit.format
		}
		switch n := len(r.Rounds); {
		case n == 1:
			ratio = format(r.Ratio.Median)
		case n > 1:
			ratio = fmt.Sprintf("%s [%s–%s]", format(r.Ratio.Median), format(r.Ratio.Q1), format(r.Ratio.Q3))
		}
		if r.Other != nil {
			other = short(r.Other.Median)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Title, r.cell(coffer), r.cell(peer), r.cell(bare),
			r.Clock, ratio, other, r.Target, r.Verdict)
	}
	table.Flush()
	rep.printErrors(out)
}

// printErrors says why something is missing, each reason once.
func (rep report) printErrors(out io.Writer) {
	seen := map[string]bool{}
	for _, r := range rep.Rows {
		for _, e := range r.Errors {
			text := r.Measure + ": " + e
			if !seen[text] {
				seen[text] = true
				fmt.Fprintf(out, "\n%s\n", text)
			}
		}
	}
}

// cell is the medians of a column's lanes.
func (r row) cell(column string) string {
	var parts []string
	for _, l := range r.lanes {
		if l.column != column {
			continue
		}
		text := r.unit.format(r.Values[l.key()].Median)
		if l.label != "" {
			text += " @" + l.label
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// A unit is what a metric's numbers count.
type unit int

const (
	_ unit = iota
	nanoseconds
	kibibytes
	allocs
)

func (u unit) format(v float64) string {
	switch u {
	case nanoseconds:
		switch {
		case v < 1e3:
			return short(v) + " ns"
		case v < 1e6:
			return short(v/1e3) + " µs"
		case v < 1e9:
			return short(v/1e6) + " ms"
		}
		return short(v/1e9) + " s"
	case kibibytes:
		return short(v/1024) + " MiB"
	}
	return fmt.Sprintf("%.0f", v)
}

// short has three significant digits, and no exponent.
func short(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
