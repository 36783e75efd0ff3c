package settings

import (
	"fmt"
	"strings"

	"coffer/token/policy"
)

// policyRows are the settings of the policy for all tokens: "policy",
// "policy.deny" and so on.
func policyRows() (rows []setting) {
	for _, ps := range policy.Settings {
		rows = append(rows, setting{
			name: "policy" + dotted(ps.Name),
			env:  "COFFER_POLICY" + strings.ToUpper(strings.ReplaceAll(dotted(ps.Name), ".", "_")),
			set:  func(s *Settings, v string) error { return ps.Set(&s.Policy.Global, v) },
		})
	}
	return rows
}

func dotted(name string) string {
	if name == "" {
		return ""
	}
	return "." + name
}

// ofToken is a setting of one token's policy, which differs from the policy
// for all in what it says and in nothing else.
type ofToken struct {
	token   string
	setting policy.Setting
	value   string
}

// setToken sets what rest of "token.<label or serial number>.policy…" names. A
// label may have dots in it.
func (s *Settings) setToken(rest, value string) error {
	for _, ps := range policy.Settings {
		token, ok := strings.CutSuffix(rest, ".policy"+dotted(ps.Name))
		if !ok || token == "" {
			continue
		}
		if err := ps.Set(&policy.Policy{}, value); err != nil {
			return fmt.Errorf("token.%s = %q %w", rest, value, err)
		}
		s.ofTokens = append(s.ofTokens, ofToken{token, ps, value})
		return nil
	}
	return fmt.Errorf("there is no setting %q", "token."+rest)
}

// applyTokens makes the policies of single tokens, when that for all is known.
// In a source that has them in no order a policy's name comes first, and leaves
// what else is set as it is.
func (s *Settings) applyTokens() {
	for _, o := range s.ofTokens {
		p, ok := s.Policy.Tokens[o.token]
		if !ok {
			p = s.Policy.Global
		}
		if err := o.setting.Set(&p, o.value); err != nil {
			panic(err) // it was tried before
		}
		s.Policy.Tokens[o.token] = p
	}
}
