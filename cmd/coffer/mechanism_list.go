package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coffer/mech"
	"coffer/p11"
	"coffer/token"
)

func (a *app) mechanismList() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the mechanisms",
		Long: `Lists the mechanisms of this coffer, with the sizes of the keys that they take
and the functions that take them: to see whether an application finds what it
needs. It opens no store, unless --token or --slot asks for what the policy of
a token leaves of them.`,
		Example: `  coffer mechanism list
  coffer mechanism list --token work --json`,
		Args: noArgs,
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the table of the documentation")
	var choice tokenChoice
	choice.addTo(cmd)
	cmd.RunE = does(func(*cobra.Command) error {
		all, err := mechanisms(mech.NewRegistry(mech.All()...))
		if err != nil {
			return err
		}
		if choice.given() {
			if err := a.with(func(m *token.Module) error {
				t, err := choice.find(m)
				if err == nil {
					all, err = left(m, t, all)
				}
				return err
			}); err != nil {
				return err
			}
		}
		return a.print(all, func(w io.Writer) error {
			if markdown {
				return printMarkdown(w, all)
			}
			rows := [][]string{{"MECHANISM", "MIN", "MAX", "UNIT", "KEYS", "FUNCTIONS"}}
			for _, v := range all {
				row := []string{v.Name, "", "", v.Unit, strings.Join(v.Keys, ","), strings.Join(v.Functions, ",")}
				if v.Unit != "" {
					row[1], row[2] = fmt.Sprint(v.Min), fmt.Sprint(v.Max)
				}
				rows = append(rows, row)
			}
			return table(w, rows)
		})
	})
	return cmd
}

// A mechanismView is a mechanism as it is printed.
type mechanismView struct {
	Name      string   `json:"name"`
	Code      uint64   `json:"code"`
	Keys      []string `json:"keys"`
	Min       int      `json:"min"`
	Max       int      `json:"max"`
	Unit      string   `json:"unit,omitempty"` // of Min and Max; none for mechanisms without a key
	Functions []string `json:"functions"`
}

// functions are what a mechanism can be for, in the order they are printed in.
var functions = []struct {
	flag p11.Flags
	name string
}{
	{p11.CKF_ENCRYPT, "encrypt"},
	{p11.CKF_DECRYPT, "decrypt"},
	{p11.CKF_DIGEST, "digest"},
	{p11.CKF_SIGN, "sign"},
	{p11.CKF_VERIFY, "verify"},
	{p11.CKF_SIGN_RECOVER, "sign recover"},
	{p11.CKF_VERIFY_RECOVER, "verify recover"},
	{p11.CKF_GENERATE, "generate"},
	{p11.CKF_GENERATE_KEY_PAIR, "generate pair"},
	{p11.CKF_WRAP, "wrap"},
	{p11.CKF_UNWRAP, "unwrap"},
	{p11.CKF_DERIVE, "derive"},
	{p11.CKF_MESSAGE_ENCRYPT, "message encrypt"},
	{p11.CKF_MESSAGE_DECRYPT, "message decrypt"},
	{p11.CKF_ENCAPSULATE, "encapsulate"},
	{p11.CKF_DECAPSULATE, "decapsulate"},
}

var units = map[mech.Unit]string{mech.Bits: "bits", mech.Bytes: "bytes"}

func mechanisms(reg *mech.Registry) ([]mechanismView, error) {
	var out []mechanismView
	for _, t := range reg.Mechanisms() {
		row, err := reg.Lookup(t)
		if err != nil {
			return nil, err
		}
		v := mechanismView{
			Name: t.String(), Code: uint64(t),
			Min: row.Size.Min, Max: row.Size.Max, Unit: units[row.Size.Unit],
			Keys: []string{}, Functions: functionsOf(row.Flags()),
		}
		for _, k := range row.Keys {
			v.Keys = append(v.Keys, strings.TrimPrefix(k.String(), "CKK_"))
		}
		out = append(out, v)
	}
	return out, nil
}

func functionsOf(flags p11.Flags) []string {
	names := []string{}
	for _, f := range functions {
		if flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// left returns what the policy of a token leaves of the mechanisms.
func left(m *token.Module, t chosen, all []mechanismView) ([]mechanismView, error) {
	list, err := m.GetMechanismList(t.slot)
	if err != nil {
		return nil, err
	}
	out := []mechanismView{}
	for _, v := range all {
		if !slices.Contains(list, p11.MechanismType(v.Code)) {
			continue
		}
		info, err := m.GetMechanismInfo(t.slot, p11.MechanismType(v.Code))
		if err != nil {
			return nil, err
		}
		v.Min, v.Max, v.Functions = int(info.MinKeySize), int(info.MaxKeySize), functionsOf(info.Flags)
		out = append(out, v)
	}
	return out, nil
}

// printMarkdown writes the README's table.
func printMarkdown(w io.Writer, all []mechanismView) error {
	if _, err := fmt.Fprint(w, "| mechanism | key size | functions |\n|---|---|---|\n"); err != nil {
		return err
	}
	for _, v := range all {
		size := ""
		switch {
		case v.Unit == "":
		case v.Min == v.Max:
			size = fmt.Sprintf("%d %s", v.Min, v.Unit)
		default:
			size = fmt.Sprintf("%d–%d %s", v.Min, v.Max, v.Unit)
		}
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s |\n", v.Name, size, strings.Join(v.Functions, ", ")); err != nil {
			return err
		}
	}
	return nil
}
