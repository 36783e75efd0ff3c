package main

import (
	"errors"
	"testing"
)

// three lanes: coffer takes 2, one peer 6, another one 3, and one fails.
func measured() (comparison, map[string][]sample, failures) {
	c := comparison{metric: cpu, title: "an operation"}
	samples := map[string][]sample{}
	for lane, time := range map[string]float64{coffer: 2, softhsm: 6, nss: 3} {
		for range 3 {
			samples[lane] = append(samples[lane], sample{"ops": 1, "cpu_ns": time})
		}
	}
	return c, samples, failures{opencryptoki: errAbsent("it")}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name    string
		target  target
		value   float64
		verdict verdict
		against string
	}{
		{"so many times as fast as a peer", atLeast(2, softhsm), 3, pass, softhsm},
		{"not so many times as fast", atLeast(3.5, softhsm), 3, miss, softhsm},
		{"the best peer counts", atLeast(2, peers...), 1.5, miss, nss + ", the best peer"},
		{"what lacks it is not judged", atLeast(2, opencryptoki), 0, unmeasured, opencryptoki},
		{"a limit", target{rule: limit, bound: 2.5}, 2, pass, ""},
		{"a limit passed over", target{rule: limit, bound: 1}, 2, miss, ""},
		{"so much above another", target{rule: extra, bound: 1, subject: softhsm, against: []string{nss}}, 3, miss, nss},
		{"no more than so many times another", target{rule: growth, bound: 2, subject: nss, against: []string{coffer}}, 1.5, pass, coffer},
		{"a value on the bound is not safe", atLeast(3, softhsm), 3, pass + "?", softhsm},
	} {
		t.Run(c.name, func(t *testing.T) {
			comparison, samples, failed := measured()
			j := comparison.judge(c.target, samples, failed)
			if j.Value.Median != c.value || j.Verdict != c.verdict || j.Against != c.against {
				t.Errorf("got %v, %q, %q, want %v, %q, %q", j.Value.Median, j.Verdict, j.Against, c.value, c.verdict, c.against)
			}
		})
	}
}

func TestAMissingCofferIsAMiss(t *testing.T) {
	c, samples, failed := measured()
	c.target = []target{atLeast(1, softhsm)}
	delete(samples, coffer)
	failed[coffer] = errAbsent("it")
	if rep := (report{Results: []result{c.result(samples, failed)}}); !rep.missed() {
		t.Error("what coffer lacks is not missed")
	}
	_, samples, failed = measured()
	c.target = []target{atLeast(1, opencryptoki)}
	if rep := (report{Results: []result{c.result(samples, failed)}}); rep.missed() {
		t.Error("what a peer lacks is missed")
	}
}

func TestPooledRatiosAreOfMeans(t *testing.T) {
	c := comparison{metric: cpu, pooled: true}
	var samples = map[string][]sample{}
	for _, v := range []float64{1, 1, 10} {
		samples[coffer] = append(samples[coffer], sample{"cpu_ns": v})
		samples[softhsm] = append(samples[softhsm], sample{"cpu_ns": 8})
	}
	if got := c.ratios(samples, coffer, softhsm, cpu).Median; got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

func TestReplaceFigures(t *testing.T) {
	text := "by hand\n" + string(figuresBegin) + "old\n" + string(figuresEnd) + "more by hand\n"
	got, err := replaceFigures([]byte(text), []byte("new\n"))
	want := "by hand\n" + string(figuresBegin) + "new\n" + string(figuresEnd) + "more by hand\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := replaceFigures([]byte("by hand\n"), nil); err == nil {
		t.Error("a file without a place for figures is taken")
	}
}

func TestDecode(t *testing.T) {
	var s sample
	if err := decode([]byte(`{"absent":"Ed25519"}`), &s); !errors.As(err, new(errAbsent)) {
		t.Errorf("got %v, want that it is absent", err)
	}
	if err := decode([]byte(`{"error":"C_Sign: 0x5"}`), &s); err == nil || errors.As(err, new(errAbsent)) {
		t.Errorf("got %v, want a fault", err)
	}
	if err := decode([]byte(`{"ops":7}`), &s); err != nil || s["ops"] != 7 {
		t.Errorf("got %v, %v, want 7 ops", s, err)
	}
}
