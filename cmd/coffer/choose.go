package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/p11"
	"coffer/token"
)

// A tokenChoice is how a command line says which token it means: by slot, by
// label, or not at all if there is only one.
type tokenChoice struct {
	label string
	slot  uint64
	flags *pflag.FlagSet
}

func (c *tokenChoice) addTo(cmd *cobra.Command) {
	c.flags = cmd.Flags()
	c.flags.StringVar(&c.label, "token", "", "`label` of the token; not needed if there is only one")
	c.flags.Uint64Var(&c.slot, "slot", 0, "`number` of the token's slot")
	cmd.MarkFlagsMutuallyExclusive("token", "slot")
}

// given reports whether the command line says which token it means.
func (c *tokenChoice) given() bool { return c.flags.Changed("token") || c.flags.Changed("slot") }

// A chosen is an initialised token.
type chosen struct {
	slot p11.SlotID
	p11.TokenInfo
}

func (c chosen) String() string { return fmt.Sprintf("token %q in slot %d", c.Label, c.slot) }

// find returns the token that is meant.
func (c *tokenChoice) find(m *token.Module) (chosen, error) {
	if c.flags.Changed("slot") {
		info, err := m.GetTokenInfo(p11.SlotID(c.slot))
		if err != nil {
			return chosen{}, err
		}
		if !initialised(info) {
			return chosen{}, p11.Errorf(p11.CKR_TOKEN_NOT_RECOGNIZED, "slot %d has no initialised token", c.slot)
		}
		return chosen{p11.SlotID(c.slot), info}, nil
	}
	all, err := tokens(m)
	if err != nil {
		return chosen{}, err
	}
	var fit []chosen
	for _, t := range all {
		if t.Label == c.label || !c.flags.Changed("token") {
			fit = append(fit, t)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(all) == 0:
		return chosen{}, p11.Errorf(p11.CKR_TOKEN_NOT_RECOGNIZED, "the store has no token; coffer token init makes one")
	case len(fit) == 0:
		return chosen{}, p11.Errorf(p11.CKR_TOKEN_NOT_RECOGNIZED, "no token has the label %q", c.label)
	case c.flags.Changed("token"):
		return chosen{}, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "several tokens have the label %q, in the slots %s: choose by --slot", c.label, slotsOf(fit))
	default:
		return chosen{}, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the store has several tokens, in the slots %s: choose by --slot or --token", slotsOf(fit))
	}
}

func slotsOf(ts []chosen) string {
	var out []string
	for _, t := range ts {
		out = append(out, fmt.Sprint(uint64(t.slot)))
	}
	return strings.Join(out, ", ")
}

func initialised(info p11.TokenInfo) bool { return info.Flags&p11.CKF_TOKEN_INITIALIZED != 0 }

// tokens returns the initialised tokens in the order of their slots.
func tokens(m *token.Module) ([]chosen, error) {
	slots, err := m.GetSlotList(true, true)
	if err != nil {
		return nil, err
	}
	var out []chosen
	for _, id := range slots {
		info, err := m.GetTokenInfo(id)
		if err != nil {
			return nil, err
		}
		if initialised(info) {
			out = append(out, chosen{id, info})
		}
	}
	return out, nil
}

// freeSlot returns the number of the slot that has no token yet.
func freeSlot(m *token.Module) (p11.SlotID, error) {
	slots, err := m.GetSlotList(true, true)
	if err != nil {
		return 0, err
	}
	for _, id := range slots {
		info, err := m.GetTokenInfo(id)
		if err != nil {
			return 0, err
		}
		if !initialised(info) {
			return id, nil
		}
	}
	return 0, p11.Errorf(p11.CKR_DEVICE_MEMORY, "no slot is free")
}

// openSession opens an R/W session without login.
func openSession(m *token.Module, id p11.SlotID) (p11.SessionHandle, error) {
	return m.OpenSession(id, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
}

// login opens an R/W session and logs in. Closing it, or the module, logs out.
func login(m *token.Module, id p11.SlotID, who p11.UserType, p pin) (p11.SessionHandle, error) {
	s, err := openSession(m, id)
	if err != nil {
		return 0, err
	}
	return s, m.Login(s, who, p)
}
