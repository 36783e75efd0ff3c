// Package settings reads what the operator may set: from a TOML file, from
// the environment and from the string that C_Initialize is given. It opens
// nothing; it says what to open.
//
// # Design
//
// None of it is needed: every setting has a default that works. Later sources
// override earlier ones: the file that COFFER_CONF names, then one environment
// variable for each setting, then the string. A setting that is unknown or has
// a bad value is an error that names it and its source, never a silent default:
// who writes `pin.max_failure = 3` must not believe that he has a lock-out.
package settings

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"coffer/p11"
	"coffer/token/policy"
	"coffer/token/seal"
)

// Settings is everything that can be set.
type Settings struct {
	// Store is where the tokens lie: a folder, or a URL that store/stores takes.
	Store string
	// LockWait is how long to wait for a store that another process has open
	// and that does not answer.
	LockWait time.Duration
	// Group is the id of the group whose members may use the store; 0 is none.
	Group int

	// LogLevel is one of the Log constants; LogFile is empty for stderr.
	LogLevel LogLevel
	LogFile  string

	// PINMaxFailures locks a PIN after so many failures in a row; 0 never locks.
	PINMaxFailures int
	// PINDelay is what the second try costs after one failure; it doubles with
	// each further one, up to PINMaxDelay.
	PINDelay, PINMaxDelay time.Duration
	// Policy is what tokens let be done.
	Policy policy.Set

	// Argon2 is how PINs set from now on are stretched.
	Argon2 seal.Argon2

	ofTokens []ofToken
}

// LogLevel says how much is logged.
type LogLevel uint8

// The levels. LogOff is the default: a library writes nothing unasked.
const (
	LogOff   LogLevel = iota
	LogError          // what an operator has to know: a store that cannot be opened, a damaged record
	LogInfo           // and every call that fails, with the reason
	LogDebug          // and every other call
)

var logLevels = []string{"off", "error", "info", "debug"}

func (l LogLevel) String() string { return logLevels[l] }

// A setting is one row: its name in the file and in the string, its variable,
// and how its text is read.
type setting struct {
	name, env string
	set       func(*Settings, string) error
}

// rows is the table of settings. Names with a dot are tables in TOML.
var rows = append([]setting{
	{"store", "COFFER_STORE", func(s *Settings, v string) error {
		if v == "" {
			return errors.New("is empty")
		}
		s.Store = v
		return nil
	}},
	{"store.lock_wait", "COFFER_STORE_LOCK_WAIT", duration(func(s *Settings) *time.Duration { return &s.LockWait })},
	{"store.group", "COFFER_STORE_GROUP", setGroup},
	{"log", "COFFER_LOG", func(s *Settings, v string) error {
		i := slices.Index(logLevels, v)
		if i < 0 {
			return fmt.Errorf("is not one of %s", strings.Join(logLevels, ", "))
		}
		s.LogLevel = LogLevel(i)
		return nil
	}},
	{"log.file", "COFFER_LOG_FILE", func(s *Settings, v string) error { s.LogFile = v; return nil }},
	{"pin.max_failures", "COFFER_PIN_MAX_FAILURES", number(0, 1000, func(s *Settings, n int) { s.PINMaxFailures = n })},
	{"pin.delay", "COFFER_PIN_DELAY", duration(func(s *Settings) *time.Duration { return &s.PINDelay })},
	{"pin.max_delay", "COFFER_PIN_MAX_DELAY", duration(func(s *Settings) *time.Duration { return &s.PINMaxDelay })},
	{"pin.argon2_memory", "COFFER_PIN_ARGON2_MEMORY", number(8, 1<<21, func(s *Settings, n int) { s.Argon2.MemoryKiB = uint32(n) })},
	{"pin.argon2_time", "COFFER_PIN_ARGON2_TIME", number(1, 1000, func(s *Settings, n int) { s.Argon2.Time = uint32(n) })},
}, policyRows()...)

func setGroup(s *Settings, v string) error {
	g, err := user.LookupGroup(v)
	if err != nil {
		g, err = user.LookupGroupId(v)
	}
	if err != nil {
		return errors.New("is not a group of this machine, by name or by number")
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil || id == 0 {
		return errors.New("is not a group that a store can be given to")
	}
	s.Group = id
	return nil
}

func duration(field func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return errors.New("is not a duration such as 500ms or 2s")
		}
		*field(s) = d
		return nil
	}
}

func number(low, high int, set func(*Settings, int)) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("is not a number from %d to %d", low, high)
		}
		set(s, n)
		return nil
	}
}

// Source is where settings come from.
type Source struct {
	// Getenv reads a variable. A c-shared library must read it through C:
	// os.Getenv does not see what the host set after the runtime started.
	Getenv func(name string) (string, bool)
	// Arg is the string that C_Initialize is given, settings separated by
	// spaces: "store=/srv/tokens log=debug". A value with a space in it is put
	// between double quotes.
	Arg string
}

// Load returns the settings of src. The errors carry CKR_ARGUMENTS_BAD if the
// string is at fault and CKR_GENERAL_ERROR if the file or a variable is.
func Load(src Source) (*Settings, error) {
	s := &Settings{
		Policy:      policy.Set{Tokens: map[string]policy.Policy{}},
		LockWait:    5 * time.Second,
		PINDelay:    100 * time.Millisecond,
		PINMaxDelay: 30 * time.Second,
		Argon2:      seal.DefaultArgon2,
	}
	if path, ok := src.Getenv("COFFER_CONF"); ok && path != "" {
		if err := s.readFile(path); err != nil {
			return nil, p11.Errorf(p11.CKR_GENERAL_ERROR, "COFFER_CONF: %w", err)
		}
	}
	for _, r := range rows {
		if v, ok := src.Getenv(r.env); ok {
			if err := r.set(s, v); err != nil {
				return nil, p11.Errorf(p11.CKR_GENERAL_ERROR, "%s=%q %w", r.env, v, err)
			}
		}
	}
	if err := s.readArg(src.Arg); err != nil {
		return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the string given to C_Initialize: %w", err)
	}
	s.applyTokens()
	if s.Store == "" {
		dir, err := defaultStore(src.Getenv)
		if err != nil {
			return nil, p11.Errorf(p11.CKR_GENERAL_ERROR, "%w", err)
		}
		s.Store = dir
	}
	return s, nil
}

func (s *Settings) readFile(path string) error {
	var tree map[string]any
	if _, err := toml.DecodeFile(path, &tree); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for name, v := range flatten("", tree) {
		if err := s.set(name, textOf(v)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// flatten turns {"pin": {"delay": …}} into {"pin.delay": …}. A table's own
// value is its "path", "level" or "name": [store] path = …, [log] level = …,
// [policy] name = ….
func flatten(prefix string, tree map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range tree {
		name := own(prefix + k)
		if sub, ok := v.(map[string]any); ok {
			for n, v := range flatten(name+".", sub) {
				out[n] = v
			}
			continue
		}
		out[name] = v
	}
	return out
}

// own is the name of a setting that a table has for its own value.
func own(name string) string {
	switch {
	case name == "store.path":
		return "store"
	case name == "log.level":
		return "log"
	case name == "policy.name", strings.HasPrefix(name, "token.") && strings.HasSuffix(name, ".policy.name"):
		return strings.TrimSuffix(name, ".name")
	}
	return name
}

// textOf is a value as the environment has it: a list's, with commas.
func textOf(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = fmt.Sprint(w)
	}
	return strings.Join(words, ",")
}

func (s *Settings) set(name, value string) error {
	if rest, ok := strings.CutPrefix(name, "token."); ok {
		return s.setToken(rest, value)
	}
	for _, r := range rows {
		if r.name == name {
			if err := r.set(s, value); err != nil {
				return fmt.Errorf("%s = %q %w", name, value, err)
			}
			return nil
		}
	}
	return fmt.Errorf("there is no setting %q", name)
}

func (s *Settings) readArg(arg string) error {
	for arg = strings.TrimLeft(arg, " \t\n"); arg != ""; arg = strings.TrimLeft(arg, " \t\n") {
		name, rest, ok := strings.Cut(arg, "=")
		if !ok || strings.ContainsAny(name, " \t\n\"") {
			return fmt.Errorf("%q is not name=value", firstWord(arg))
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, arg, ok = strings.Cut(rest[1:], `"`)
			if !ok {
				return fmt.Errorf("the value of %s has no closing quote", name)
			}
		} else if i := strings.IndexAny(rest, " \t\n"); i >= 0 {
			value, arg = rest[:i], rest[i:]
		} else {
			value, arg = rest, ""
		}
		if err := s.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\n"); i > 0 {
		return s[:i]
	}
	return s
}

// defaultStore is $XDG_DATA_HOME/coffer, by default ~/.local/share/coffer;
// for root /var/lib/coffer.
func defaultStore(getenv func(string) (string, bool)) (string, error) {
	if dir, ok := getenv("XDG_DATA_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "coffer"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/coffer", nil
	}
	home, ok := getenv("HOME")
	if !ok || !filepath.IsAbs(home) {
		return "", errors.New("neither XDG_DATA_HOME nor HOME is set, and COFFER_STORE is not either")
	}
	return filepath.Join(home, ".local", "share", "coffer"), nil
}

// Names returns each setting's name and variable, for documentation.
func Names() [][2]string {
	var out [][2]string
	for _, r := range rows {
		out = append(out, [2]string{r.name, r.env})
	}
	return out
}
