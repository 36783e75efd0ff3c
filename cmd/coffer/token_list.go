package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/token"
)

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tokens",
		Long: `Lists the tokens of the store with the numbers of their slots and the state of
their PINs and the policies in force: when a label or slot is needed, or a PIN
or a mechanism is refused and the reason is wanted. It needs no PIN.`,
		Example: `  coffer token list
  coffer token list --json`,
		Args: noArgs,
		RunE: does(func(*cobra.Command) error {
			views := []tokenView{}
			if err := a.with(func(m *token.Module) error {
				all, err := tokens(m)
				for _, t := range all {
					v := newTokenView(t)
					if v.Policy, err = m.Policy(t.slot); err != nil {
						return err
					}
					views = append(views, v)
				}
				return err
			}); err != nil {
				return err
			}
			return a.print(views, func(w io.Writer) error {
				if len(views) == 0 {
					_, err := fmt.Fprintln(a.err, "no tokens; coffer token init makes one")
					return err
				}
				rows := [][]string{{"SLOT", "LABEL", "SERIAL", "USER PIN", "SO PIN", "POLICY"}}
				for _, v := range views {
					rows = append(rows, []string{fmt.Sprint(v.Slot), v.Label, v.Serial, v.UserPIN, v.SOPIN, v.Policy})
				}
				return table(w, rows)
			})
		}),
	}
}

// A tokenView is a token as it is printed.
type tokenView struct {
	Slot    uint64 `json:"slot"`
	Label   string `json:"label"`
	Serial  string `json:"serial"`
	UserPIN string `json:"user_pin"` // pinState
	SOPIN   string `json:"so_pin"`
	Policy  string `json:"policy,omitempty"`
}

func newTokenView(t chosen) tokenView {
	v := tokenView{
		Slot:    uint64(t.slot),
		Label:   t.Label,
		Serial:  t.Serial,
		UserPIN: pinState(t.Flags, p11.CKF_USER_PIN_COUNT_LOW, p11.CKF_USER_PIN_FINAL_TRY, p11.CKF_USER_PIN_LOCKED),
		SOPIN:   pinState(t.Flags, p11.CKF_SO_PIN_COUNT_LOW, p11.CKF_SO_PIN_FINAL_TRY, p11.CKF_SO_PIN_LOCKED),
	}
	if t.Flags&p11.CKF_USER_PIN_INITIALIZED == 0 {
		v.UserPIN = "not set"
	}
	return v
}

// pinState is what three of a token's flags say of a PIN.
func pinState(flags, low, final, locked p11.Flags) string {
	switch {
	case flags&locked != 0:
		return "locked"
	case flags&final != 0:
		return "one try left"
	case flags&low != 0:
		return "was wrong"
	default:
		return "ok"
	}
}
