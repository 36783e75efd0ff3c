package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

// An objectView is an object as it is printed.
type objectView struct {
	Class       string   `json:"class"`
	Type        string   `json:"type,omitempty"` // what key generate --type takes
	Label       string   `json:"label"`
	ID          string   `json:"id"` // CKA_ID
	Usage       []string `json:"usage"`
	Private     bool     `json:"private"`
	Sensitive   bool     `json:"sensitive"`
	Extractable bool     `json:"extractable"`
	Trusted     bool     `json:"trusted"`
	UniqueID    string   `json:"unique_id"`
}

// viewed are the attributes that an objectView is made of, less the usages.
var viewed = []p11.AttributeType{
	p11.CKA_CLASS, p11.CKA_KEY_TYPE, p11.CKA_CERTIFICATE_TYPE, p11.CKA_PROFILE_ID,
	p11.CKA_LABEL, p11.CKA_ID, p11.CKA_UNIQUE_ID,
	p11.CKA_PRIVATE, p11.CKA_SENSITIVE, p11.CKA_EXTRACTABLE, p11.CKA_TRUSTED,
	p11.CKA_MODULUS, p11.CKA_EC_PARAMS, p11.CKA_PARAMETER_SET, p11.CKA_VALUE_LEN,
}

// view reads an object.
func view(m *token.Module, s p11.SessionHandle, h p11.ObjectHandle) (objectView, error) {
	types := slices.Clone(viewed)
	for _, u := range usages {
		types = append(types, u.attr)
	}
	vs, err := attributes(m, s, h, types)
	if err != nil {
		return objectView{}, err
	}
	v := objectView{
		Class:       className(vs),
		Type:        typeName(vs),
		Label:       string(vs.Bytes(p11.CKA_LABEL)),
		ID:          hex.EncodeToString(vs.Bytes(p11.CKA_ID)),
		Usage:       []string{},
		Private:     vs.True(p11.CKA_PRIVATE),
		Sensitive:   vs.True(p11.CKA_SENSITIVE),
		Extractable: vs.True(p11.CKA_EXTRACTABLE),
		Trusted:     vs.True(p11.CKA_TRUSTED),
		UniqueID:    string(vs.Bytes(p11.CKA_UNIQUE_ID)),
	}
	for _, u := range usages {
		if vs.True(u.attr) {
			v.Usage = append(v.Usage, u.name)
		}
	}
	return v, nil
}

func views(m *token.Module, s p11.SessionHandle, hs ...p11.ObjectHandle) ([]objectView, error) {
	out := make([]objectView, 0, len(hs))
	for _, h := range hs {
		v, err := view(m, s, h)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// attributes reads those of the types that the object has and shows.
func attributes(m *token.Module, s p11.SessionHandle, h p11.ObjectHandle, types []p11.AttributeType) (attr.Values, error) {
	ask := make([]token.Query, len(types))
	for i, t := range types {
		ask[i] = token.Query{Type: t, Ask: true}
	}
	if err := m.GetAttributeValue(s, h, ask); err != nil && !isAbsent(err) {
		return nil, err
	}
	var get []token.Query
	for _, q := range ask {
		if q.N >= 0 {
			get = append(get, token.Query{Type: q.Type, Buf: make([]byte, q.N)})
		}
	}
	if err := m.GetAttributeValue(s, h, get); err != nil {
		return nil, err
	}
	var out attr.Values
	for _, q := range get {
		out = append(out, attr.NewBytes(q.Type, q.Buf[:q.N]))
	}
	return out, nil
}

// isAbsent reports whether err is about single attributes, not the object.
func isAbsent(err error) bool {
	return errors.Is(err, p11.CKR_ATTRIBUTE_TYPE_INVALID) || errors.Is(err, p11.CKR_ATTRIBUTE_SENSITIVE)
}

func sortViews(vs []objectView) {
	slices.SortFunc(vs, func(a, b objectView) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Class, b.Class), cmp.Compare(a.UniqueID, b.UniqueID))
	})
}

func printObjects(w io.Writer, vs []objectView) error {
	rows := [][]string{{"CLASS", "TYPE", "LABEL", "ID", "USAGE", "FLAGS", "UNIQUE ID"}}
	for _, v := range vs {
		rows = append(rows, []string{v.Class, v.Type, v.Label, v.ID, strings.Join(v.Usage, ","), strings.Join(v.flags(), ","), v.UniqueID})
	}
	return table(w, rows)
}

func (v objectView) flags() []string {
	var out []string
	for _, f := range []struct {
		isSet bool
		name  string
	}{
		{v.Private, "private"}, {v.Sensitive, "sensitive"}, {v.Extractable, "extractable"}, {v.Trusted, "trusted"},
	} {
		if f.isSet {
			out = append(out, f.name)
		}
	}
	return out
}

func (v objectView) String() string {
	return fmt.Sprintf("%s %q with ID %q", v.Class, v.Label, v.ID)
}

// A class is an object class and its name here.
type class struct {
	name  string
	class p11.ObjectClass
}

var classes = []class{
	{"private-key", p11.CKO_PRIVATE_KEY},
	{"public-key", p11.CKO_PUBLIC_KEY},
	{"secret-key", p11.CKO_SECRET_KEY},
	{"certificate", p11.CKO_CERTIFICATE},
	{"data", p11.CKO_DATA},
	{"profile", p11.CKO_PROFILE},
}

func classNames() []string {
	var out []string
	for _, c := range classes {
		out = append(out, c.name)
	}
	return out
}

func className(vs attr.Values) string {
	c, ok := vs.Class()
	for _, known := range classes {
		if ok && c == known.class {
			return known.name
		}
	}
	return c.String()
}

// classOf returns the class of a name: one of ours, or the standard's.
func classOf(name string) (p11.ObjectClass, error) {
	for _, c := range classes {
		if c.name == name || c.class.String() == name {
			return c.class, nil
		}
	}
	return 0, usage("there is no class %q: %s", name, strings.Join(classNames(), ", "))
}
