package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// A plot is XML whatever the titles are, with a circle for each contender besides those of the legend.
func TestPlotIsXML(t *testing.T) {
	var out bytes.Buffer
	plot(&out, "a & b", []bar{
		{"<one>", []point{{softhsm, 12}, {nss, 0.3}}, []float64{1.5}},
		{"two", []point{{softhsm, 5000}}, nil},
	})
	circles := 0
	decoder := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 3+2 {
		t.Errorf("got %d circles, want 3 and 2 of the legend", circles)
	}
}

func TestTSVHasAColumnForEachName(t *testing.T) {
	rep := report{Results: []result{{Group: calls, Measure: "null", Title: "a call", Clock: "cpu", Figures: []figure{
		{Column: coffer, Value: spread{1, 2, 3}},
		{Column: nss, Missing: "fails\nin two lines\tand a tab"},
	}}}}
	var out bytes.Buffer
	rep.tsv(&out, calls)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %d lines, want the names and one a contender", len(lines))
	}
	for _, l := range lines {
		if got, want := strings.Count(l, "\t"), strings.Count(lines[0], "\t"); got != want {
			t.Errorf("%q has %d columns, the names are %d", l, got+1, want+1)
		}
	}
}
