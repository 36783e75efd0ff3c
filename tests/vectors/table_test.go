package vectors

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
)

var update = flag.Bool("update", false, "write docs/VECTORS.md anew")

// table is what a suite did, in Markdown.
func table(rows []row) string {
	var b, absent strings.Builder
	reasons := map[string]int{}
	for _, r := range rows {
		if r.why != "" {
			continue
		}
		for why := range r.notes {
			reasons[why] = 0
		}
	}
	for i, why := range slices.Sorted(maps.Keys(reasons)) {
		reasons[why] = i + 1
	}
	var total row
	b.WriteString("| file | mechanisms | cases | valid, accepted | invalid, refused | acceptable, accepted / refused | not run, or refused for a reason |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		if r.why != "" {
			continue
		}
		var ms, notes []string
		for _, m := range slices.Sorted(slices.Values(r.used)) {
			ms = append(ms, "`"+m.String()+"`")
		}
		for _, why := range slices.Sorted(maps.Keys(r.notes)) {
			notes = append(notes, fmt.Sprintf("%d (%d)", r.notes[why], reasons[why]))
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %s | %s |\n", strings.TrimSuffix(r.name, "_test.json"), strings.Join(ms, ", "),
			r.cases, r.valid, r.invalid, either(r.acceptable), strings.Join(notes, ", "))
		total.cases += r.cases
		total.valid += r.valid
		total.invalid += r.invalid
		total.acceptable[0] += r.acceptable[0]
		total.acceptable[1] += r.acceptable[1]
	}
	fmt.Fprintf(&b, "| **all** | | **%d** | **%d** | **%d** | **%s** | **%d** |\n\n", total.cases, total.valid, total.invalid, either(total.acceptable),
		total.cases-total.valid-total.invalid-total.acceptable[0]-total.acceptable[1])
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(&b, "%d. %s\n", reasons[why], why)
	}

	skipped := map[string][]string{}
	cases := map[string]int{}
	for _, r := range rows {
		if r.why != "" {
			skipped[r.why] = append(skipped[r.why], strings.TrimSuffix(r.name, "_test.json"))
			cases[r.why] += r.cases
		}
	}
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(&absent, "| %s | %d | %s |\n", why, cases[why], strings.Join(skipped[why], ", "))
	}
	if absent.Len() > 0 {
		b.WriteString("\n| why a whole file is left out | cases | files |\n|---|---|---|\n" + absent.String())
	}
	return b.String()
}

func either(n [2]int) string {
	if n == [2]int{} {
		return ""
	}
	return fmt.Sprintf("%d / %d", n[0], n[1])
}
