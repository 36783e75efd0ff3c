package vectors

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"coffer/p11"
	. "coffer/tests/p11test"
	"coffer/tests/report"
)

// TestWycheproof runs every file of Project Wycheproof that coffer has a
// mechanism for.
func TestWycheproof(t *testing.T) {
	h := NewHost(t, CLibrary)
	h.User()
	list, err := h.GetMechanismList(0)
	h.Must(err)
	names, err := fs.Glob(wycheproof.TestVectors, "*_test.json")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	rows := make([]row, len(names))
	t.Run("file", func(t *testing.T) {
		for i, name := range names {
			rows[i] = row{name: name}
			t.Run(strings.TrimSuffix(name, "_test.json"), func(t *testing.T) {
				t.Parallel()
				rows[i].run(t, h, list)
			})
		}
	})
	if slices.ContainsFunc(rows, func(r row) bool { return r.cases == 0 }) {
		t.Skip("with -run, a part of the files is not looked at, and the table is not compared")
	}
	if !t.Failed() {
		report.Compare(t, "VECTORS.md", "wycheproof", table(rows), *update)
	}
}

// A row counts what happened to the cases of a file.
type row struct {
	name       string
	route      route
	used       []p11.MechanismType
	why        string // nothing ran
	cases      int
	valid      int    // accepted
	invalid    int    // refused
	acceptable [2]int // accepted, refused
	notes      map[string]int
	faults     int
}

func (r *row) run(t *testing.T, h *Host, list []p11.MechanismType) {
	for _, n := range noMechanism {
		if strings.HasPrefix(r.name, n.prefix) && !r.routed(t) {
			r.why = n.why
			var numbers struct{ NumberOfTests int }
			read(t, r.name, &numbers)
			r.cases = numbers.NumberOfTests
			return
		}
	}
	var f file
	read(t, r.name, &f)
	r.cases = f.NumberOfTests
	found, ok := routeOf(f.TestGroups[0].Type, f.Algorithm)
	if !ok {
		t.Fatalf("there is neither a route for %s %s nor a reason to leave it out", f.TestGroups[0].Type, f.Algorithm)
	}
	r.route, r.notes = found, map[string]int{}
	for _, m := range found.needs {
		if !slices.Contains(list, m) {
			r.why = "coffer does not have " + m.String()
			return
		}
	}
	s, err := h.OpenSession(0, RO)
	if err != nil {
		t.Fatal(err)
	}
	defer h.CloseSession(s)
	c := &client{Driver: h.Driver, s: s}
	defer func() {
		c.drop()
		r.used = c.used
	}()
	n := 0
	for gi := range f.TestGroups {
		g := &f.TestGroups[gi]
		for vi := range g.Tests {
			n++
			v := &g.Tests[vi]
			verdict := found.run(c, g, v)
			if verdict.kind == absent && r.valid+r.invalid == 0 { // the first that is run
				r.why = "coffer does not have " + verdict.why
				return
			}
			r.count(t, g, v, verdict)
		}
	}
	if n != f.NumberOfTests {
		t.Errorf("%d cases, and the file says %d", n, f.NumberOfTests)
	}
}

// routed says that a file has a route although its name's beginning does not.
func (r *row) routed(t *testing.T) bool {
	var head struct {
		Algorithm  string
		TestGroups []struct{ Type string }
	}
	read(t, r.name, &head)
	_, ok := routeOf(head.TestGroups[0].Type, head.Algorithm)
	return ok
}

func routeOf(typ, algorithm string) (route, bool) {
	if r, ok := routes[typ+" "+algorithm]; ok {
		return r, true
	}
	r, ok := routes[typ]
	return r, ok
}

// faultCodes say that something is wrong with the token, not with the input.
var faultCodes = []p11.RV{
	p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED, p11.CKR_DEVICE_ERROR, p11.CKR_HOST_MEMORY, p11.CKR_DEVICE_MEMORY, p11.CKR_ARGUMENTS_BAD,
	p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_OPERATION_ACTIVE, p11.CKR_OPERATION_NOT_INITIALIZED, p11.CKR_KEY_HANDLE_INVALID,
	p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_KEY_FUNCTION_NOT_PERMITTED, p11.CKR_BUFFER_TOO_SMALL,
}

// count holds a verdict against what the vector says.
func (r *row) count(t *testing.T, g *group, v *vector, got verdict) {
	bad := func(format string, args ...any) {
		if r.faults++; r.faults <= 10 {
			t.Errorf("%d (%s, %s, %v): %s", v.ID, v.Result, v.Comment, v.Flags, fmt.Sprintf(format, args...))
		}
	}
	var rv p11.RV
	if got.kind == refused && got.err != nil && (!errors.As(got.err, &rv) || slices.Contains(faultCodes, rv)) {
		bad("%v", got.err)
		return
	}
	for _, l := range r.route.limits {
		if !l.when(g, v) || got.kind == unfit {
			continue
		}
		if want := map[bool]verdictKind{true: accepted, false: refused}[l.rv == p11.CKR_OK]; got.kind != want || rv != l.rv {
			bad("it should be answered with %v (%s): %v", l.rv, l.why, got)
		} else {
			r.notes[l.why]++
		}
		return
	}
	switch {
	case got.kind == unfit:
		r.notes[got.why]++
	case got.kind == accepted && v.Result == "valid":
		r.valid++
	case got.kind == refused && v.Result == "invalid":
		r.invalid++
	case got.kind == accepted && v.Result == "acceptable":
		r.acceptable[0]++
	case got.kind == refused && v.Result == "acceptable":
		r.acceptable[1]++
	default:
		bad("%s", got)
	}
}

func (v verdict) String() string {
	switch v.kind {
	case accepted:
		return "it is accepted"
	case refused:
		return fmt.Sprintf("it is refused: %v", v.err)
	case absent:
		return "coffer does not have " + v.why
	}
	return v.why
}
