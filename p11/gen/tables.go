package main

import (
	"bytes"
	"fmt"
	"log"
	"strings"
)

// kinds maps the type column of attributes.tsv to an attr.Kind. What is not
// listed is a CK_ULONG under another name.
var kinds = map[string]string{
	"CK_BBOOL": "Bool", "BOOL": "Bool",
	"Byte array": "Bytes", "CK_CHAR[16]": "Bytes", "CK_VERSION": "Bytes",
	"Big integer":  "BigInt",
	"UTF-8 string": "UTF8",
	"CK_DATE":      "Date",
	"CK_ULONG[]":   "ULongs", "CK_MECHANISM_TYPE[]": "ULongs",
	"CK_ATTRIBUTE[]": "Template",
}

// changes maps the beginning of the change_rule column to an attr.Change.
var changes = []struct{ prefix, change string }{
	{"no", "Never"}, {"text silent", "Never"}, {"any", "Always"}, {"copy only", "CopyOnly"},
	{"F->T", "ToTrue"}, {"T->F", "ToFalse"}, {"only SO", "TrueBySO"}, {"clear only", "ClearOnly"},
}

// footnotes lists the thirteen columns of the common footnotes, in order.
var footnotes = []string{
	"req_create", "forbid_create", "req_generate", "forbid_generate", "req_unwrap", "forbid_unwrap",
	"hidden_if_sensitive_or_unextractable", "modifiable", "default_token_specific", "true_only_by_so",
	"sticky_true", "sticky_false", "contributed_by_keypair_gen",
}

// defaults maps the default column to bytes; "token-specific" and text stay nil.
var defaults = map[string]string{
	"CK_FALSE": "[]byte{0}", "CK_TRUE": "[]byte{1}", "empty": "[]byte{}",
	"CK_CERTIFICATE_CATEGORY_UNSPECIFIED": "make([]byte, 8)",
	"CK_SECURITY_DOMAIN_UNSPECIFIED":      "make([]byte, 8)",
	"CK_OTP_FORMAT_DECIMAL":               "make([]byte, 8)",
}

func spec(r row) string {
	kind := kinds[r["type"]]
	if kind == "" {
		kind = "ULong"
	}
	change := ""
	for _, c := range changes {
		if strings.HasPrefix(r["change_rule"], c.prefix) {
			change = c.change
			break
		}
	}
	if change == "" {
		log.Fatalf("%s: no rule for %q", r["attribute"], r["change_rule"])
	}
	var notes []string
	for i, col := range footnotes {
		if r[col] == "1" {
			notes = append(notes, fmt.Sprintf("N%d", i+1))
		}
	}
	note := "0"
	if len(notes) > 0 {
		note = strings.Join(notes, "|")
	}
	def := defaults[r["default"]]
	if def == "" {
		def = "nil"
	}
	return fmt.Sprintf("{p11.%s, %s, %s, %s, %s},\n", r["attribute"], kind, note, change, def)
}

// tables writes one attr.Table per object class and subtype, as printed in
// the standard, without what the class inherits.
func tables(rows []row) []byte {
	var b bytes.Buffer
	b.WriteString(header + "package attr\n\nimport \"coffer/p11\"\n\n")
	type id struct{ class, sub string }
	var order []id
	group := map[id][]row{}
	kind := map[string]string{}
	var attrs []string
	for _, r := range rows {
		if strings.HasPrefix(r["attribute"], "CKA_HSS_LM") && strings.HasSuffix(r["attribute"], "TYPES") {
			r["type"] = "CK_ULONG[]"
		}
		k := id{r["object_class"], r["subtype"]}
		if group[k] == nil {
			order = append(order, k)
		}
		group[k] = append(group[k], r)
		name := kinds[r["type"]]
		if name == "" {
			name = "ULong"
		}
		if old, ok := kind[r["attribute"]]; !ok {
			attrs = append(attrs, r["attribute"])
			kind[r["attribute"]] = name
		} else if old != name {
			kind[r["attribute"]] = "Bytes" // CKA_VALUE is a number in some classes and bytes in others
		}
	}
	inherited := map[string]string{
		"(all objects)": "allObjects", "(all storage objects)": "storageObjects", "(all key objects)": "keyObjects",
	}
	for _, k := range order {
		if name := inherited[k.class]; name != "" {
			fmt.Fprintf(&b, "var %s = Table{\n", name)
			for _, r := range group[k] {
				b.WriteString(spec(r))
			}
			b.WriteString("}\n\n")
		}
	}
	b.WriteString("var classTables = map[p11.ObjectClass]map[uint64]Table{\n")
	class := ""
	for _, k := range order {
		if inherited[k.class] != "" {
			continue
		}
		if k.class != class {
			if class != "" {
				b.WriteString("},\n")
			}
			class = k.class
			fmt.Fprintf(&b, "p11.%s: {\n", class)
		}
		sub := "noSubtype"
		if k.sub != "" {
			sub = "uint64(p11." + k.sub + ")"
		}
		fmt.Fprintf(&b, "%s: {\n", sub)
		for _, r := range group[k] {
			b.WriteString(spec(r))
		}
		b.WriteString("},\n")
	}
	b.WriteString("},\n}\n\nvar kindOf = map[p11.AttributeType]Kind{\n")
	for _, a := range attrs {
		fmt.Fprintf(&b, "p11.%s: %s,\n", a, kind[a])
	}
	b.WriteString("}\n")
	return b.Bytes()
}
