package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"coffer/p11"
)

// A Setting is one setting of a policy: its name, "" for the policy's own name,
// and how its text changes a policy.
type Setting struct {
	Name string
	Set  func(p *Policy, text string) error
}

// Settings is the table of settings.
var Settings = settings()

func settings() []Setting {
	all := []Setting{
		{"", setName},
		{"allow", list(func(p *Policy) *[]p11.MechanismType { return &p.allow })},
		{"deny", list(func(p *Policy) *[]p11.MechanismType { return &p.deny })},
	}
	for _, g := range groups {
		all = append(all, Setting{"minimum." + g.name, minimum(g.types)})
	}
	return all
}

// Names of policies, for messages.
func names() string {
	var out []string
	for name := range bases {
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// setName puts another policy in place, and leaves the operator's own lists and
// sizes as they are.
func setName(p *Policy, text string) error {
	b, ok := bases[text]
	if !ok {
		return fmt.Errorf("is not one of %s", names())
	}
	p.Name, p.base = text, b
	return nil
}

// list reads names of mechanisms, or patterns such as CKM_DES3_*, that commas
// or spaces separate.
func list(field func(*Policy) *[]p11.MechanismType) func(*Policy, string) error {
	return func(p *Policy, text string) error {
		chosen := []p11.MechanismType{}
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
			found, err := matching(word)
			if err != nil {
				return err
			}
			chosen = append(chosen, found...)
		}
		if len(chosen) == 0 {
			return errors.New("names no mechanism")
		}
		*field(p) = chosen
		return nil
	}
}

func matching(pattern string) (found []p11.MechanismType, err error) {
	for _, t := range p11.KnownMechanismTypes() {
		ok, err := path.Match(pattern, t.String())
		if err != nil {
			return nil, fmt.Errorf("has the malformed pattern %q", pattern)
		}
		if ok {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("has %q, which is no mechanism of the standard", pattern)
	}
	return found, nil
}

const mostBits = 1 << 20

func minimum(types []p11.KeyType) func(*Policy, string) error {
	return func(p *Policy, text string) error {
		bits, err := strconv.Atoi(text)
		if err != nil || bits < 0 || bits > mostBits {
			return fmt.Errorf("is not a number of bits from 0 to %d", mostBits)
		}
		own := map[p11.KeyType]int{}
		for t, n := range p.minimum { // another policy may have the same map
			own[t] = n
		}
		for _, t := range types {
			own[t] = bits
		}
		p.minimum = own
		return nil
	}
}

// A Set is a policy for all tokens, and others for some.
type Set struct {
	Global Policy
	Tokens map[string]Policy // by label or serial number
}
