package main

import (
	"slices"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   spread
	}{
		{"nothing has no spread", nil, spread{}},
		{"one value is its own quartiles", []float64{3}, spread{3, 3, 3}},
		{"the median of an even number lies between", []float64{4, 1, 3, 2}, spread{1.75, 2.5, 3.25}},
		{"an outlier does not move the middle", []float64{1, 2, 3, 4, 1000}, spread{2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := spreadOf(c.values); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRatiosArePairedByRound(t *testing.T) {
	got := ratios([]float64{2, 9, 5}, []float64{1, 3})
	if want := []float64{2, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
