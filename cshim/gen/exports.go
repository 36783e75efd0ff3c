package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// exports writes the Go half of each function: marshal the arguments by their
// shapes, call the method of token.Module, store the results.
func exports(functions []function) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n\npackage main\n\n", banner)
	b.WriteString("// #include \"pkcs11.h\"\nimport \"C\"\n\nimport \"coffer/p11\"\n")
	for i := range functions {
		f := &functions[i]
		switch {
		case byHand[f.name] != "" || slices.Contains(staticC, f.name):
		default:
			export(&b, f)
		}
	}
	return b.Bytes()
}

func (f *function) parameters() string {
	args := make([]string, len(f.args))
	for i, a := range f.args {
		args[i] = goName(a.name) + " C." + a.typ
	}
	return strings.Join(args, ", ")
}

// goName keeps clear of Go's keywords and of the names that the generated code
// uses.
func goName(name string) string {
	if name == "type" {
		return "typ"
	}
	return name
}

func export(b *bytes.Buffer, f *function) {
	p := func(format string, args ...any) { fmt.Fprintf(b, format, args...) }
	p("\n//export go%s\nfunc go%s(%s) (rv C.CK_RV) {\n", f.name, f.name, f.parameters())
	session := "0"
	if f.session {
		session = "p11.SessionHandle(" + f.args[0].name + ")"
	}
	p("\tdefer guard(%q, %s, &rv)\n", f.name, session)
	p("\tm := enter()\n\tif m == nil {\n\t\treturn notInitialized\n\t}\n")

	var call, stored, fields, after []string
	// A function that has an output and results has no results where it is
	// asked for the length of the output.
	output := argument{}
	for _, s := range f.shapes() {
		if s.kind == bytesOut {
			output = s.value
		}
	}
	checked := false
	local := func(s shape) string { return label(s.value) }
	for _, s := range f.shapes() {
		v := local(s)
		if s.kind != number && !checked {
			p("\tvar a arguments\n")
			checked = true
		}
		switch s.kind {
		case number:
			call = append(call, fmt.Sprintf("%s(%s)", goTypes[s.value.typ], goName(s.value.name)))
			fields = append(fields, numberField(s.value))
		case mechanism:
			p("\tvar mech p11.Mechanism\n\t%s := a."+f.mechanismDecoder()+"\n", v, s.value.name)
			call = append(call, v)
			fields = append(fields, fmt.Sprintf("mechanismField(%s)", s.value.name))
		case message:
			if kind := f.messageKind(); kind != "" {
				p("\t%s := a.message(m.%s(%s), %s, %s)\n", v, kind, session, s.value.name, s.count.name)
				call = append(call, "&"+v)
			} else {
				p("\ta.noParameter(%s)\n", s.count.name)
			}
		case bytesIn:
			p("\t%s := a.in(%s, %s)\n", v, s.value.name, s.count.name)
			call = append(call, v)
			if strings.Contains(s.value.name, "Pin") {
				fields = append(fields, fmt.Sprintf("secretField(%q)", label(s.value)))
			} else {
				fields = append(fields, fmt.Sprintf("inField(%q, %s, %s)", label(s.value), s.value.name, s.count.name))
			}
		case bytesOut:
			p("\t%s := a.out(%s, %s)\n", v, s.value.name, s.count.name)
			call = append(call, "&"+v)
			after = append(after, fmt.Sprintf("\tstoreLength(rv, %s, %s.N)\n", s.count.name, v))
			fields = append(fields, fmt.Sprintf("outField(%q, %s.Buf == nil, len(%s.Buf), %s.N)", label(s.value), v, v, v))
		case fill:
			p("\t%s := a.fill(%s, %s)\n", v, s.value.name, s.count.name)
			call = append(call, v)
			fields = append(fields, fmt.Sprintf("inField(%q, %s, %s)", label(s.value), s.value.name, s.count.name))
		case template:
			p("\t%s := a.template(%s, %s)\n\tdefer wipe(%s)\n", v, s.value.name, s.count.name, v)
			call = append(call, v)
			fields = append(fields, fmt.Sprintf("templateField(%s)", v))
		case result:
			given, made := s.value.name+" != nil", "rv == ok"
			if output.name != "" {
				given += " || " + output.name + " == nil"
				made += " && " + output.name + " != nil"
			}
			p("\ta.result(%s)\n", given)
			stored = append(stored, v)
			after = append(after, fmt.Sprintf("\tif %s {\n\t\t*%s = C.%s(%s)\n\t}\n", made, s.value.name, results[s.value.typ], v))
			fields = append(fields, fmt.Sprintf("resultField(%q, uint64(%s))", label(s.value), v))
		}
	}
	for _, s := range f.shapes() {
		if s.kind == result {
			p("\tvar %s %s\n", local(s), goTypes[results[s.value.typ]])
		}
	}
	method := strings.TrimPrefix(f.name, "C_")
	assign := strings.Join(append(stored, "err"), ", ")
	if !checked {
		p("\terr := m.%s(%s)\n", method, strings.Join(call, ", "))
	} else {
		p("\terr := a.err\n\tif err == nil {\n\t\t%s = m.%s(%s)\n\t} else {\n", assign, method, strings.Join(call, ", "))
		p("\t\terr = refuse(m, %s, %q, err)\n\t}\n", session, f.name)
	}
	if session != "0" {
		p("\terr = m.Late(%s, err)\n", session)
	}
	p("\trv = code(err)\n%s", strings.Join(after, ""))
	p("\tif logged(rv) {\n\t\treport(%q, err, %s)\n\t}\n\treturn rv\n}\n", f.name, strings.Join(fields, ", "))
}

func numberField(a argument) string {
	name := goName(a.name)
	switch a.typ {
	case "CK_FLAGS":
		return fmt.Sprintf("flagsField(%s)", name)
	case "CK_USER_TYPE":
		return fmt.Sprintf("userField(%s)", name)
	}
	return fmt.Sprintf("numberField(%q, uint64(%s))", label(a), name)
}

// label is how the log calls an argument: hSession is "session", pData "data".
func label(a argument) string {
	s := a.name
	for _, prefix := range []string{"ph", "pul", "ul", "p", "h"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			s = rest
			break
		}
	}
	s = strings.TrimSuffix(s, "ID")
	return strings.ToLower(s[:1]) + s[1:]
}
