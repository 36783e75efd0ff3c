package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// benchmarkLine is a line of `go test -bench -benchmem`: name, path, allocations.
var benchmarkLine = regexp.MustCompile(`(?m)^BenchmarkHotPath/(\S+)/(module|bare)(?:-\d+)?\s.*?(\d+) allocs/op`)

// allocations runs the benchmark of package hotpath, which makes each call through token.Module and then
// through Go's standard library alone: what the former allocates more is ours, and there should be none.
func allocations(ctx context.Context, w *workshop) []row {
	r := row{Measure: "allocations", Title: "allocations a call after Init, ours", unit: allocs, Target: "0", Verdict: unmeasured}
	if _, err := os.Stat(filepath.Join(w.root, "bench/hotpath")); err != nil {
		r.Errors = []string{"package bench/hotpath is not there"}
		return []row{r}
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "HotPath", "-benchmem", "-benchtime", "1000x",
		"./bench/hotpath")
	cmd.Dir = w.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Errors = []string{fmt.Sprintf("go test ./bench/hotpath: %v\n%s", err, bytes.TrimSpace(out))}
		return []row{r}
	}
	return allocationRows(string(out), r)
}

// allocationRows makes a row of each pair of benchmarks.
func allocationRows(output string, like row) []row {
	var rows []row
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
		r := like
		r.Title = "allocations after Init, " + name
		if okModule && okBare {
			ours := module - std
			r.Values = map[string]spread{coffer: spreadOf([]float64{module}), bare: spreadOf([]float64{std})}
			r.lanes = []lane{{column: coffer}, {column: bare}}
			r.Rounds, r.Ratio, r.absolute = []float64{ours}, spreadOf([]float64{ours}), true
			r.Verdict = fail
			if ours <= 0 {
				r.Verdict = pass
			}
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		like.Errors = []string{"no benchmarks in the output of go test"}
		return []row{like}
	}
	return rows
}
