package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/token"
)

// storeCheck is `coffer store check` and, with repair, `coffer store repair`.
func (a *app) storeCheck(repair bool) *cobra.Command {
	var (
		which tokenChoice
		user  = userPIN()
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for damage",
		Long: `Reads everything in the store and names what is damaged: after a crash or a
failing disk, or before a backup. It changes nothing. Without a PIN the outside
of each record is checked; with the user PIN of a token, from a file or from
COFFER_PIN, every record of that token is opened too, and its index compared.

The exit status is 1 if something is wrong that was not put right.`,
		Example: `  coffer store check
  coffer store check --token work --pin-file pin --json`,
		Args: noArgs,
	}
	if repair {
		cmd.Use = "repair"
		cmd.Short = "Put right what can be"
		cmd.Long = `Looks for damage as coffer store check does, and makes the index of objects anew
where it is wrong: when searches do not find what is there. It removes and
changes no object, damaged ones included. What private objects are found by can
be mended only with the user PIN of their token.`
		cmd.Example = `  coffer store repair --token work --pin-file pin`
	}
	which.addTo(cmd)
	user.addTo(cmd)
	cmd.RunE = does(func(*cobra.Command) error {
		var p pin
		if user.given() {
			var err error
			if p, err = user.read(a, knownPIN); err != nil {
				return err
			}
			defer p.wipe()
		}
		return a.with(func(m *token.Module) error {
			if p != nil {
				t, err := which.find(m)
				if err != nil {
					return err
				}
				if _, err := login(m, t.slot, p11.CKU_USER, p); err != nil {
					return err
				}
			}
			found, err := m.CheckStore(repair)
			if err != nil {
				return err
			}
			return a.printFindings(found)
		})
	})
	return cmd
}

// A findingView is something wrong as it is printed.
type findingView struct {
	Slot    uint64 `json:"slot"`
	Object  string `json:"object,omitempty"` // CKA_UNIQUE_ID
	Problem string `json:"problem"`
	Mended  bool   `json:"mended"`
}

func (a *app) printFindings(found []token.Finding) error {
	views, left := []findingView{}, 0
	for _, f := range found {
		views = append(views, findingView{uint64(f.Slot), f.Object, f.Problem, f.Mended})
		if !f.Mended {
			left++
		}
	}
	if err := a.print(views, func(w io.Writer) error {
		if len(views) == 0 {
			_, err := fmt.Fprintln(w, "nothing is wrong")
			return err
		}
		rows := [][]string{{"SLOT", "OBJECT", "MENDED", "PROBLEM"}}
		for _, v := range views {
			rows = append(rows, []string{fmt.Sprint(v.Slot), v.Object, map[bool]string{true: "yes", false: "no"}[v.Mended], v.Problem})
		}
		return table(w, rows)
	}); err != nil {
		return err
	}
	if left > 0 {
		return p11.Errorf(p11.CKR_DEVICE_ERROR, "%d things are wrong in the store", left)
	}
	return nil
}
