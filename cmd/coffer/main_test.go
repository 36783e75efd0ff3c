package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"coffer/store/stores"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"coffer":  checkedMain,
		"hold":    hold,
		"signals": printSignals,
	})
}

// TestScripts runs testdata/*.txt. Every PIN in them has secretPart in it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("COFFER_STORE", filepath.Join(e.WorkDir, "store"))
			e.Setenv("COFFER_PIN_ARGON2_MEMORY", "64")
			e.Setenv("COFFER_PIN_ARGON2_TIME", "1")
			e.Setenv("COFFER_PIN_DELAY", "0s")
			e.Setenv("COFFER_LIB", os.Getenv("COFFER_LIB"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "library": // built, as make test does
				return os.Getenv("COFFER_LIB") != "", nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": status,
			"save":   save,
		},
	})
}

// status runs a command that has to end with an exit status:
//
//	status 2 coffer token
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [argument...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// save sets a variable to the standard output of the last command, less the
// end of its line.
func save(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: save VARIABLE")
	}
	ts.Setenv(args[0], string(bytes.TrimRight([]byte(ts.ReadFile("stdout")), "\n")))
}

const secretPart = "-secret"

// checkedMain is main, but for that it dies if a PIN is about to be printed.
// The output of coffer exec is its command's.
func checkedMain() {
	var out, err io.Writer = os.Stdout, os.Stderr
	if len(os.Args) > 1 && os.Args[1] != "exec" {
		out, err = leakDetector{out}, leakDetector{err}
	}
	os.Exit(run(os.Args[1:], os.Stdin, out, err))
}

type leakDetector struct{ io.Writer }

func (d leakDetector) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(secretPart)) {
		fmt.Fprintln(os.Stderr, "a PIN was about to be printed")
		os.Exit(99)
	}
	return d.Writer.Write(b)
}

// hold runs a command while it has a store open:
//
//	hold STORE coffer token list
func hold() {
	s, err := stores.Open(os.Args[1], stores.Options{})
	if err == nil {
		defer s.Close()
		cmd := exec.Command(os.Args[2], os.Args[3:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err = cmd.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// printSignals prints the signals that it gets, until SIGTERM ends it. A shell
// would run the trap of a later signal inside that of an earlier one.
func printSignals() {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	fmt.Fprintln(os.Stderr, "ready:")
	for s := range c {
		if s == syscall.SIGTERM {
			os.Exit(5)
		}
		fmt.Fprintf(os.Stderr, "%v:\n", s)
	}
}
