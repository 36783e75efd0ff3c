package main

import (
	"bytes"
	"fmt"
	"strings"
)

// header writes pkcs11.h. Structures have the platform's natural alignment, as
// every PKCS #11 module on Unix has them; the packing of Windows is not here.
func header(constants, typedefs, structs []row, functions []function) []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("/* %s */\n\n", banner)
	p("/* PKCS #11 v3.2 for Unix: constants, types and functions of the standard under\n")
	p(" * the standard's names. All layouts are those of natural alignment. */\n\n")
	p("#ifndef COFFER_PKCS11_H\n#define COFFER_PKCS11_H\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n")
	p("#define CK_PTR *\n#ifndef NULL_PTR\n#define NULL_PTR 0\n#endif\n\n")

	group := ""
	for _, c := range constants {
		if c["value_space"] != group {
			group = c["value_space"]
			p("\n/* %s */\n", group)
		}
		p("#define %s %s\n", c["name"], constant(c))
	}

	p("\n")
	for _, t := range typedefs {
		if t["kind"] == "scalar" {
			p("typedef %s %s;\n", t["target"], t["type"])
		}
	}
	p("\n")
	for _, s := range fieldsByStruct(structs) {
		p("typedef struct %s %s;\n", s.name, s.name)
	}
	p("\n")
	for _, t := range typedefs {
		if t["kind"] == "pointer" {
			p("typedef %s%s;\n", t["target"], t["type"])
		}
	}
	p("\n")
	for _, t := range typedefs {
		if t["kind"] == "callback" {
			result, args, _ := strings.Cut(t["target"], " ")
			p("typedef %s (*%s)%s;\n", result, t["type"], strings.ReplaceAll(args, ";", ","))
		}
	}
	for _, s := range fieldsByStruct(structs) {
		if s.isFunctionList() {
			continue
		}
		p("\nstruct %s {\n", s.name)
		for _, f := range s.fields {
			if f["array_len"] != "" {
				p("  %s %s[%s];\n", f["c_type"], f["field"], f["array_len"])
			} else {
				p("  %s %s;\n", f["c_type"], f["field"])
			}
		}
		p("};\n")
	}

	p("\n")
	for _, f := range functions {
		p("extern %s;\n", f.prototype(f.name))
	}
	p("\n")
	for _, f := range functions {
		p("typedef %s;\n", f.prototype("(*CK_"+f.name+")"))
	}
	for _, l := range lists {
		p("\nstruct %s {\n  CK_VERSION version;\n", l.name)
		for _, f := range in(l.since, functions) {
			p("  CK_%s %s;\n", f.name, f.name)
		}
		p("};\n")
	}
	p("\n#ifdef __cplusplus\n}\n#endif\n#endif\n")
	return b.Bytes()
}

// constant gives a number the type CK_ULONG, in which it is used.
func constant(c row) string {
	v := c["value"]
	switch {
	case c["name"] == "CK_TRUE", c["name"] == "CK_FALSE", strings.HasPrefix(c["name"], "CRYPTOKI_"):
		return v // a CK_BBOOL or a CK_BYTE, not a CK_ULONG
	case strings.HasPrefix(v, "~0"):
		return "(~0UL)"
	default:
		return v + "UL"
	}
}

// lists are the function lists and the version from which their functions are.
var lists = []struct{ name, since string }{
	{"CK_FUNCTION_LIST", "2.40"},
	{"CK_FUNCTION_LIST_3_0", "3.0"},
	{"CK_FUNCTION_LIST_3_2", "3.2"},
}

type structure struct {
	name   string
	fields []row
}

// isFunctionList reports whether the fields stand in functions.tsv.
func (s *structure) isFunctionList() bool { return strings.HasPrefix(s.name, "CK_FUNCTION_LIST") }

func fieldsByStruct(rows []row) []structure {
	var out []structure
	for _, r := range rows {
		if len(out) == 0 || out[len(out)-1].name != r["struct"] {
			out = append(out, structure{name: r["struct"]})
		}
		s := &out[len(out)-1]
		s.fields = append(s.fields, r)
	}
	return out
}

// layout writes a C file that compiles only if the header's structures have
// the sizes and offsets of the table.
func layout(structs []row) []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("/* %s */\n\n", banner)
	p("/* Compiles only if pkcs11.h has the layouts of the table, for 64-bit Unix. */\n\n")
	p("#include <stddef.h>\n#include \"pkcs11.h\"\n\n")
	for _, s := range fieldsByStruct(structs) {
		first := s.fields[0]
		p("_Static_assert(sizeof(%s) == %s, \"%s\");\n", s.name, first["lp64_size"], s.name)
		p("_Static_assert(_Alignof(%s) == %s, \"%s\");\n", s.name, first["lp64_align"], s.name)
		for _, f := range s.fields {
			field := f["field"]
			if s.isFunctionList() && f != nil && field != "version" {
				field = "C_Initialize"
			}
			p("_Static_assert(offsetof(%s, %s) == %s, \"%s.%s\");\n", s.name, field, f["lp64_offset"], s.name, field)
			if !s.isFunctionList() {
				p("_Static_assert(sizeof((*(%s *)0).%s) == %s, \"%s.%s\");\n", s.name, field, f["lp64_field_size"], s.name, field)
			}
		}
	}
	return b.Bytes()
}
