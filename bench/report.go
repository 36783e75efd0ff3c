package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// A figure is what one contender did in a comparison.
type figure struct {
	Column  string  `json:"column"`
	Label   string  `json:"label,omitempty"`
	Value   spread  `json:"value"` // in the unit of the comparison
	Ratio   *spread `json:"ratio,omitempty"`
	Missing string  `json:"missing,omitempty"` // why there is no value
	Details sample  `json:"details,omitempty"` // the median of every number of its samples
}

// A result is a comparison that was made.
type result struct {
	Group   string   `json:"group"`
	Measure string   `json:"measure"`
	Title   string   `json:"title"`
	Clock   string   `json:"clock"`
	Figures []figure `json:"figures"`
	Judged  []judged `json:"judged,omitempty"`

	unit unit
}

// A report is everything that is printed.
type report struct {
	Machine machine           `json:"machine"`
	Modules map[string]string `json:"modules"`
	Results []result          `json:"results"`
}

// missed says whether a target was not met or not measured for want of coffer.
func (rep report) missed() bool {
	for _, r := range rep.Results {
		for _, j := range r.Judged {
			if strings.HasPrefix(string(j.Verdict), string(miss)) || (j.Verdict == unmeasured && strings.HasPrefix(j.Why, coffer)) {
				return true
			}
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

// print writes the facts and both tables. Medians; [quartiles] of the paired rounds.
func (rep report) print(out io.Writer) {
	m := rep.Machine
	fmt.Fprintf(out, "machine       %s, %d CPUs, Linux %s, stores on %s\n", m.CPU, m.CPUs, m.Kernel, m.FileSystem)
	fmt.Fprintf(out, "load          %s before, %s after\n", m.Load, m.LoadAfter)
	fmt.Fprintf(out, "source        %s of %s, %s\n", m.Source, m.Date, m.Go)
	for _, name := range append(append([]string{}, modules...), libcrypto) {
		fmt.Fprintf(out, "%-13s %s\n", name, rep.Modules[name])
	}
	rep.printFigures(out)
	rep.printTargets(out)
}

// printFigures is one table a group: times, and behind each how many times coffer's it is.
func (rep report) printFigures(out io.Writer) {
	for _, group := range rep.groups() {
		results := rep.of(group)
		var all []figure
		for _, r := range results {
			all = append(all, r.Figures...)
		}
		used := columnsOf(all)
		fmt.Fprintf(out, "\n%s: time (or size), and × that of coffer\n", group)
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "measure\tclock\t%s\n", strings.Join(used, "\t"))
		for _, r := range results {
			if len(r.Figures) == 0 {
				continue
			}
			fmt.Fprintf(table, "%s\t%s", r.Title, r.Clock)
			for _, column := range used {
				fmt.Fprintf(table, "\t%s", r.cell(column))
			}
			fmt.Fprintln(table)
		}
		table.Flush()
	}
}

// printTargets is the table of limits, one a line.
func (rep report) printTargets(out io.Writer) {
	fmt.Fprintf(out, "\nlimits: the ratio [quartiles of its rounds] to whom, or the value; above 1 coffer is faster where it is ≥\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "measure\tclock\tagainst\tvalue\tlimit\tverdict")
	count := map[verdict]int{}
	for _, r := range rep.Results {
		for _, j := range r.Judged {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", j.Title, j.Clock, j.Against, j.Text, j.Limit, j.verdict())
			count[verdict(strings.TrimSuffix(string(j.Verdict), "?"))]++
		}
	}
	table.Flush()
	fmt.Fprintf(out, "\n%d pass, %d miss, %d not measured\n", count[pass], count[miss], count[unmeasured])
}

func (j judged) verdict() string {
	if j.Why != "" {
		return string(j.Verdict) + ": " + j.Why
	}
	return string(j.Verdict)
}

// groups are the names of the groups, in their order.
func (rep report) groups() []string {
	var out []string
	for _, r := range rep.Results {
		if !slices.Contains(out, r.Group) {
			out = append(out, r.Group)
		}
	}
	return out
}

func (rep report) of(group string) []result {
	var out []result
	for _, r := range rep.Results {
		if r.Group == group {
			out = append(out, r)
		}
	}
	return out
}

// cell is the medians of a column's lanes.
func (r result) cell(column string) string {
	var parts []string
	for _, f := range r.Figures {
		if f.Column != column || f.Missing != "" {
			continue
		}
		text := r.unit.format(f.Value.Median)
		if f.Ratio != nil {
			text += " ×" + short(f.Ratio.Median)
		}
		if f.Label != "" {
			text += " @" + f.Label
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
	bytesEach
	allocs
)

func (u unit) format(v float64) string {
	switch {
	case u == nanoseconds && v < 0:
		return "-" + u.format(-v)
	case u == nanoseconds && v < 1e3:
		return short(v) + " ns"
	case u == nanoseconds && v < 1e6:
		return short(v/1e3) + " µs"
	case u == nanoseconds && v < 1e9:
		return short(v/1e6) + " ms"
	case u == nanoseconds:
		return short(v/1e9) + " s"
	case u == kibibytes:
		return short(v/1024) + " MiB"
	case u == bytesEach:
		return short(v) + " B"
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
