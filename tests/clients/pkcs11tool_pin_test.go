package clients

import (
	"slices"
	"strings"
	"testing"
)

func TestPKCS11ToolChangesPINs(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_PIN_DELAY=1ms")
	b.generate("EC:prime256v1", "01")
	login := func(pin string) []string { return []string{"--login", "--pin", pin, "--list-objects"} }
	so := func(pin string, more ...string) []string {
		return append([]string{"--login", "--login-type", "so", "--so-pin", pin}, more...)
	}

	b.toolFails("CKR_PIN_INCORRECT", login("wrong")...)
	b.tool("--login", "--pin", pin, "--change-pin", "--new-pin", "another pin")
	b.toolFails("CKR_PIN_INCORRECT", login(pin)...)
	if out := b.tool(login("another pin")...); !strings.Contains(out, "Private Key Object; EC") {
		t.Errorf("the key is gone:\n%s", out)
	}
	b.toolFails("CKR_PIN_LEN_RANGE", "--login", "--pin", "another pin", "--change-pin", "--new-pin", "123")
	b.toolFails("CKR_PIN_INCORRECT", "--pin", "wrong", "--change-pin", "--new-pin", "0000")

	// A PIN that the SO sets opens the same keys.
	b.tool(so(soPIN, "--init-pin", "--new-pin", "from the SO")...)
	b.toolFails("CKR_PIN_INCORRECT", login("another pin")...)
	b.write("message", pattern(32))
	b.tool("--login", "--pin", "from the SO", "--sign", "--mechanism", "ECDSA", "--id", "01", "--input-file", "message", "--output-file", "signature")

	b.toolFails("CKR_PIN_INCORRECT", so("wrong", "--init-pin", "--new-pin", "0000")...)
	b.tool(so(soPIN, "--change-pin", "--new-pin", "another SO PIN")...)
	b.toolFails("CKR_PIN_INCORRECT", so(soPIN, "--init-pin", "--new-pin", "0000")...)
	b.tool(so("another SO PIN", "--init-pin", "--new-pin", "0000")...)
	b.tool(login("0000")...)
}

func TestPKCS11ToolLocksAndUnlocksThePIN(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_PIN_MAX_FAILURES=3", "COFFER_PIN_DELAY=1ms")
	const ok = "login required, rng, token initialized, PIN initialized"
	expect := func(want string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(b.tool("--list-token-slots")) {
			if _, flags, ok := strings.Cut(line, "token flags        : "); ok {
				got = strings.Split(strings.TrimSpace(flags), ", ")
			}
		}
		// In the order of 0.23, which lists what it has no name for last.
		got = slices.DeleteFunc(got, func(f string) bool { return strings.HasPrefix(f, "other flags") })
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("flags %q, want %q", got, want)
		}
	}
	expect(ok)
	try := []string{"--login", "--pin", "wrong", "--list-objects"}
	b.toolFails("CKR_PIN_INCORRECT", try...)
	expect("login required, rng, token initialized, user PIN count low, PIN initialized")
	b.toolFails("CKR_PIN_INCORRECT", try...)
	expect("login required, rng, token initialized, user PIN count low, final user PIN try, PIN initialized")
	b.toolFails("CKR_PIN_", try...)
	expect("login required, rng, token initialized, user PIN count low, PIN initialized, user PIN locked")
	b.userFails("CKR_PIN_LOCKED", "--list-objects")

	b.tool("--login", "--login-type", "so", "--so-pin", soPIN, "--init-pin", "--new-pin", pin)
	expect(ok)
	b.user("--list-objects")

	// A right PIN starts the count anew.
	for range 2 {
		b.toolFails("CKR_PIN_INCORRECT", try...)
		b.toolFails("CKR_PIN_INCORRECT", try...)
		b.user("--list-objects")
	}
	expect(ok)
}

// TestPKCS11ToolInitializesATokenAgain: only with the SO PIN, and all objects
// are gone.
func TestPKCS11ToolInitializesATokenAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_PIN_DELAY=1ms")
	b.generate("EC:prime256v1", "01")
	again := func(soPIN string) []string {
		return []string{"--init-token", "--label", label, "--so-pin", soPIN}
	}
	b.toolFails("CKR_PIN_INCORRECT", again("12345678")...)
	b.object("privkey", "01")
	b.tool(again(soPIN)...)
	b.userFails("CKR_USER_PIN_NOT_INITIALIZED", "--list-objects")
	b.tool("--login", "--login-type", "so", "--so-pin", soPIN, "--init-pin", "--new-pin", pin)
	if out := b.user("--list-objects"); strings.Contains(out, "Key Object") {
		t.Errorf("keys survived:\n%s", out)
	}
}
