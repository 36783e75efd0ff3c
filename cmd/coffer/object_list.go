package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/token"
)

func (a *app) objectList() *cobra.Command {
	var (
		which  tokenChoice
		what   filter
		public bool
		user   = userPIN()
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the objects on a token",
		Long: `Lists the objects on a token, those that have all that the flags say: to see what
is there, or to find the ID by which an application is told which key to use.
It takes the user PIN; with --public it takes none and shows public objects.

The value of a key is never shown.`,
		Example: `  coffer object list
  coffer object list --token work --class private-key
  coffer object list --public --label signer --json`,
		Args: noArgs,
	}
	which.addTo(cmd)
	what.addTo(cmd)
	cmd.Flags().BoolVar(&public, "public", false, "do not log in; list public objects only")
	user.addTo(cmd)
	cmd.RunE = does(func(*cobra.Command) error {
		template, err := what.template()
		if err != nil {
			return err
		}
		var p pin
		if !public {
			if p, err = user.read(a, knownPIN); err != nil {
				return err
			}
			defer p.wipe()
		}
		return a.with(func(m *token.Module) error {
			t, err := which.find(m)
			if err != nil {
				return err
			}
			s, err := openSession(m, t.slot)
			if err != nil {
				return err
			}
			if !public {
				if err := m.Login(s, p11.CKU_USER, p); err != nil {
					return err
				}
			}
			// What can be read is shown, whatever else is damaged.
			found, damaged := search(m, s, template)
			if found == nil {
				return damaged
			}
			if err := a.print(found, func(w io.Writer) error {
				if len(found) == 0 {
					_, err := fmt.Fprintln(a.err, "no objects")
					return err
				}
				return printObjects(w, found)
			}); err != nil {
				return err
			}
			return damaged
		})
	})
	return cmd
}
