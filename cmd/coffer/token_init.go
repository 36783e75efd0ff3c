package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/token"
)

func (a *app) tokenInit() *cobra.Command {
	var (
		label    string
		slot     uint64
		yes      bool
		so, user = soPIN(), userPIN()
	)
	cmd := &cobra.Command{
		Use:   "init --label LABEL",
		Short: "Make a token",
		Long: `Makes a token with its SO PIN and its user PIN: the first thing to do with a new
store, and again for each application that is to have keys of its own.

The token goes into the free slot and keeps that slot's number. With --slot a
token that exists is initialised anew: its objects are destroyed, its SO PIN
has to be shown and stays, and the user PIN is set.`,
		Example: `  coffer token init --label work
  coffer token init --label ci --so-pin-file so.pin --pin-file user.pin
  coffer token init --label work --slot 0 --yes`,
		Args: noArgs,
	}
	cmd.Flags().StringVar(&label, "label", "", "`label` of the token, at most 32 bytes")
	cmd.Flags().Uint64Var(&slot, "slot", 0, "`number` of the slot; without it, the free one")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before a token's objects are destroyed")
	so.addTo(cmd)
	user.addTo(cmd)
	require(cmd, "label")
	cmd.RunE = does(func(cmd *cobra.Command) error {
		if label == "" {
			return usage("--label is empty")
		}
		r := initRequest{label: label, slot: p11.SlotID(slot), anySlot: !cmd.Flags().Changed("slot")}
		again, err := a.initsAgain(r)
		if err != nil {
			return err
		}
		ask := newPIN
		if again != nil {
			if !yes {
				if err := a.confirm(fmt.Sprintf("All objects of the %v will be destroyed", again)); err != nil {
					return err
				}
			}
			ask = knownPIN
		}
		if r.so, err = so.read(a, ask); err != nil {
			return err
		}
		defer r.so.wipe()
		if r.user, err = user.read(a, newPIN); err != nil {
			return err
		}
		defer r.user.wipe()
		var made chosen
		if err := a.with(func(m *token.Module) error {
			made, err = initToken(m, r)
			return err
		}); err != nil {
			return err
		}
		return a.print(newTokenView(made), func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "initialised the %s, serial number %s\n", printable(made.String()), made.Serial)
			return err
		})
	})
	return cmd
}

// initsAgain returns the token that r would initialise anew, or nil.
func (a *app) initsAgain(r initRequest) (*chosen, error) {
	if r.anySlot {
		return nil, nil
	}
	var old *chosen
	return old, a.with(func(m *token.Module) error {
		info, err := m.GetTokenInfo(r.slot)
		if err == nil && initialised(info) {
			old = &chosen{r.slot, info}
		}
		return err
	})
}

// An initRequest says what token to make. The PINs are the caller's.
type initRequest struct {
	label    string
	slot     p11.SlotID
	anySlot  bool // the free one
	so, user pin
}

// initToken makes a token with both its PINs.
func initToken(m *token.Module, r initRequest) (chosen, error) {
	if r.anySlot {
		var err error
		if r.slot, err = freeSlot(m); err != nil {
			return chosen{}, err
		}
	}
	info, err := m.GetTokenInfo(r.slot)
	if err != nil {
		return chosen{}, err
	}
	// Setting the user PIN is the second step; what would fail there must not
	// leave a token of the first.
	if n := uint64(len(r.user)); n < info.MinPIN || n > info.MaxPIN {
		return chosen{}, p11.Errorf(p11.CKR_PIN_LEN_RANGE, "the user PIN has to have %d to %d bytes", info.MinPIN, info.MaxPIN)
	}
	if err := m.InitToken(r.slot, r.so, r.label); err != nil {
		return chosen{}, err
	}
	if err := setUserPIN(m, r); err != nil {
		return chosen{}, within(err, fmt.Sprintf("the token in slot %d was made, but its user PIN was not set", r.slot))
	}
	info, err = m.GetTokenInfo(r.slot)
	return chosen{r.slot, info}, err
}

func setUserPIN(m *token.Module, r initRequest) error {
	s, err := login(m, r.slot, p11.CKU_SO, r.so)
	if err != nil {
		return err
	}
	if err := m.InitPIN(s, r.user); err != nil {
		return err
	}
	return m.CloseSession(s)
}
