package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// infeasible is a lane that is not run.
func infeasible(column, label string) lane {
	return lane{column, label, func(context.Context, *workshop, time.Duration) (runner, error) { return nil, errInfeasible }}
}

// objectMeasures go by the number of objects, so that each store is filled once and dropped when it is done with.
// The small coffer store stays to the end: what is measured on large ones is measured beside it.
func objectMeasures(p plan) []comparison {
	counts := []int{100, 1000, 10_000, 100_000}
	if p.quick {
		counts = []int{100, 10_000, 100_000}
	}
	if p.million {
		counts = append(counts, 1_000_000)
	}
	var out []comparison
	for _, n := range counts {
		group := p.objectsAt(n)
		last := &group[len(group)-1]
		for _, m := range modules {
			if m != coffer || n != 100 {
				last.after = append(last.after, filled(n).of(m))
			}
		}
		if p.quick {
			// What has no target is not run, but the stores are dropped.
			for i := len(group) - 1; i >= 0; i-- {
				if len(group[i].target) > 0 {
					group[i].after = last.after
					break
				}
			}
		}
		out = append(out, group...)
	}
	return out
}

// objectsAt is what is measured with so many objects on the token.
func (p plan) objectsAt(n int) []comparison {
	count := strconv.Itoa(n)
	lanes := func(open func(column string, f fixture, label string, args ...string) lane, args ...string) []lane {
		var out []lane
		for _, m := range modules {
			if feasible(m, n, p.quick) {
				out = append(out, open(m, filled(n), "", args...))
			} else {
				out = append(out, infeasible(m, ""))
			}
		}
		return out
	}
	serve := func(column string, f fixture, label string, args ...string) lane {
		return served(column, f, label, 1, args...)
	}
	at := func(title string, m metric, lanes []lane, targets []target, name string) comparison {
		return comparison{
			name: fmt.Sprintf("%s-%d", name, n), group: objects, title: fmt.Sprintf("%s, %s objects", title, thousands(n)),
			metric: m, rounds: p.rounds, slice: p.slice, lanes: lanes, target: targets,
		}
	}
	some := max(2*p.rounds/3, 5)

	var found []target
	if n == 100 || n == 10_000 || n == 100_000 {
		found = []target{atLeast(2, nss)}
	}
	newproc := at("new process to its first signature", wall, append(lanes(started, "newproc"), started(coffer, filled(100), "100", "newproc")), nil, "newproc")
	newproc.rounds = some
	newproc.also = []view{{"without C_Login", noLogin}, {"CPU time", cpu}, {"resident memory", resident}}
	startup := at("load + C_Initialize + C_GetSlotList", wall, lanes(started, "startup"), nil, "startup")
	startup.rounds = some
	startup.also = []view{{"CPU time", cpu}, {"resident memory", resident}}
	disk := at("bytes on disk an object", onDisk, nil, nil, "disk")
	disk.rounds = 1
	disk.also = []view{{"in blocks", blocks}}
	for _, m := range modules {
		if feasible(m, n, p.quick) {
			disk.lanes = append(disk.lanes, stored(m, filled(n), ""))
		}
	}
	if n == 100_000 {
		newproc.target = []target{
			{rule: speedup, bound: 0.5, against: []string{nss}, metric: &noLogin, title: "new process without C_Login, 100 000 objects"},
			{rule: growth, bound: 1.2, against: []string{coffer + "@100"}, title: "cold start to a signature, 100 000 objects to 100"},
			{rule: growth, bound: 1.05, against: []string{coffer + "@100"}, metric: &resident, title: "memory after a signature, 100 000 objects to 100"},
		}
		startup.target = []target{
			{rule: limit, bound: 20e6},
			{rule: limit, bound: 30 * 1024, metric: &resident, title: "resident memory after C_GetSlotList, 100 000 objects"},
		}
	}
	return []comparison{
		disk, newproc, startup,
		at("find by CKA_ID", cpu, lanes(serve, "find", "id", count), found, "find-id"),
		at("find by CKA_LABEL", cpu, lanes(serve, "find", "label", count), found, "find-label"),
		at("find what is not there", cpu, lanes(serve, "find-miss", "label", count), nil, "find-miss"),
		at("find by CKA_CLASS, one of its class", cpu, lanes(serve, "find-class"), nil, "find-class"),
		at("find all", cpu, lanes(serve, "enumerate"), nil, "enumerate"),
		at("C_CreateObject", wall, lanes(serve, "create"), nil, "create"),
		at("C_DestroyObject", wall, lanes(serve, "destroy"), nil, "destroy"),
	}
}

// thousands is n with a thin space before each three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
