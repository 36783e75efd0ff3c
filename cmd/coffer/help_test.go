package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var out []*cobra.Command
	for _, c := range cmd.Commands() {
		out = append(out, leaves(c)...)
	}
	return out
}

func TestEverySubcommandHasHelpAndAnExampleThatParses(t *testing.T) {
	t.Parallel()
	for _, cmd := range leaves((&app{}).root()) {
		if !strings.Contains(cmd.Long, ":") {
			t.Errorf("%s: the help does not say when one wants it", cmd.CommandPath())
		}
		lines := strings.Split(cmd.Example, "\n")
		for _, line := range lines {
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "coffer" {
				t.Errorf("%s: %q is no example", cmd.CommandPath(), line)
				continue
			}
			root := (&app{}).root()
			found, rest, err := root.Find(words[1:])
			if err != nil || found.CommandPath() != cmd.CommandPath() {
				t.Errorf("%q is an example of %s, not of %s (%v)", line, found.CommandPath(), cmd.CommandPath(), err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
}

// The only flags that take a PIN itself are those of exec.
func TestNoFlagTakesAPIN(t *testing.T) {
	t.Parallel()
	for _, cmd := range leaves((&app{}).root()) {
		for _, name := range []string{"pin", "so-pin"} {
			if has := cmd.Flags().Lookup(name) != nil; has != (cmd.Name() == "exec") {
				t.Errorf("%s has --%s: %t", cmd.CommandPath(), name, has)
			}
		}
	}
}
