package main

import "fmt"

// together are the operations that many threads and processes do at once.
var together = []struct {
	name, title string
	args        []string
}{
	{"sign", "ECDSA P-256 sign", []string{"sign", "p256"}},
	{"encrypt", "AES-GCM 1 KiB encrypt", []string{"encrypt", "aes-gcm", "1024"}},
}

// concurrencyMeasures are judged by the clock on the wall, except where it says so: what waits is what counts.
// "Falling" allows for the noise of a machine that is shared: 5 %.
func concurrencyMeasures(p plan) []comparison {
	var out []comparison
	for _, op := range together {
		threads := comparison{
			name: op.name + "-threads", group: concurrency, title: op.title + ", in threads, time an operation", metric: wall,
			rounds: p.rounds, slice: p.slice,
		}
		processes := comparison{
			name: op.name + "-processes", group: concurrency, title: op.title + ", in processes, time an operation", metric: wall,
			rounds: p.rounds, slice: p.slice,
		}
		threads.also, processes.also = []view{{"CPU time", cpu}}, []view{{"CPU time", cpu}}
		for _, m := range modules {
			for _, n := range []int{1, 2, 8} {
				if n != 8 && m != coffer && p.quick {
					continue
				}
				threads.lanes = append(threads.lanes, served(m, keys, fmt.Sprint(n), n, op.args...))
				if n > 1 {
					processes.lanes = append(processes.lanes, crowded(m, keys, fmt.Sprint(n), n, op.args...))
				}
			}
		}
		best := target{rule: speedup, bound: 1.5, subject: coffer + "@8", against: at8(peers)}
		threads.target = append(threads.target, best.called(op.title+", 8 threads"))
		processes.target = []target{best.called(op.title + ", 8 processes")}
		for _, n := range []string{"2", "8"} {
			threads.target = append(threads.target, target{rule: speedup, bound: 0.95, subject: coffer + "@" + n, against: []string{coffer + "@1"},
				title: fmt.Sprintf("%s, rate in %s threads over that in one", op.title, n)})
		}
		out = append(out, threads, processes)
	}
	return append(out, p.processMeasures()...)
}

func at8(columns []string) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c+"@8")
	}
	return out
}

func (t target) called(title string) target {
	t.title = title
	return t
}

// processMeasures are about processes that share a store. In a crowd the first one opened it and holds it for
// the others.
func (p plan) processMeasures() []comparison {
	compare := func(name, title string, m metric, lanes []lane, targets ...target) comparison {
		return comparison{name: name, group: concurrency, title: title, metric: m, rounds: p.rounds, slice: p.slice, lanes: lanes, target: targets}
	}
	// Both lanes are alive at once: the first one holds the store, the second one is a peer.
	pair := func(args ...string) []lane {
		return []lane{served(coffer, filled(1000), "holder", 1, args...), served(coffer, filled(1000), "peer", 1, args...)}
	}
	holder := []string{coffer + "@holder"}
	crowd := compare("find-sign-processes", "find by label + ECDSA P-256 sign, time an operation", wall, nil,
		target{rule: speedup, bound: 2, subject: coffer + "@8", against: []string{softhsm + "@8"}, title: "find + sign, 8 processes"},
		target{rule: speedup, bound: 0.9, subject: coffer + "@8", against: []string{coffer + "@1"}, metric: &cpu,
			title: "find + sign, operations a second of CPU, 8 processes over one"})
	for _, m := range modules {
		crowd.lanes = append(crowd.lanes, crowded(m, filled(1000), "8", 8, "find-sign", "p256"))
	}
	crowd.lanes = append(crowd.lanes, served(coffer, filled(1000), "1", 1, "find-sign", "p256"))

	few := max(p.rounds/2, 3)
	visible := func(first, title string) comparison {
		c := compare("visible-"+first, title, wall, nil, target{rule: limit, bound: 1e6})
		for _, m := range modules {
			c.lanes = append(c.lanes, started(m, fixture{name: "visible"}, "", "visible", "20", first))
		}
		c.rounds = few
		c.also = []view{{"p99", of("p99_ns", nanoseconds)}}
		return c
	}
	takeover := func(write, title string) comparison {
		c := compare("takeover-"+write, title, wall, []lane{started(coffer, fixture{name: "takeover"}, "", "takeover", write)},
			target{rule: limit, bound: 200e6})
		c.rounds = 2 * few
		return c
	}
	forked := compare("forked", "C_Initialize in a forked child", wall, nil, target{rule: limit, bound: 40e6})
	forked.also = []view{{"CPU time", cpu}, {"until it has signed", of("child_sign_ns", nanoseconds)}}
	for _, m := range []string{coffer, softhsm} {
		forked.lanes = append(forked.lanes, started(m, fixture{name: "forked"}, "", "forked"))
	}
	out := []comparison{
		compare("peer-find", "C_FindObjects by CKA_LABEL, in the holder and in a peer", wall, pair("find", "label", "1000"),
			target{rule: extra, bound: 100e3, subject: coffer + "@peer", against: holder, title: "C_FindObjects by CKA_LABEL, a peer over the holder"}),
		compare("peer-sign", "ECDSA P-256 sign, in the holder and in a peer", cpu, pair("sign", "p256"),
			target{rule: speedup, bound: 0.95, subject: coffer + "@peer", against: holder, title: "ECDSA P-256 sign, a peer's rate over the holder's"}),
		crowd,
		visible("1", "another process's write becomes visible to a peer"),
		visible("0", "a peer's write becomes visible to the holder"),
		takeover("0", "takeover: until a peer finds and signs"),
		takeover("1", "takeover: until a peer writes"),
		forked,
	}
	for i := range out[:2] {
		out[i].slice = 2 * p.slice
	}
	return out
}

// streamMeasures are about memory: one operation over 1 GiB, and what a signing thread notices of the collector.
func streamMeasures(p plan) []comparison {
	var out []comparison
	for _, s := range [][2]string{{"encrypt", "aes-ctr"}, {"encrypt", "aes-gcm"}, {"digest", "sha256"}, {"mac", "hmac-sha256"}} {
		c := comparison{
			name: "stream-" + s[1], group: streams, title: "1 GiB of " + s[1] + ", time a MiB", metric: cpu, rounds: 1,
			also:   []view{{"growth of resident memory", grown}},
			target: []target{{rule: limit, bound: 4096, metric: &grown, title: "1 GiB of " + s[1] + ", growth of resident memory"}},
		}
		for _, m := range modules {
			if m == coffer || !p.quick {
				c.lanes = append(c.lanes, started(m, keys, "", "stream", s[0], s[1], "1073741824", "65536"))
			}
		}
		out = append(out, c)
	}
	held := comparison{
		name: "pause", group: streams, title: "p99.9 of a signature while 10 000 objects are made", metric: wall, rounds: max(p.rounds/3, 2),
		also: []view{
			{"median", of("p50_ns", nanoseconds)}, {"the longest", of("max_ns", nanoseconds)},
			{"p99.9 beside a busy core, without objects", of("quiet_ns", nanoseconds)},
			{"the longest then", of("quiet_max_ns", nanoseconds)}, {"objects made", of("objects", allocs)},
		},
	}
	for _, m := range modules {
		held.lanes = append(held.lanes, started(m, fixture{name: "pause"}, "", "pause", "10000", "5"))
	}
	return append(out, held)
}
