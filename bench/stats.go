package main

import (
	"math"
	"slices"
)

// A spread is the middle half of some values.
type spread struct {
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
}

// spreadOf returns the quartiles of values, interpolated; all zero when there are none.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		i, part := math.Modf(q * float64(len(sorted)-1))
		lo := sorted[int(i)]
		hi := sorted[min(int(i)+1, len(sorted)-1)]
		return lo + part*(hi-lo)
	}
	return spread{at(0.25), at(0.5), at(0.75)}
}

// ratios divides pair by pair.
func ratios(num, den []float64) []float64 {
	out := make([]float64, 0, len(num))
	for i := range min(len(num), len(den)) {
		out = append(out, num[i]/den[i])
	}
	return out
}

// differences subtracts pair by pair.
func differences(a, b []float64) []float64 {
	out := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		out = append(out, a[i]-b[i])
	}
	return out
}

// mean is NaN when there are no values.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
