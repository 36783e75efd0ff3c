package token

import (
	"coffer/mech"
	"coffer/token/object"
	"coffer/token/policy"
)

// A rulebook has the rules of every policy there is, made once.
type rulebook struct {
	global *ruled
	tokens map[string]*ruled // by label or serial number
}

// ruled is what a policy makes of the mechanisms, and of templates that say
// nothing.
type ruled struct {
	*policy.Rules
	factory *object.Factory
}

func newRulebook(set policy.Set, reg *mech.Registry, f *object.Factory) rulebook {
	over := func(p policy.Policy) *ruled {
		rules := p.Over(reg)
		want := rules.Attributes()
		return &ruled{rules, f.With(object.Defaults{Hidden: want.Hidden, Separate: want.Separate})}
	}
	b := rulebook{global: over(set.Global), tokens: map[string]*ruled{}}
	for name, p := range set.Tokens {
		b.tokens[name] = over(p)
	}
	return b
}

// of returns the rules of a token. A serial number, which is one token's
// alone, goes before a label.
func (b *rulebook) of(rec *tokenRecord) *ruled {
	for _, name := range []string{rec.Serial, rec.Label} {
		if r, ok := b.tokens[name]; ok {
			return r
		}
	}
	return b.global
}

// rules returns the rules of the token in a slot, or of the one to be.
func (m *Module) rules(s *slot) *ruled {
	if s.token == nil {
		return m.rulebook.global
	}
	return s.token.rules
}
