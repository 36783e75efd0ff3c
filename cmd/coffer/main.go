// Command coffer runs a software HSM: it makes tokens and keys, lists and
// deletes them, and lends a command a token for as long as it runs.
//
// It is a caller of package token as any application is through the library:
// it reads and writes no file of a store, decides no policy, and cannot do
// what the rules of PKCS #11 forbid.
//
// # Design
//
// A PIN never stands on the command line, where every user of the machine can
// read it, but for coffer exec, whose PIN is no secret. A store is open only
// while it is worked with, never while a question waits for its answer,
// because one process at a time has it.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
