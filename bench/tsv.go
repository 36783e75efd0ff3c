package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// write puts a table and a plot of each group into the folder.
func (rep report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := rep.file(filepath.Join(dir, "limits.tsv"), rep.limitsTSV)
	for _, group := range rep.groups() {
		name := filepath.Join(dir, fileName(group))
		err = errors.Join(err, rep.file(name+".tsv", func(out io.Writer) { rep.tsv(out, group) }))
		err = errors.Join(err, rep.writePlots(name, group))
	}
	return err
}

func fileName(group string) string { return strings.ReplaceAll(group, " ", "-") }

func (rep report) file(name string, print func(io.Writer)) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	print(f)
	return f.Close()
}

// tsv has a line for each contender of each measure, in the base unit: nanoseconds, KiB or bytes.
func (rep report) tsv(out io.Writer, group string) {
	fmt.Fprintln(out, "measure\ttitle\tclock\tcontender\tlabel\tq1\tmedian\tq3\ttimes_coffer\tmissing")
	for _, r := range rep.of(group) {
		for _, f := range r.Figures {
			ratio, value := "", "\t\t"
			if f.Ratio != nil {
				ratio = fmt.Sprintf("%.4g", f.Ratio.Median)
			}
			if f.Missing == "" {
				value = fmt.Sprintf("%.6g\t%.6g\t%.6g", f.Value.Q1, f.Value.Median, f.Value.Q3)
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Measure, r.Title, r.Clock, f.Column, f.Label, value, ratio,
				strings.Join(strings.Fields(f.Missing), " "))
		}
	}
}

func (rep report) limitsTSV(out io.Writer) {
	fmt.Fprintln(out, "group\tmeasure\ttitle\tclock\tagainst\tq1\tmedian\tq3\tlimit\tverdict")
	for _, r := range rep.Results {
		for _, j := range r.Judged {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\t%s\n", r.Group, r.Measure, j.Title, j.Clock, j.Against,
				j.Value.Q1, j.Value.Median, j.Value.Q3, j.Limit, strings.Join(strings.Fields(j.verdict()), " "))
		}
	}
}
