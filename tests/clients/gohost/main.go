// Gohost is a host written in Go that uses the library through
// github.com/miekg/pkcs11 and crypto11: two Go runtimes in one process.
//
//	gohost load DURATION    use the token while this runtime is kept busy
//	gohost crypto11         what services ask of crypto11, verified
//
// GOHOST_LIB, GOHOST_TOKEN and COFFER_PIN name the library, the token and its
// PIN.
package main

import (
	"fmt"
	"os"
	"time"
)

var (
	lib   = os.Getenv("GOHOST_LIB")
	token = os.Getenv("GOHOST_TOKEN")
	pin   = os.Getenv("COFFER_PIN")
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gohost:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "load":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		return load(d)
	case len(args) == 1 && args[0] == "crypto11":
		return service()
	}
	return fmt.Errorf("usage: gohost load DURATION | gohost crypto11")
}
