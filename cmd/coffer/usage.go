package main

import (
	"slices"
	"strings"

	"coffer/p11"
	"coffer/p11/attr"
)

// A keyUsage is an attribute that permits a use of a key.
type keyUsage struct {
	name string
	attr p11.AttributeType
	half p11.ObjectClass // of a pair, the half that is used so
	also p11.AttributeType
	// pairs says that a secret key has no such use.
	pairs bool
}

// usages are the names that --usage takes, in the order they are printed in.
// What one half of a pair does is of no use if the other half may not undo it,
// so also is set in the other half.
var usages = []keyUsage{
	{"encrypt", p11.CKA_ENCRYPT, p11.CKO_PUBLIC_KEY, p11.CKA_DECRYPT, false},
	{"decrypt", p11.CKA_DECRYPT, p11.CKO_PRIVATE_KEY, p11.CKA_ENCRYPT, false},
	{"sign", p11.CKA_SIGN, p11.CKO_PRIVATE_KEY, p11.CKA_VERIFY, false},
	{"verify", p11.CKA_VERIFY, p11.CKO_PUBLIC_KEY, p11.CKA_SIGN, false},
	{"wrap", p11.CKA_WRAP, p11.CKO_PUBLIC_KEY, p11.CKA_UNWRAP, false},
	{"unwrap", p11.CKA_UNWRAP, p11.CKO_PRIVATE_KEY, p11.CKA_WRAP, false},
	{"derive", p11.CKA_DERIVE, p11.CKO_PRIVATE_KEY, 0, false},
	{"encapsulate", p11.CKA_ENCAPSULATE, p11.CKO_PUBLIC_KEY, p11.CKA_DECAPSULATE, true},
	{"decapsulate", p11.CKA_DECAPSULATE, p11.CKO_PRIVATE_KEY, p11.CKA_ENCAPSULATE, true},
}

func usageNames() []string {
	var out []string
	for _, u := range usages {
		out = append(out, u.name)
	}
	return out
}

// checkUsages refuses names that are none.
func checkUsages(names []string) error {
	for _, n := range names {
		if !slices.Contains(usageNames(), n) {
			return usage("there is no usage %q: %s", n, strings.Join(usageNames(), ", "))
		}
	}
	return nil
}

// usageTemplate returns the attributes of the uses, true for those named and
// false for the others: of a secret key, or of one half of a pair.
func usageTemplate(class p11.ObjectClass, names []string) attr.Values {
	var out attr.Values
	for _, u := range usages {
		if class != p11.CKO_SECRET_KEY && u.half != class || class == p11.CKO_SECRET_KEY && u.pairs {
			continue
		}
		named := slices.Contains(names, u.name)
		if class != p11.CKO_SECRET_KEY && u.also != 0 {
			named = named || slices.ContainsFunc(usages, func(o keyUsage) bool {
				return o.attr == u.also && slices.Contains(names, o.name)
			})
		}
		out = append(out, attr.NewBool(u.attr, named))
	}
	return out
}
