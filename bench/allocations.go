package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// benchmarkLine is a line of `go test -bench -benchmem`: name, path, allocations.
var benchmarkLine = regexp.MustCompile(`(?m)^BenchmarkHotPath/(\S+)/(module|bare)(?:-\d+)?\s.*?(\d+) allocs/op`)

// allocations runs the benchmark of package hotpath, which makes each call through token.Module and then
// through Go's standard library alone: what the former allocates more is ours, and there should be none.
func allocations(ctx context.Context, w *workshop) []result {
	r := result{Group: calls, Measure: "allocations", Title: "allocations a call after its Init", Clock: "count", unit: allocs}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "HotPath", "-benchmem", "-benchtime", "1000x",
		"./bench/hotpath")
	cmd.Dir = w.root
	out, err := cmd.CombinedOutput()
	r.Judged = allocationTargets(string(out))
	if err != nil || len(r.Judged) == 0 {
		fmt.Fprintf(os.Stderr, "bench: go test ./bench/hotpath: %v\n%s\n", err, bytes.TrimSpace(out))
		r.Judged = []judged{{Title: r.Title, Verdict: unmeasured, Why: coffer + "'s benchmark failed", Limit: "0"}}
	}
	return []result{r}
}

// allocationTargets judges each pair of benchmarks.
func allocationTargets(output string) []judged {
	var all []judged
	counts := map[string]map[string]float64{}
	var names []string
	for _, m := range benchmarkLine.FindAllStringSubmatch(output, -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			continue
		}
		if counts[m[1]] == nil {
			counts[m[1]] = map[string]float64{}
			names = append(names, m[1])
		}
		counts[m[1]][m[2]] = n
	}
	for _, name := range names {
		module, okModule := counts[name]["module"]
		std, okBare := counts[name]["bare"]
		j := judged{Title: "allocations after Init, " + name, Against: bareGo, Clock: "count", Limit: "≤ + 0", Verdict: unmeasured}
		if okModule && okBare {
			j.Value = spreadOf([]float64{module - std})
			j.Text = fmt.Sprintf("%.0f", module-std)
			j.Verdict = miss
			if module <= std {
				j.Verdict = pass
			}
		} else {
			j.Why = "no pair of benchmarks"
		}
		all = append(all, j)
	}
	return all
}
