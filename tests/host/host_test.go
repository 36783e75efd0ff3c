// Package host loads the library into programs written in C and has them do
// what hosts do: fork, take signals, crash, unload, pass nonsense.
package host

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"coffer/tests/built"
)

// compile builds a program of testdata.
func compile(t *testing.T, program string) string {
	t.Helper()
	gcc := built.Need(t, "gcc", "gcc")
	out := filepath.Join(t.TempDir(), program)
	cmd := exec.Command(gcc, "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I../../cshim", "-o", out,
		filepath.Join("testdata", program+".c"), "-ldl", "-lpthread")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	return out
}

// copyOfLib is a copy of the library that a program may move away.
func copyOfLib(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(built.Lib(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "libcoffer.so")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program on a copy of the library and returns what it printed.
// The store is in memory unless env says otherwise.
func run(t *testing.T, program string, env ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	lib := copyOfLib(t)
	cmd := exec.CommandContext(ctx, compile(t, program), lib, lib+".moved")
	cmd.Env = append(append(os.Environ(), "COFFER_STORE=mem:", "COFFER_LOG=off"), env...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil {
		t.Fatalf("%s: %v\n%s%s", program, e, &out, &err)
	}
	return out.String(), err.String()
}

// silent fails if a program has printed anything: the library does so only
// when logging is asked for.
func silent(t *testing.T, stdout, stderr string) {
	t.Helper()
	if stdout+stderr != "" {
		t.Errorf("printed:\n%s%s", stdout, stderr)
	}
}

func TestHeaderHasTheLayoutsOfTheStandard(t *testing.T) {
	gcc := built.Need(t, "gcc", "gcc")
	for _, std := range []string{"c11", "gnu17"} {
		cmd := exec.Command(gcc, "-std="+std, "-Wall", "-Wextra", "-Werror", "-I../../cshim", "-fsyntax-only", "testdata/layout_gen.c")
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, msg)
		}
	}
}

// The programs say in their first lines what they do.
func TestHosts(t *testing.T) {
	for _, program := range []string{"interfaces", "nulls", "fork", "signals", "faults", "life"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			stdout, stderr := run(t, program)
			silent(t, stdout, stderr)
		})
	}
}

// A host that is written in Go hangs at its next collection if a library keeps
// SIGURG to itself.
func TestGoHost(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "gohost")
	if msg, err := exec.Command("go", "build", "-o", exe, "./testdata/gohost").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, copyOfLib(t))
	cmd.Env = append(os.Environ(), "COFFER_STORE=mem:", "COFFER_LOG=off")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
}

// Where memory may not be executed, a forked child loads its copy from a
// folder.
func TestForkWithoutMemfd(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	strace := built.Need(t, "strace", "strace")
	lib := copyOfLib(t)
	cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=memfd_create",
		"-e", "inject=memfd_create:error=ENOSYS", compile(t, "child"), lib)
	cmd.Env = append(os.Environ(), "COFFER_STORE=mem:", "COFFER_LOG=off")
	if msg, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(msg, []byte("ptrace")) {
			built.Missing(t, "this machine allows no ptrace")
		}
		t.Fatalf("%v\n%s", err, msg)
	}
}

func TestCost(t *testing.T) {
	stdout, _ := run(t, "cost")
	t.Logf("\n%s", stdout)
}

// The log names functions, arguments, results and reasons, and neither a PIN
// nor data.
func TestLog(t *testing.T) {
	_, log := run(t, "log", "COFFER_LOG=debug")
	for _, want := range []string{
		`DEBUG C_Initialize\(\) = CKR_OK`,
		`DEBUG C_InitToken\(slot \d+, pin redacted, label "logged \\ntoken"\) = CKR_OK`,
		`INFO C_Login\(session \d+, CKU_SO, pin redacted\) = CKR_PIN_INCORRECT`,
		`DEBUG C_Digest\(session \d+, data 14 bytes, digest 32 of 64 bytes\) = CKR_OK`,
		`INFO C_GenerateKey\(session \d+, CKM_AES_KEY_GEN, \[CKA_CLASS CKA_LABEL\]\) = CKR_\w+: .+`,
		`DEBUG C_Finalize\(\) = CKR_OK`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("no line of the log matches %s", want)
		}
	}
	for _, secret := range []string{"a secret PIN", "wrong secret", "secret message"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	for line := range strings.Lines(log) {
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z coffer\[\d+\] (DEBUG|INFO|WARN|ERROR) `).MatchString(line) {
			t.Errorf("not a line of a log: %q", line)
		}
	}
	if t.Failed() {
		t.Logf("the log:\n%s", log)
	}

	file := filepath.Join(t.TempDir(), "log")
	stdout, stderr := run(t, "log", "COFFER_LOG=info", "COFFER_LOG_FILE="+file)
	silent(t, stdout, stderr)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "= CKR_OK") || !strings.Contains(string(data), "CKR_PIN_INCORRECT") {
		t.Errorf("at level info there should be failures only:\n%s", data)
	}
}

// A bad setting is a line in the log, as far as the log's own settings are good.
func TestLogOfBadSetting(t *testing.T) {
	_, log := run(t, "badsetting", "COFFER_LOG=error", "COFFER_PIN_DELAY=soon")
	if !strings.Contains(log, `C_Initialize() = CKR_GENERAL_ERROR: COFFER_PIN_DELAY="soon" is not a duration`) {
		t.Errorf("got %q", log)
	}
}

// A log that goes to a pipe without a reader is no SIGPIPE for the host.
func TestLogToABrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := exec.Command(compile(t, "log"), copyOfLib(t))
	cmd.Env = append(os.Environ(), "COFFER_STORE=mem:", "COFFER_LOG=debug")
	cmd.Stderr = w
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	w.Close()
}
