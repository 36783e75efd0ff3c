package conformance

import (
	"encoding/hex"
	"encoding/xml"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
	"coffer/token"
)

// A node is an element of a test case. Its text is remarks.
type node struct {
	name     string
	attrs    map[string]string
	children []*node
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all returns every element of a name below n.
func (n *node) all(name string) (out []*node) {
	for _, c := range n.children {
		if c.name == name {
			out = append(out, c)
		}
		out = append(out, c.all(name)...)
	}
	return out
}

func (n *node) value() (string, bool) { v, ok := n.attrs["value"]; return v, ok }

func (n *node) add(name string, attrs ...string) *node {
	c := &node{name: name, attrs: map[string]string{}}
	for i := 0; i+1 < len(attrs); i += 2 {
		c.attrs[attrs[i]] = attrs[i+1]
	}
	n.children = append(n.children, c)
	return c
}

// A script is a test case: calls, and the result of each (PKCS #11 Profiles
// v3.2, section 3).
type script struct {
	calls, results []*node
	symbols        map[string]string
	got            map[string]string // values by their place
	differences    map[string]difference
}

func readScript(h *Host, path string) *script {
	h.Helper()
	f, err := os.Open(path)
	h.Must(err)
	defer f.Close()
	x := &script{symbols: map[string]string{"Pin": string(UserPIN)}, got: map[string]string{}, differences: map[string]difference{}}
	d := xml.NewDecoder(f)
	stack := []*node{{}}
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		h.Must(err)
		switch t := t.(type) {
		case xml.StartElement:
			n := stack[len(stack)-1].add(t.Name.Local)
			for _, a := range t.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	steps := stack[0].children[0].children
	if len(steps) == 0 || len(steps)%2 != 0 {
		h.Fatalf("%d elements are not calls with results", len(steps))
	}
	for pair := range slices.Chunk(steps, 2) {
		if pair[0].name != pair[1].name {
			h.Fatalf("the result of %s is that of %s", pair[0].name, pair[1].name)
		}
		x.calls, x.results = append(x.calls, pair[0]), append(x.results, pair[1])
	}
	return x
}

// run makes the calls and compares the results.
func (x *script) run(h *Host) {
	h.Helper()
	for i, call := range x.calls {
		do := scriptCalls[call.name]
		if do == nil {
			h.Fatalf("the runner has no %s", call.name)
		}
		x.substitute(call)
		out := &node{name: call.name, attrs: map[string]string{}}
		err := do(h, call, out)
		if got, want := p11.Code(err).String(), "CKR_"+x.results[i].attrs["rv"]; got != want {
			h.Fatalf("step %d, %s: %s, want %s", i+1, call.name, got, want)
		}
		at := call.name
		if m := call.child("Type"); m != nil {
			at += "(" + m.attrs["value"] + ")"
		}
		if data := call.child("Data"); data != nil {
			x.got[at+"(Data)"] = data.attrs["value"]
		}
		x.compare(h, at, x.results[i], out)
	}
}

// substitute puts symbols into a call.
func (x *script) substitute(n *node) {
	for k, v := range n.attrs {
		if s, ok := x.symbols[symbol(v)]; ok {
			n.attrs[k] = s
		}
	}
	for _, c := range n.children {
		x.substitute(c)
	}
}

func symbol(v string) string {
	if strings.HasPrefix(v, "${") && strings.HasSuffix(v, "}") {
		return v[2 : len(v)-1]
	}
	return ""
}

// free are the elements and attributes whose values may differ (section 3.1).
// MODULUS and Signature are not among them there; since the private key of the
// test is not published, nobody can have them.
var free = map[string]bool{
	"ManufacturerID": true, "LibraryDescription": true, "LibraryVersion": true, "SlotDescription": true,
	"HardwareVersion": true, "FirmwareVersion": true, "serialNumber": true, "label": true, "model": true, "utcTime": true,
	"MODULUS": true, "Signature": true,
}

// compare compares a result with what is expected, and binds symbols.
func (x *script) compare(h *Host, at string, want, got *node) {
	h.Helper()
	used := map[*node]bool{}
	for _, w := range want.children {
		place := at + "/" + w.name
		if t := w.attrs["type"]; t != "" {
			place = at + "/" + t
		}
		// Lists may be longer and in another order: the entry that fits, or for a
		// symbol the next one.
		var match *node
		for _, g := range got.children {
			if used[g] || g.name != w.name || g.attrs["type"] != w.attrs["type"] {
				continue
			}
			if match == nil || w.attrs["value"] == g.attrs["value"] {
				match = g
			}
		}
		if match == nil {
			if w.name == "Object" && len(w.attrs) == 0 {
				continue // no count is given: none will do
			}
			h.Fatalf("%s is missing", place)
		}
		used[match] = true
		for k, v := range w.attrs {
			g := match.attrs[k]
			if k != "type" {
				x.got[place] = g
			}
			switch s := symbol(v); {
			case s != "":
				x.symbols[s] = g
			case free[w.name] || free[w.attrs["type"]]:
			case strings.TrimRight(g, " ") != strings.TrimRight(v, " "):
				x.differences[place] = difference{want: v, got: g}
			}
		}
		x.compare(h, place, w, match)
	}
}

// number reads a number of a call.
func (n *node) number(h *Host, name string) uint64 {
	h.Helper()
	c := n.child(name)
	if c == nil {
		h.Fatalf("%s has no %s", n.name, name)
	}
	v, err := strconv.ParseUint(c.attrs["value"], 0, 64)
	h.Must(err)
	return v
}

func (n *node) session(h *Host) p11.SessionHandle {
	h.Helper()
	return p11.SessionHandle(n.number(h, "Session"))
}

func (n *node) slot(h *Host) p11.SlotID { h.Helper(); return p11.SlotID(n.number(h, "SlotID")) }

func attributeType(h *Host, name string) p11.AttributeType {
	h.Helper()
	for _, t := range p11.KnownAttributeTypes() {
		if t.String() == "CKA_"+name {
			return t
		}
	}
	h.Fatalf("there is no CKA_%s", name)
	return 0
}

func mechanismType(h *Host, name string) p11.MechanismType {
	h.Helper()
	for _, t := range p11.KnownMechanismTypes() {
		if t.String() == "CKM_"+name {
			return t
		}
	}
	h.Fatalf("there is no CKM_%s", name)
	return 0
}

// template reads the template of a search.
func (n *node) template(h *Host) (out attr.Values) {
	h.Helper()
	for _, a := range n.child("Template").children {
		t, v := attributeType(h, a.attrs["type"]), a.attrs["value"]
		switch attr.KindOf(t) {
		case attr.Bool:
			out = append(out, attr.NewBool(t, strings.EqualFold(v, "true")))
		case attr.ULong:
			for _, c := range p11.KnownObjectClasss() {
				if c.String() == "CKO_"+v {
					out = append(out, attr.NewULong(t, c))
				}
			}
		default:
			out = append(out, attr.NewString(t, v))
		}
	}
	return out
}

// queries reads the template of C_GetAttributeValue.
func (n *node) queries(h *Host) (out []token.Query) {
	h.Helper()
	for _, a := range n.child("Template").children {
		q := token.Query{Type: attributeType(h, a.attrs["type"]), Ask: true}
		if length, ok := a.attrs["length"]; ok {
			size, err := strconv.Atoi(length)
			h.Must(err)
			q.Ask, q.Buf = false, make([]byte, size)
		}
		out = append(out, q)
	}
	return out
}

// printed is a value as the tests have it: text as text, bytes in hexadecimal.
func printed(q token.Query) string {
	if attr.KindOf(q.Type) == attr.UTF8 {
		return string(q.Buf[:q.N])
	}
	return hex.EncodeToString(q.Buf[:q.N])
}
