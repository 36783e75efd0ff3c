package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

func (a *app) keyTrust() *cobra.Command {
	var (
		which    tokenChoice
		what     filter
		revoke   bool
		so, user = soPIN(), userPIN()
	)
	cmd := &cobra.Command{
		Use:   "trust {--label LABEL | --id HEX | --unique-id HEX}",
		Short: "Trust a wrapping key",
		Long: `Sets CKA_TRUSTED of a key: a key that has CKA_WRAP_WITH_TRUSTED can be wrapped
only by a trusted key. It takes the SO PIN.

The SO does not see private keys. Name one by --unique-id, which coffer object
list shows to the user; or give the user PIN too, by --pin-file or COFFER_PIN,
and it is looked up.`,
		Example: `  coffer key trust --unique-id 5e8f0d7c1f6a4b0e9d3c2b1a00112233
  coffer key trust --label backup --so-pin-file so.pin --pin-file user.pin
  coffer key trust --label backup --revoke`,
		Args: noArgs,
	}
	which.addTo(cmd)
	what.addNames(cmd)
	cmd.MarkFlagsOneRequired("label", "id", "unique-id")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "trust the key no longer")
	so.addTo(cmd)
	user.addTo(cmd)
	cmd.RunE = does(func(*cobra.Command) error {
		template, err := what.template()
		if err != nil {
			return err
		}
		r := trustRequest{template: template, trusted: !revoke}
		if r.so, err = so.read(a, knownPIN); err != nil {
			return err
		}
		defer r.so.wipe()
		if user.given() {
			if r.user, err = user.read(a, knownPIN); err != nil {
				return err
			}
			defer r.user.wipe()
		}
		return a.with(func(m *token.Module) error {
			t, err := which.find(m)
			if err != nil {
				return err
			}
			id, err := r.trust(m, t)
			if err != nil {
				return err
			}
			return a.print(trustView{id, r.trusted}, func(w io.Writer) error {
				state := "trusted"
				if revoke {
					state = "not trusted any more"
				}
				_, err := fmt.Fprintf(w, "the key %s is %s\n", id, state)
				return err
			})
		})
	})
	return cmd
}

// A trustView is what key trust prints.
type trustView struct {
	UniqueID string `json:"unique_id"`
	Trusted  bool   `json:"trusted"`
}

// A trustRequest says which key is to be trusted, or no longer. Without the
// user's PIN the key is looked for among what the SO sees.
type trustRequest struct {
	template attr.Values
	trusted  bool
	so, user pin
}

// trust carries the request out and returns the CKA_UNIQUE_ID of the key.
func (r trustRequest) trust(m *token.Module, t chosen) (string, error) {
	id := string(r.template.Bytes(p11.CKA_UNIQUE_ID))
	if len(r.template) > 1 || id == "" {
		var err error
		if id, err = r.lookUp(m, t); err != nil {
			return "", err
		}
	}
	s, err := login(m, t.slot, p11.CKU_SO, r.so)
	if err != nil {
		return "", err
	}
	return id, m.TrustKey(s, id, r.trusted)
}

// lookUp returns the CKA_UNIQUE_ID of the one key that can be trusted and that
// the template names: of a pair, CKA_TRUSTED is the public half's.
func (r trustRequest) lookUp(m *token.Module, t chosen) (string, error) {
	who, p := p11.CKU_SO, r.so
	if r.user != nil {
		who, p = p11.CKU_USER, r.user
	}
	s, err := login(m, t.slot, who, p)
	if err != nil {
		return "", err
	}
	found, err := search(m, s, r.template)
	if err != nil {
		return "", err
	}
	var keys []objectView
	for _, v := range found {
		if v.Class == "secret-key" || v.Class == "public-key" {
			keys = append(keys, v)
		}
	}
	switch {
	case len(keys) > 1:
		return "", p11.Errorf(p11.CKR_ARGUMENTS_BAD, "%d keys are so named; choose by --unique-id", len(keys))
	case len(keys) == 0 && r.user == nil:
		return "", p11.Errorf(p11.CKR_OBJECT_HANDLE_INVALID,
			"the SO sees no such key on the %v; name a private one by --unique-id, or give the user PIN too", t)
	case len(keys) == 0:
		return "", p11.Errorf(p11.CKR_OBJECT_HANDLE_INVALID, "the %v has no such key", t)
	}
	return keys[0].UniqueID, m.CloseSession(s)
}
