package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/token"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Prints the version of coffer, alone in the first line, and what it was built of: to
report a problem, or to check what a script found.`,
		Example: `  coffer version`,
		Args:    noArgs,
		RunE: does(func(*cobra.Command) error {
			v := buildVersion()
			return a.print(v, func(w io.Writer) error {
				built := v.Go + " " + v.Platform
				if v.Revision != "" {
					built += ", revision " + v.Revision
				}
				_, err := fmt.Fprintf(w, "%s\nPKCS #11 %s\nbuilt by %s\n", v.Version, v.PKCS11, built)
				return err
			})
		}),
	}
}

// A versionView is what coffer version prints.
type versionView struct {
	Version  string `json:"version"`
	PKCS11   string `json:"pkcs11"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"`
}

func buildVersion() versionView {
	v := versionView{
		Version:  fmt.Sprintf("%d.%d", token.LibraryVersion.Major, token.LibraryVersion.Minor),
		PKCS11:   fmt.Sprintf("%d.%d", p11.CRYPTOKI_VERSION_MAJOR, p11.CRYPTOKI_VERSION_MINOR),
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return v
}
