package tests

import (
	"flag"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

var update = flag.Bool("update", false, "write docs/MECHANISMS.md instead of comparing it")

// tsv returns the rows of a table of tab-separated values with that many
// columns or more.
func tsv(t *testing.T, file string, columns int) (rows [][]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		row := strings.Split(line, "\t")
		if len(row) < columns {
			t.Fatalf("%s:%d has %d columns, not %d: %q", file, i+1, len(row), columns, line)
		}
		rows = append(rows, row)
	}
	return rows
}

// A standardMechanism is a name of the standard and its number, which another
// name may have too.
type standardMechanism struct {
	name string
	typ  p11.MechanismType
}

// standardMechanisms are those of the standard in its order.
func standardMechanisms(t *testing.T) (all []standardMechanism) {
	t.Helper()
	rows := tsv(t, "../p11/spec/mechanisms.tsv", 2)[1:]
	if len(rows) < 479 {
		t.Fatalf("the standard's table has %d mechanisms, not 479", len(rows))
	}
	for _, row := range rows {
		n, err := strconv.ParseUint(row[1], 0, 64)
		if err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		all = append(all, standardMechanism{row[0], p11.MechanismType(n)})
	}
	return all
}

// absentMechanisms are the reasons in mech/absent.tsv.
func absentMechanisms(t *testing.T) map[string]string {
	t.Helper()
	reasons := map[string]string{}
	for _, row := range tsv(t, "../mech/absent.tsv", 2) {
		if reasons[row[0]] != "" || len(row) != 2 || row[1] == "" {
			t.Errorf("mech/absent.tsv: %s has not one reason", row[0])
		}
		reasons[row[0]] = row[1]
	}
	return reasons
}

func presentMechanisms(t *testing.T) map[p11.MechanismType]*mech.Mechanism {
	t.Helper()
	reg := mech.NewRegistry(mech.All()...)
	rows := map[p11.MechanismType]*mech.Mechanism{}
	for _, typ := range reg.Mechanisms() {
		row, err := reg.Lookup(typ)
		if err != nil {
			t.Fatal(err)
		}
		rows[typ] = row
	}
	return rows
}

// Every mechanism of the standard is there, or its absence has a reason, and
// not both. Two names of one number share a row.
func TestEveryMechanismIsThereOrHasAReason(t *testing.T) {
	present, reasons := presentMechanisms(t), absentMechanisms(t)
	standard := map[string]bool{}
	numbers := map[p11.MechanismType]bool{}
	for _, m := range standardMechanisms(t) {
		name := m.name
		standard[name], numbers[m.typ] = true, true
		_, is := present[m.typ]
		switch reason, absent := reasons[name]; {
		case is && absent:
			t.Errorf("%s is there: its line in mech/absent.tsv goes", name)
		case !is && !absent:
			t.Errorf("%s is neither there nor in mech/absent.tsv", name)
		case absent && len(reason) < 15:
			t.Errorf("%s: %q is no reason", name, reason)
		}
	}
	for name := range reasons {
		if !standard[name] {
			t.Errorf("mech/absent.tsv: the standard has no %s", name)
		}
	}
	for typ := range present {
		if !numbers[typ] && typ < p11.CKM_VENDOR_DEFINED {
			t.Errorf("the standard has no %v, and it is no vendor's", typ)
		}
	}
}

// A mechanismSource says which library a mechanism is made of, and whose
// answers its tests compare with.
type mechanismSource struct{ pattern, library, vectors string }

// sourceOf returns the first of the sources whose pattern matches.
func sourceOf(sources []mechanismSource, name string) (int, bool) {
	for i, s := range sources {
		if ok, err := path.Match(s.pattern, name); err == nil && ok {
			return i, true
		}
	}
	return 0, false
}

func mechanismSources(t *testing.T) (sources []mechanismSource) {
	t.Helper()
	for _, row := range tsv(t, "../mech/sources.tsv", 3) {
		sources = append(sources, mechanismSource{row[0], row[1], row[2]})
	}
	return sources
}

func sizeText(s mech.KeySize) string {
	unit := map[mech.Unit]string{mech.Bits: "bits", mech.Bytes: "bytes"}[s.Unit]
	switch {
	case unit == "":
		return ""
	case s.Min == s.Max:
		return fmt.Sprintf("%d %s", s.Min, unit)
	default:
		return fmt.Sprintf("%d–%d %s", s.Min, s.Max, unit)
	}
}

// mechanismFunctions are the flags of C_GetMechanismInfo in words.
var mechanismFunctions = []struct {
	flag p11.Flags
	name string
}{
	{p11.CKF_ENCRYPT, "encrypt"}, {p11.CKF_DECRYPT, "decrypt"}, {p11.CKF_DIGEST, "digest"},
	{p11.CKF_SIGN, "sign"}, {p11.CKF_VERIFY, "verify"},
	{p11.CKF_SIGN_RECOVER, "sign recover"}, {p11.CKF_VERIFY_RECOVER, "verify recover"},
	{p11.CKF_GENERATE, "generate"}, {p11.CKF_GENERATE_KEY_PAIR, "generate pair"},
	{p11.CKF_WRAP, "wrap"}, {p11.CKF_UNWRAP, "unwrap"}, {p11.CKF_DERIVE, "derive"},
	{p11.CKF_ENCAPSULATE, "encapsulate"}, {p11.CKF_DECAPSULATE, "decapsulate"},
	{p11.CKF_MESSAGE_ENCRYPT, "message encrypt"}, {p11.CKF_MESSAGE_DECRYPT, "message decrypt"},
	{p11.CKF_MESSAGE_SIGN, "message sign"}, {p11.CKF_MESSAGE_VERIFY, "message verify"},
}

const mechanismsHead = `# Mechanisms

Every mechanism of PKCS #11 v3.2, in the order of its numbers: what coffer does with it, of which library it is made and
whose answers its tests compare with; or why it is not there. Made from the registry in ` + "`mech/`, `mech/sources.tsv` and\n`mech/absent.tsv`" + ` by ` + "`tests/readme.sh`" + `; do not edit.

`

// mechanismsPage is docs/MECHANISMS.md.
func mechanismsPage(t *testing.T) string {
	t.Helper()
	present, reasons, sources := presentMechanisms(t), absentMechanisms(t), mechanismSources(t)
	all := standardMechanisms(t)
	var b, absent strings.Builder
	there := 0
	for _, m := range all {
		name := m.name
		row, ok := present[m.typ]
		if !ok {
			fmt.Fprintf(&absent, "| `%s` | %s |\n", name, reasons[name])
			continue
		}
		there++
		var does []string
		for _, f := range mechanismFunctions {
			if row.Flags()&f.flag != 0 {
				does = append(does, f.name)
			}
		}
		i, ok := sourceOf(sources, name)
		if !ok {
			t.Errorf("%s: no line of mech/sources.tsv says what it is made of and tested with", name)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, sizeText(row.Size), strings.Join(does, ", "), sources[i].library, sources[i].vectors)
	}
	return mechanismsHead + fmt.Sprintf("## There: %d of %d\n\n", there, len(all)) +
		"| mechanism | key size | functions | library | tested against |\n|---|---|---|---|---|\n" + b.String() +
		fmt.Sprintf("\n## Absent: %d\n\n", len(all)-there) +
		"| mechanism | why |\n|---|---|\n" + absent.String()
}

func TestMechanismsPage(t *testing.T) {
	const file = "../docs/MECHANISMS.md"
	want := mechanismsPage(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/MECHANISMS.md is old; run tests/readme.sh")
	}
}

// Each line of mech/sources.tsv is about some mechanism.
func TestMechanismSourcesAreUsed(t *testing.T) {
	sources := mechanismSources(t)
	used := map[int]bool{}
	for typ := range presentMechanisms(t) {
		if i, ok := sourceOf(sources, typ.String()); ok {
			used[i] = true
		}
	}
	for i, s := range sources {
		if !used[i] {
			t.Errorf("mech/sources.tsv: nothing there is %s, or an earlier line has it", s.pattern)
		}
	}
}
