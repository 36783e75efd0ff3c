package settings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/mech"
	"coffer/p11"
)

func env(m map[string]string) func(string) (string, bool) {
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

func TestLaterSourcesOverride(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "coffer.toml")
	text := "store = \"/file\"\n[pin]\nmax_failures = 3\ndelay = \"1s\"\n[log]\nlevel = \"debug\"\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(Source{
		Getenv: env(map[string]string{"COFFER_CONF": conf, "COFFER_STORE": "/env", "COFFER_PIN_DELAY": "2s"}),
		Arg:    ` store="/the arg" `,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Store != "/the arg" || s.PINMaxFailures != 3 || s.PINDelay != 2*time.Second || s.LogLevel != LogDebug {
		t.Errorf("got %+v", s)
	}
}

func TestDefaultsNeedNothing(t *testing.T) {
	s, err := Load(Source{Getenv: env(map[string]string{"XDG_DATA_HOME": "/data"})})
	if err != nil {
		t.Fatal(err)
	}
	if s.Store != "/data/coffer" || s.LogLevel != LogOff || s.PINMaxFailures != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "coffer.toml")
	if err := os.WriteFile(conf, []byte("[pin]\nmax_failure = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		env  map[string]string
		arg  string
		rv   p11.RV
		want string
	}{
		{"unknown in the file", map[string]string{"COFFER_CONF": conf}, "", p11.CKR_GENERAL_ERROR, `"pin.max_failure"`},
		{"absent file", map[string]string{"COFFER_CONF": "/nowhere/coffer.toml"}, "", p11.CKR_GENERAL_ERROR, "/nowhere/coffer.toml"},
		{"bad level", map[string]string{"COFFER_LOG": "loud"}, "", p11.CKR_GENERAL_ERROR, `COFFER_LOG="loud"`},
		{"bad number", map[string]string{"COFFER_PIN_MAX_FAILURES": "-1"}, "", p11.CKR_GENERAL_ERROR, "COFFER_PIN_MAX_FAILURES"},
		{"no group", map[string]string{"COFFER_STORE_GROUP": "no such group"}, "", p11.CKR_GENERAL_ERROR, "COFFER_STORE_GROUP"},
		{"root's group", map[string]string{"COFFER_STORE_GROUP": "root"}, "", p11.CKR_GENERAL_ERROR, "COFFER_STORE_GROUP"},
		{"empty store", map[string]string{"COFFER_STORE": ""}, "", p11.CKR_GENERAL_ERROR, "COFFER_STORE"},
		{"no policy", map[string]string{"COFFER_POLICY": "lax"}, "", p11.CKR_GENERAL_ERROR, `COFFER_POLICY="lax" is not one of default, legacy, strict`},
		{"no mechanism", nil, "policy.deny=CKM_RSA", p11.CKR_ARGUMENTS_BAD, `"CKM_RSA"`},
		{"no mechanisms", nil, "policy.allow=", p11.CKR_ARGUMENTS_BAD, "policy.allow"},
		{"no pattern", nil, "policy.deny=CKM_[", p11.CKR_ARGUMENTS_BAD, `"CKM_["`},
		{"no size", map[string]string{"COFFER_POLICY_MINIMUM_RSA": "-1"}, "", p11.CKR_GENERAL_ERROR, "COFFER_POLICY_MINIMUM_RSA"},
		{"no kind of key", nil, "policy.minimum.idea=128", p11.CKR_ARGUMENTS_BAD, `"policy.minimum.idea"`},
		{"a token's setting that is for all", nil, "token.work.log=debug", p11.CKR_ARGUMENTS_BAD, `"token.work.log"`},
		{"a token's policy that there is not", nil, "token.work.policy=lax", p11.CKR_ARGUMENTS_BAD, "token.work.policy"},
		{"nobody's policy", nil, "token.policy=strict", p11.CKR_ARGUMENTS_BAD, `"token.policy"`},
		{"unknown in the string", nil, "stor=/x", p11.CKR_ARGUMENTS_BAD, `"stor"`},
		{"no value", nil, "rubbish", p11.CKR_ARGUMENTS_BAD, "rubbish"},
		{"open quote", nil, `store="/x`, p11.CKR_ARGUMENTS_BAD, "closing quote"},
		{"no home", map[string]string{}, "", p11.CKR_GENERAL_ERROR, "COFFER_STORE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "no home" && os.Geteuid() == 0 {
				t.Skip("root has a default store that needs no HOME")
			}
			_, err := Load(Source{Getenv: env(tt.env), Arg: tt.arg})
			if !errors.Is(err, tt.rv) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v naming %s", err, tt.rv, tt.want)
			}
		})
	}
}

func FuzzArg(f *testing.F) {
	f.Add(`store="/x" log=debug`)
	f.Add(`= = "`)
	f.Fuzz(func(t *testing.T, arg string) {
		s, err := Load(Source{Getenv: env(map[string]string{"XDG_DATA_HOME": "/d"}), Arg: arg})
		if (s == nil) == (err == nil) {
			t.Fatalf("settings %v, error %v", s, err)
		}
	})
}

// TestPoliciesOfTokens: a token's section says what differs from the policy for
// all, whatever comes first.
func TestPoliciesOfTokens(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "coffer.toml")
	text := `
[token.work]
policy.name = "legacy"
[token."b.c".policy]
deny = ["CKM_RSA_*", "CKM_SHA_1"]
minimum.rsa = 4096
[policy]
name = "strict"
deny = "CKM_SHA256"
`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(Source{
		Getenv: env(map[string]string{"COFFER_CONF": conf, "XDG_DATA_HOME": "/d", "COFFER_POLICY_MINIMUM_RSA": "3072"}),
		Arg:    "token.0123456789abcdef.policy=default",
	})
	if err != nil {
		t.Fatal(err)
	}
	reg := mech.NewRegistry(mech.All()...)
	for _, tt := range []struct {
		token, name        string
		sha256, sha1, oaep bool // whether they are left
		rsa                uint64
	}{
		{"", "strict", false, true, true, 3072},
		{"work", "legacy", false, true, true, 3072},
		{"b.c", "strict", true, false, false, 0},
		{"0123456789abcdef", "default", false, true, true, 3072},
	} {
		p, ok := s.Policy.Tokens[tt.token]
		if tt.token == "" {
			p, ok = s.Policy.Global, true
		}
		if !ok {
			t.Errorf("%q has no policy of its own", tt.token)
			continue
		}
		rules := p.Over(reg)
		left := func(m p11.MechanismType) bool { _, err := rules.Info(m); return err == nil }
		if rules.Name() != tt.name || left(p11.CKM_SHA256) != tt.sha256 || left(p11.CKM_SHA_1) != tt.sha1 || left(p11.CKM_RSA_PKCS_OAEP) != tt.oaep {
			t.Errorf("%q: %s, %v %v %v; want %+v", tt.token, rules.Name(), left(p11.CKM_SHA256), left(p11.CKM_SHA_1), left(p11.CKM_RSA_PKCS_OAEP), tt)
		}
		if info, err := rules.Info(p11.CKM_RSA_PKCS_KEY_PAIR_GEN); (err == nil) != (tt.rsa != 0) || info.MinKeySize != tt.rsa {
			t.Errorf("%q: RSA from %d bits, %v; want %d", tt.token, info.MinKeySize, err, tt.rsa)
		}
	}
	if len(s.Policy.Tokens) != 3 {
		t.Errorf("%d tokens have policies", len(s.Policy.Tokens))
	}
}
