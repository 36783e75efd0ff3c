package token

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/policy"
)

func under(name string) func(*Config) {
	return func(c *Config) { c.Policy.Global, _ = policy.New(name) }
}

// TestKeysFromBeforeThePolicy: what a key was made for under another policy is
// no way around this one.
func TestKeysFromBeforeThePolicy(t *testing.T) {
	h := newHost(t, under("legacy"))
	s := h.user()
	label := func(s string) attr.Values { return attr.Values{attr.NewString(p11.CKA_LABEL, s)} }
	h.aes(s, yes(p11.CKA_TOKEN, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_ENCRYPT, p11.CKA_DECRYPT), label("both"))
	h.aes(s, yes(p11.CKA_TOKEN, p11.CKA_EXTRACTABLE), no(p11.CKA_SENSITIVE), label("open"))
	h.reopen(under("strict"))
	s = h.user()
	both, open := h.find(s, label("both")...)[0], h.find(s, label("open")...)[0]
	kwp := mechanism(p11.CKM_AES_KEY_WRAP_KWP)
	h.want(h.WrapKey(s, kwp, both, open, &p11.Out{Buf: make([]byte, 64)}), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
	_, err := h.UnwrapKey(s, kwp, both, make([]byte, 40), attr.Values{attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY), attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_AES)})
	h.want(err, p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
	h.want(h.DecryptInit(s, mechanism(p11.CKM_AES_ECB), both), p11.CKR_OK) // what it encrypted is still read
	h.want(h.SetAttributeValue(s, both, no(p11.CKA_WRAP, p11.CKA_UNWRAP)), p11.CKR_OK)
	h.want(h.SetAttributeValue(s, both, yes(p11.CKA_WRAP)), p11.CKR_ATTRIBUTE_VALUE_INVALID)
	h.want(h.SetAttributeValue(s, open, label("renamed")), p11.CKR_OK)

	q := []Query{{Type: p11.CKA_VALUE, Ask: true}, {Type: p11.CKA_LABEL, Ask: true}}
	h.want(h.GetAttributeValue(s, open, q), p11.CKR_ATTRIBUTE_SENSITIVE)
	if q[0].N != -1 || q[1].N != len("renamed") {
		t.Errorf("the lengths are %d and %d", q[0].N, q[1].N)
	}
	_, err = h.CopyObject(s, open, nil)
	h.want(err, p11.CKR_ATTRIBUTE_VALUE_INVALID)

	h.reopen(under("legacy"))
	s = h.user()
	h.want(h.GetAttributeValue(s, h.find(s, label("renamed")...)[0], q), p11.CKR_OK)
}

// TestATokensOwnPolicy: by its serial number, which goes before its label.
func TestATokensOwnPolicy(t *testing.T) {
	h := newHost(t)
	info, err := h.GetTokenInfo(0)
	h.must(err)
	named := func(tokens map[string]string) string {
		h.Helper()
		h.reopen(func(c *Config) {
			c.Policy.Tokens = map[string]policy.Policy{}
			for token, name := range tokens {
				c.Policy.Tokens[token], _ = policy.New(name)
			}
		})
		name, err := h.Policy(0)
		h.must(err)
		return name
	}
	for _, tt := range []struct {
		tokens map[string]string
		want   string
	}{
		{nil, "default"},
		{map[string]string{"another": "legacy", "": "legacy"}, "default"},
		{map[string]string{info.Label: "strict"}, "strict"},
		{map[string]string{info.Label: "strict", info.Serial: "legacy"}, "legacy"},
	} {
		if got := named(tt.tokens); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.tokens, got, tt.want)
		}
	}
	// A token that is initialised later has the policy of its new label.
	named(map[string]string{"second": "strict"})
	h.must(h.InitToken(1, soPIN, "second"))
	if name, err := h.Policy(1); err != nil || name != "strict" {
		t.Errorf("the new token's policy is %s, %v", name, err)
	}
}
