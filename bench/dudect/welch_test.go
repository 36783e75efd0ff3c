package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestWelch(t *testing.T) {
	var a, b moments
	for _, x := range []float64{27.5, 21.0, 19.0, 23.6, 17.0, 17.9} {
		a.add(x)
	}
	for _, x := range []float64{27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2} {
		b.add(x)
	}
	// By hand: means 21 and 23.3, variances 15.724 and 4.693.
	if got := welch(a, b); math.Abs(got+1.3084) > 0.001 {
		t.Errorf("t is %f", got)
	}
	if welch(a, a) != 0 || welch(moments{}, a) != 0 {
		t.Error("what is alike differs")
	}
}

// TestLargestSeesADifference: a difference of a hundredth, below a noise ten
// times as large, shows in 100 000 samples; none does not.
func TestLargestSeesADifference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	with := func(difference float64) float64 {
		samples := make([]sample, 100_000)
		for i := range samples {
			class := r.IntN(2)
			samples[i] = sample{1 + difference*float64(class) + 0.1*math.Abs(r.NormFloat64()), class}
		}
		return math.Abs(largest(samples))
	}
	if x := with(0.01); x < threshold {
		t.Errorf("a difference of 0.01 makes t %f", x)
	}
	if x := with(0); x > threshold {
		t.Errorf("no difference makes t %f", x)
	}
}
