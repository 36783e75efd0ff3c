package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

func (a *app) objectDelete() *cobra.Command {
	var (
		which tokenChoice
		what  filter
		yes   bool
		user  = userPIN()
	)
	cmd := &cobra.Command{
		Use:   "delete {--label LABEL | --id HEX | --unique-id HEX}",
		Short: "Delete objects of a token",
		Long: `Deletes the objects that have all that the flags say, for good: a key that was
replaced, or a whole pair by its ID. It takes the user PIN.`,
		Example: `  coffer object delete --id 01
  coffer object delete --token work --class certificate --label old --yes`,
		Args: noArgs,
	}
	which.addTo(cmd)
	what.addTo(cmd)
	cmd.MarkFlagsOneRequired("label", "id", "unique-id")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	user.addTo(cmd)
	cmd.RunE = does(func(*cobra.Command) error {
		template, err := what.template()
		if err != nil {
			return err
		}
		p, err := user.read(a, knownPIN)
		if err != nil {
			return err
		}
		defer p.wipe()
		var t chosen
		var doomed []objectView
		if err := a.with(func(m *token.Module) error {
			if t, err = which.find(m); err != nil {
				return err
			}
			s, err := login(m, t.slot, p11.CKU_USER, p)
			if err != nil {
				return err
			}
			doomed, err = search(m, s, template)
			return err
		}); err != nil {
			return err
		}
		if len(doomed) == 0 {
			return p11.Errorf(p11.CKR_OBJECT_HANDLE_INVALID, "the %v has no such object", t)
		}
		if !yes {
			if err := a.confirm(fmt.Sprintf("To be deleted: %s", describe(doomed))); err != nil {
				return err
			}
		}
		if err := a.with(func(m *token.Module) error { return deleteObjects(m, t, p, doomed) }); err != nil {
			return err
		}
		return a.print(doomed, func(w io.Writer) error {
			for _, v := range doomed {
				if _, err := fmt.Fprintf(w, "deleted the %s\n", printable(v.String())); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return cmd
}

func describe(vs []objectView) string {
	var out []string
	for _, v := range vs {
		out = append(out, "the "+v.String())
	}
	return strings.Join(out, ", ")
}

// deleteObjects destroys what was found. Whatever has gone meanwhile is gone.
func deleteObjects(m *token.Module, t chosen, user pin, doomed []objectView) error {
	s, err := login(m, t.slot, p11.CKU_USER, user)
	if err != nil {
		return err
	}
	for i, v := range doomed {
		h, ok, err := byUniqueID(m, s, v.UniqueID)
		if err == nil && ok {
			err = m.DestroyObject(s, h)
		}
		if err != nil {
			return within(err, fmt.Sprintf("%d of %d objects are deleted; the %v", i, len(doomed), v))
		}
	}
	return nil
}

func byUniqueID(m *token.Module, s p11.SessionHandle, id string) (p11.ObjectHandle, bool, error) {
	if err := m.FindObjectsInit(s, attr.Values{attr.NewString(p11.CKA_UNIQUE_ID, id)}); err != nil {
		return 0, false, err
	}
	one := make([]p11.ObjectHandle, 1)
	n, err := m.FindObjects(s, one)
	if err != nil {
		return 0, false, err
	}
	return one[0], n == 1, m.FindObjectsFinal(s)
}
