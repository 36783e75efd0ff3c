package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/token"
)

func (a *app) tokenDelete() *cobra.Command {
	var (
		which tokenChoice
		yes   bool
		so    = soPIN()
	)
	cmd := &cobra.Command{
		Use:   "delete {--token LABEL | --slot N}",
		Short: "Delete a token with all its objects",
		Long: `Deletes a token with all its objects, for good: when an application that had a
token is no more. It takes the SO PIN. The number of the slot does not come
back.`,
		Example: `  coffer token delete --token ci
  coffer token delete --slot 3 --yes --so-pin-file so.pin`,
		Args: noArgs,
	}
	which.addTo(cmd)
	cmd.MarkFlagsOneRequired("token", "slot")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	so.addTo(cmd)
	cmd.RunE = does(func(*cobra.Command) error {
		var t chosen
		if err := a.with(func(m *token.Module) (err error) {
			t, err = which.find(m)
			return err
		}); err != nil {
			return err
		}
		if !yes {
			if err := a.confirm(fmt.Sprintf("The %v will be deleted with all its objects", t)); err != nil {
				return err
			}
		}
		p, err := so.read(a, knownPIN)
		if err != nil {
			return err
		}
		defer p.wipe()
		if err := a.with(func(m *token.Module) error { return deleteToken(m, t, p) }); err != nil {
			return err
		}
		return a.print(newTokenView(t), func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "deleted the %s\n", printable(t.String()))
			return err
		})
	})
	return cmd
}

// deleteToken deletes t if it is still what its slot has.
func deleteToken(m *token.Module, t chosen, so pin) error {
	now, err := m.GetTokenInfo(t.slot)
	if err != nil {
		return err
	}
	if now.Serial != t.Serial {
		return p11.Errorf(p11.CKR_DEVICE_REMOVED, "slot %d has another token now", t.slot)
	}
	return m.DeleteToken(t.slot, so)
}
