package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/p11"
)

// The exit statuses of coffer itself. Those of coffer exec are its command's,
// but for the last two, which a shell has for the same.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusNotRunnable = 126
	statusNotFound    = 127
	statusSignal      = 128 // plus the signal's number
)

// A failure is an error with its exit status. Without err nothing is said.
type failure struct {
	err    error
	status int
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit status %d", f.status)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// failed returns err as a failure: as the one it is, or with statusFailed.
func failed(err error) error {
	var f *failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &failure{err, statusFailed}
}

// usage returns the error of a command line that makes no sense.
func usage(format string, args ...any) error {
	return &failure{p11.Errorf(p11.CKR_ARGUMENTS_BAD, format, args...), statusUsage}
}

// within returns err with what was being done, its code still in front.
func within(err error, doing string) error {
	return p11.Errorf(p11.Code(err), "%s: %s", doing, sentence(err))
}

// flagError is a flag that cannot be parsed. pflag would repeat a cluster of
// short flags, which may be a PIN.
func flagError(_ *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = "-" + unknown.GetSpecifiedName()
		}
		return usage("there is no flag %s", name)
	}
	return err
}

// report says in one line what went wrong and returns the exit status.
func (a *app) report(cmd *cobra.Command, err error) int {
	var f *failure
	if !errors.As(err, &f) { // cobra's own: the command never ran
		f = usage("%w", err).(*failure)
	}
	if f.err == nil {
		return f.status
	}
	text := sentence(f.err)
	if a.asJSON {
		line, err := json.Marshal(struct {
			Error string `json:"error"`
			Code  string `json:"code"`
		}{text, p11.Code(f.err).String()})
		if err == nil {
			fmt.Fprintf(a.err, "%s\n", line)
		}
		return f.status
	}
	if f.status == statusUsage {
		text += "; see " + cmd.CommandPath() + " --help"
	} else if rv, ok := codeOf(f.err); ok {
		text = rv.String() + ": " + text
	}
	fmt.Fprintf(a.err, "coffer: %s\n", printable(text))
	return f.status
}

// codeOf returns the code that an error carries, if it does.
func codeOf(err error) (p11.RV, bool) {
	var rv p11.RV
	return rv, errors.As(err, &rv)
}

// sentence returns the text of err without its code.
func sentence(err error) string {
	text := err.Error()
	rv, ok := codeOf(err)
	if !ok {
		return text
	}
	if text == rv.String() {
		return bare(rv)
	}
	return strings.TrimPrefix(text, rv.String()+": ")
}

// bare returns a sentence for a code that came without one.
func bare(rv p11.RV) string {
	words := strings.ReplaceAll(strings.TrimPrefix(rv.String(), "CKR_"), "_", " ")
	return strings.ToLower(words)
}

// printable returns text in which nothing can move a terminal's cursor: labels
// come from whoever wrote the token.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
