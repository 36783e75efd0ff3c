package main

import "testing"

func TestAllocationTargets(t *testing.T) {
	const output = `goos: linux
BenchmarkHotPath/digest/module-2    	    1000	       187.6 ns/op	       8 B/op	       1 allocs/op
BenchmarkHotPath/digest/bare-2      	    1000	       117.2 ns/op	       0 B/op	       0 allocs/op
BenchmarkHotPath/sign/module        	    1000	     30186.0 ns/op	6528 B/op	      69 allocs/op
BenchmarkHotPath/sign/bare          	    1000	     30186.0 ns/op	6528 B/op	      69 allocs/op
BenchmarkHotPath/alone/module-2     	    1000	       187.6 ns/op	       0 B/op	       0 allocs/op
PASS
`
	rows := allocationTargets(output)
	want := []struct {
		ours    float64
		verdict verdict
	}{{1, miss}, {0, pass}, {0, unmeasured}}
	if len(rows) != len(want) {
		t.Fatalf("got %d rows, want %d", len(rows), len(want))
	}
	for i, w := range want {
		if got := rows[i]; got.Value.Median != w.ours || got.Verdict != w.verdict {
			t.Errorf("row %d: got %v, %v, want %v, %v", i, got.Value.Median, got.Verdict, w.ours, w.verdict)
		}
	}
}
