package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
)

// colours of the columns, told apart also without colour by the order of the legend.
var colours = map[string]string{
	coffer: "#1b1f24", softhsm: "#d1495b", opencryptoki: "#2e86ab", nss: "#e09f3e", bareGo: "#3d9970", libcrypto: "#8e6bbf",
}

// The sizes of a plot, in pixels.
const (
	labelWidth = 400
	plotWidth  = 600
	rowHeight  = 18
	margin     = 40
)

// A point is what one contender did in a row of a plot.
type point struct {
	column string
	ratio  float64 // times coffer's
}

// A bar is a row of a plot.
type bar struct {
	title  string
	points []point
	limits []float64
}

// writePlots draws how many times coffer's each contender's number is, where there are contenders.
func (rep report) writePlots(name, group string) error {
	bars := rep.bars(group)
	if len(bars) == 0 {
		return nil
	}
	return rep.file(name+".svg", func(out io.Writer) { plot(out, group, bars) })
}

func (rep report) bars(group string) []bar {
	var bars []bar
	for _, r := range rep.of(group) {
		b := bar{title: r.Title}
		for _, f := range r.Figures {
			if f.Ratio != nil {
				b.points = append(b.points, point{f.Column, f.Ratio.Median})
			}
		}
		for _, j := range r.Judged {
			if j.Verdict != unmeasured && j.Title == r.Title && j.Against != "" {
				b.limits = append(b.limits, j.Bound)
			}
		}
		if len(b.points) > 0 {
			bars = append(bars, b)
		}
	}
	return bars
}

// plot has a line for each bar on a logarithmic scale; right of 1 coffer is faster or smaller.
func plot(out io.Writer, group string, bars []bar) {
	low, high := 0.5, 2.0
	used := map[string]bool{}
	for _, b := range bars {
		for _, p := range b.points {
			low, high = min(low, p.ratio), max(high, p.ratio)
			used[p.column] = true
		}
	}
	low, high = math.Floor(math.Log10(low)*2)/2, math.Ceil(math.Log10(high)*2)/2
	x := func(ratio float64) float64 {
		return labelWidth + plotWidth*(math.Log10(ratio)-low)/(high-low)
	}
	height := margin + rowHeight*len(bars) + margin
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		labelWidth+plotWidth+margin, height)
	fmt.Fprintln(out, `<rect width="100%" height="100%" fill="white"/>`)
	fmt.Fprintf(out, `<text x="8" y="16" font-weight="bold">%s: how many times coffer's time (or size); | is a limit</text>`+"\n",
		html.EscapeString(group))
	at := 8
	for _, column := range columns {
		if used[column] {
			fmt.Fprintf(out, `<circle cx="%d" cy="28" r="4" fill="%s"/><text x="%d" y="32">%s</text>`+"\n", at+4, colours[column], at+12, column)
			at += 110
		}
	}
	bottom := margin + rowHeight*len(bars)
	for e := math.Ceil(low); e <= high; e++ {
		v := math.Pow(10, e)
		stroke := "#ddd"
		if e == 0 {
			stroke = colours[coffer]
		}
		fmt.Fprintf(out, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x(v), margin, x(v), bottom, stroke, x(v), bottom+16, v)
	}
	for i, b := range bars {
		y := margin + rowHeight*i + rowHeight/2
		fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-8, y+4, html.EscapeString(b.title))
		fmt.Fprintf(out, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#eee"/>`+"\n", labelWidth, y, labelWidth+plotWidth, y)
		slices.Sort(b.limits)
		for _, l := range slices.Compact(b.limits) {
			if math.Log10(l) >= low && math.Log10(l) <= high {
				fmt.Fprintf(out, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#888" stroke-width="2"/>`+"\n", x(l), y-6, x(l), y+6)
			}
		}
		for _, p := range b.points {
			fmt.Fprintf(out, `<circle cx="%.1f" cy="%d" r="4" fill="%s" fill-opacity="0.85"/>`+"\n", x(p.ratio), y, colours[p.column])
		}
	}
	fmt.Fprintln(out, `</svg>`)
}
