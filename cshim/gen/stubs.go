package main

import (
	"bytes"
	"fmt"
	"slices"
)

// staticC are the functions that C answers by itself, in interfaces.c: they
// must work before C_Initialize, in a forked child too, and what they give out
// must be this library's tables, whose entries know where to go.
var staticC = []string{"C_GetFunctionList", "C_GetInterfaceList", "C_GetInterface"}

// repairs are the calls that look after the host's signal handlers, before its
// threads go on to work in Go; see handlers.c.
var repairs = map[string]string{
	"C_Initialize":  "prepare_process",
	"C_OpenSession": "repair_handlers_if_due",
	// A host may keep its sessions open for good.
	"C_Login":           "repair_handlers_if_due",
	"C_FindObjectsInit": "repair_handlers_if_due",
	"C_EncryptInit":     "repair_handlers_if_due",
	"C_DecryptInit":     "repair_handlers_if_due",
	"C_DigestInit":      "repair_handlers_if_due",
	"C_SignInit":        "repair_handlers_if_due",
	"C_VerifyInit":      "repair_handlers_if_due",
}

// stubs writes the C entry points and the function lists.
func stubs(functions []function) []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("// %s\n\n", banner)
	p("#include \"guard.h\"\n#include \"interfaces.h\"\n#include \"_cgo_export.h\"\n\n")
	p("// In the process that loaded this library a call goes to Go; in a forked child to\n")
	p("// the child's own copy of the library, if C_Initialize has loaded one.\n\n")
	for _, f := range functions {
		if slices.Contains(staticC, f.name) {
			continue
		}
		p("%s {\n", f.prototype(f.name))
		if repair := repairs[f.name]; repair != "" {
			p("  %s();\n", repair)
		}
		p("  if (ours()) return go%s(%s);\n", f.name, f.names())
		if f.name == "C_Initialize" {
			p("  const CK_FUNCTION_LIST_3_2 *copy = load_copy();\n")
			p("  return copy ? copy->C_Initialize(%s) : CKR_FUNCTION_FAILED;\n}\n\n", f.names())
			continue
		}
		p("  const CK_FUNCTION_LIST_3_2 *copy = loaded_copy();\n")
		p("  return copy ? copy->%s(%s) : CKR_CRYPTOKI_NOT_INITIALIZED;\n}\n\n", f.name, f.names())
	}
	for _, t := range []struct{ list, name, version, since string }{
		{"CK_FUNCTION_LIST", "list_2_40", "{2, 40}", "2.40"},
		{"CK_FUNCTION_LIST_3_0", "list_3_0", "{3, 0}", "3.0"},
		{"CK_FUNCTION_LIST_3_0", "list_3_1", "{3, 1}", "3.0"},
		{"CK_FUNCTION_LIST_3_2", "list_3_2", "{3, 2}", "3.2"},
	} {
		p("const %s %s = {\n  %s,\n", t.list, t.name, t.version)
		for _, f := range in(t.since, functions) {
			p("  %s,\n", f.name)
		}
		p("};\n\n")
	}
	b.Truncate(b.Len() - 1)
	return b.Bytes()
}

// calls writes a header for the tests in C: a macro that is applied to each
// function of the 3.2 list with its arguments all zero.
func calls(functions []function) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "/* %s */\n\n/* X(name, arguments that are all zero) for every function. */\n#define EACH_FUNCTION(X) \\\n", banner)
	for i, f := range functions {
		zeros := ""
		for j := range f.args {
			if j > 0 {
				zeros += ", "
			}
			zeros += "0"
		}
		end := " \\\n"
		if i == len(functions)-1 {
			end = "\n"
		}
		fmt.Fprintf(&b, "  X(%s, (%s))%s", f.name, zeros, end)
	}
	return b.Bytes()
}
