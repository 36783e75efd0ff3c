package main

import (
	"math"
	"slices"
)

// moments are the mean and the sum of squared deviations, kept as values come
// (Welford).
type moments struct{ n, mean, m2 float64 }

func (m *moments) add(x float64) {
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.m2 += d * (x - m.mean)
}

// welch is Welch's t: how many standard errors two means are apart.
func welch(a, b moments) float64 {
	if a.n < 2 || b.n < 2 {
		return 0
	}
	se := math.Sqrt(a.m2/(a.n-1)/a.n + b.m2/(b.n-1)/b.n)
	if se == 0 {
		if a.mean == b.mean {
			return 0
		}
		return math.Inf(1)
	}
	return (a.mean - b.mean) / se
}

// A sample is how long one call took, and which class its input was of.
type sample struct {
	time  float64
	class int
}

// crops are the shares of the samples that are looked at, the fastest first:
// what interrupts a call only makes it longer, and hides small differences.
var crops = []float64{0.2, 0.5, 0.75, 0.9, 1}

// largest returns the t that is farthest from zero among the crops.
func largest(samples []sample) (t float64) {
	times := make([]float64, len(samples))
	for i, s := range samples {
		times[i] = s.time
	}
	slices.Sort(times)
	for _, crop := range crops {
		limit := times[int(crop*float64(len(times)-1))]
		var m [2]moments
		for _, s := range samples {
			if s.time <= limit {
				m[s.class].add(s.time)
			}
		}
		if x := welch(m[0], m[1]); math.Abs(x) > math.Abs(t) {
			t = x
		}
	}
	return t
}
