package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
)

// app is what the subcommands share.
type app struct {
	store  string // of --store; empty: the settings say
	asJSON bool   // of --json

	in       *os.File
	out, err io.Writer

	terminal sync.Mutex // guards the settings of the terminal
}

// run executes a command line and returns the exit status.
func run(args []string, in *os.File, out, err io.Writer) int {
	a := &app{in: in, out: out, err: err}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(err)
	cmd, failed := root.ExecuteC()
	if failed == nil {
		return 0
	}
	if before, _, _ := cut(args, "--"); slices.Contains(before, "--json") {
		a.asJSON = true // also if the flags could not be parsed
	}
	return a.report(cmd, failed)
}

func cut(args []string, sep string) (before, after []string, found bool) {
	if i := slices.Index(args, sep); i >= 0 {
		return args[:i], args[i+1:], true
	}
	return args, nil, false
}

func (a *app) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "coffer",
		Short: "A software HSM: tokens and keys behind PKCS #11",
		Long: `coffer makes and keeps the tokens that libcoffer.so, a PKCS #11 module, serves to
applications. What it does an application can do through the library too.

The store is in $XDG_DATA_HOME/coffer, for root in /var/lib/coffer; --store,
COFFER_STORE or the file that COFFER_CONF names say otherwise.

PINs are asked for on the terminal, or read from the files that --pin-file and
--so-pin-file name, or from the variables COFFER_PIN and COFFER_SO_PIN.

Exit status: 0, or 1 if it failed, or 2 if the command line makes no sense.`,
		Example: `  coffer token init --label work
  coffer key generate --type ec:P-256 --label signer
  coffer exec -- make test`,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.PersistentFlags().Var((*storeURL)(&a.store), "store", "`folder or URL` of the store")
	root.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print results and errors as JSON")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		group(&cobra.Command{
			Use:   "token",
			Short: "Make, list and delete tokens",
			Long:  "A token is a key ring of its own, with an SO PIN to administer it and a user PIN to use it.",
		}, a.tokenInit(), a.tokenList(), a.tokenDelete()),
		group(&cobra.Command{
			Use:   "object",
			Short: "List and delete what is on a token",
			Long:  "Objects are the keys, certificates and data on a token.",
		}, a.objectList(), a.objectDelete()),
		group(&cobra.Command{
			Use:   "key",
			Short: "Generate keys, and trust them",
			Long:  "Keys are made inside a token, and a sensitive one never leaves it.",
		}, a.keyGenerate(), a.keyTrust()),
		group(&cobra.Command{
			Use:   "mechanism",
			Short: "List what the HSM can compute",
			Long:  "Mechanisms are the algorithms of PKCS #11.",
		}, a.mechanismList()),
		group(&cobra.Command{
			Use:   "store",
			Short: "Check and repair the store",
			Long:  "The store is where the tokens lie.",
		}, a.storeCheck(false), a.storeCheck(true)),
		a.exec(),
		a.serve(),
		a.version(),
	)
	return root
}

// storeURL is the value of --store.
type storeURL string

func (s *storeURL) String() string { return string(*s) }
func (*storeURL) Type() string     { return "string" }
func (s *storeURL) Set(v string) error {
	if v == "" {
		return errors.New("it is empty")
	}
	*s = storeURL(v)
	return nil
}

// group makes a command that does nothing without one of its subcommands.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subs...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return usage("there is no %s %q; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(near, " or "))
		}
		return usage("there is no %s %q", cmd.CommandPath(), args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.HasParent() {
			return cmd.Help()
		}
		var names []string
		for _, s := range cmd.Commands() {
			names = append(names, s.Name())
		}
		return usage("%s needs one of its subcommands: %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	return cmd
}

// noArgs is for commands that take flags only. It does not repeat what was
// given: it may be a PIN.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes flags only, and %d other arguments were given", cmd.CommandPath(), len(args))
	}
	return nil
}

// does makes a RunE of f: what goes wrong in it is no fault of the command
// line, unless it says so.
func does(f func(cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error { return failed(f(cmd)) }
}

// complete lets the shell complete a flag's value from a list.
func complete(cmd *cobra.Command, flag string, values []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(fmt.Sprintf("coffer: %v", err)) // there is no such flag
	}
}

// require makes flags required.
func require(cmd *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := cmd.MarkFlagRequired(f); err != nil {
			panic(fmt.Sprintf("coffer: %v", err)) // there is no such flag
		}
	}
}
