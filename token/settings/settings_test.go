package settings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
