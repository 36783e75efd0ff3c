package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/store/stores"
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
be mended only with the user PIN of their token.

A store that is refused because changes are lost that it had acknowledged is made
usable without them. Restore a backup instead if you have one. The store as it was
is kept in a folder damaged-TIME in it.`
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
		set, err := a.settings()
		if err != nil {
			return err
		}
		var views []findingView
		if repair {
			did, err := stores.Repair(set.Store, storeOptions(set))
			if err != nil {
				return p11.Errorf(p11.CKR_DEVICE_ERROR, "repairing the store %s: %w", set.Store, err)
			}
			views = append(views, ofStore(did, true)...)
		}
		return a.with(func(m *token.Module) error {
			problems, err := stores.Verify(set.Store)
			if err != nil {
				return p11.Errorf(p11.CKR_DEVICE_ERROR, "reading the store %s: %w", set.Store, err)
			}
			views = append(views, ofStore(problems, false)...)
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
			return a.printFindings(append(views, ofTokens(found)...))
		})
	})
	return cmd
}

// A findingView is something wrong as it is printed.
type findingView struct {
	Slot    *uint64 `json:"slot,omitempty"`   // nil if it is the whole store's
	Object  string  `json:"object,omitempty"` // CKA_UNIQUE_ID
	Problem string  `json:"problem"`
	Mended  bool    `json:"mended"`
}

func ofStore(problems []string, mended bool) []findingView {
	var views []findingView
	for _, p := range problems {
		views = append(views, findingView{Problem: p, Mended: mended})
	}
	return views
}

func ofTokens(found []token.Finding) []findingView {
	var views []findingView
	for _, f := range found {
		slot := uint64(f.Slot)
		views = append(views, findingView{&slot, f.Object, f.Problem, f.Mended})
	}
	return views
}

func (a *app) printFindings(views []findingView) error {
	left := 0
	for _, v := range views {
		if !v.Mended {
			left++
		}
	}
	if views == nil {
		views = []findingView{} // an empty list, as JSON
	}
	if err := a.print(views, func(w io.Writer) error {
		if len(views) == 0 {
			_, err := fmt.Fprintln(w, "nothing is wrong")
			return err
		}
		rows := [][]string{{"SLOT", "OBJECT", "MENDED", "PROBLEM"}}
		for _, v := range views {
			slot := ""
			if v.Slot != nil {
				slot = fmt.Sprint(*v.Slot)
			}
			rows = append(rows, []string{slot, v.Object, map[bool]string{true: "yes", false: "no"}[v.Mended], v.Problem})
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
