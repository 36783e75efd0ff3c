package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/store/stores"
	"coffer/token"
	"coffer/token/seal"
)

func (a *app) exec() *cobra.Command {
	var label, user, so string
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT]...",
		Short: "Run a command with a token of its own",
		Long: `Runs a command with a fresh token that is gone when the command ends: for test
suites and CI, where a token has to be there and nothing may be left behind. A
program that the command runs finds it through its environment:

  COFFER_STORE                              the store, in a private folder
  COFFER_MODULE, PKCS11_MODULE,
  PKCS11_MODULE_PATH, PKCS11_PROVIDER_MODULE  the path of libcoffer.so
  COFFER_PIN, COFFER_SO_PIN                 the PINs
  COFFER_TOKEN_LABEL, COFFER_SLOT           the token

The library is the one that COFFER_MODULE names, or that lies beside coffer, in
../lib or in ../lib/pkcs11. Nothing else of your own coffer configuration
reaches the command, but for COFFER_LOG and COFFER_LOG_FILE.

The PINs protect nothing and make no delays. Signals are passed on. The exit
status is the command's, or 128 and the signal that ended it, 126 or 127 if it
could not be run, 1 or 2 if coffer itself failed.`,
		Example: `  coffer exec -- make test
  coffer exec --pin 0000 -- sh -c 'pkcs11-tool --module "$COFFER_MODULE" --login --pin 0000 -O'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "" {
				return usage("%s needs a command to run", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVar(&user, "pin", "1234", "user `PIN` of the token")
	cmd.Flags().StringVar(&so, "so-pin", "12345678", "SO `PIN` of the token")
	cmd.Flags().StringVar(&label, "label", "coffer", "`label` of the token")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if a.store != "" {
			return usage("exec makes a store of its own; leave --store out")
		}
		return failed(a.runEphemeral(args, initRequest{label: label, anySlot: true, so: pin(so), user: pin(user)}))
	}
	return cmd
}

// runEphemeral runs a command with a token that is made for it.
func (a *app) runEphemeral(command []string, r initRequest) (err error) {
	signals := catchSignals()
	defer signals.release()
	own, err := os.Executable()
	if err != nil {
		return p11.Errorf(p11.CKR_GENERAL_ERROR, "finding out where coffer is: %w", err)
	}
	module, err := findModule(own, os.LookupEnv)
	if err != nil {
		return err
	}
	child, err := newChild(command, a)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "coffer-exec-") // for its owner only
	if err != nil {
		return p11.Errorf(p11.CKR_DEVICE_ERROR, "making the token's folder: %w", err)
	}
	defer func() {
		if rerr := removeFolder(dir); rerr != nil && err == nil {
			err = p11.Errorf(p11.CKR_DEVICE_ERROR, "removing the token: %w", rerr)
		}
	}()
	e := ephemeral{initRequest: r, module: module, store: filepath.Join(dir, "store")}
	if err := e.make(); err != nil {
		return err
	}
	child.Env = e.environment(os.Environ())
	return child.run(signals)
}

// removeFolder removes a folder, also if what the command left running is
// just making a file in it.
func removeFolder(dir string) (err error) {
	for range 3 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
	}
	return err
}

// An ephemeral is a token for one command.
type ephemeral struct {
	initRequest
	module string // path of the library
	store  string // folder of the store
}

// make makes the token and closes the store, which the command is to open.
func (e *ephemeral) make() error {
	m, err := openModule("badger:"+e.store, stores.Options{}, token.Config{Argon2: cheapArgon2})
	if err != nil {
		return err
	}
	made, err := initToken(m, e.initRequest)
	e.slot = made.slot
	return closing(m, err)
}

// cheapArgon2 is for PINs that protect nothing.
var cheapArgon2 = seal.Argon2{MemoryKiB: 64, Time: 1, Threads: 1}
