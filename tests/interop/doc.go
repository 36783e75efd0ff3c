// Package interop lets coffer and other people's programs open what the other
// has made: OpenSSL's command, the Java platform's own providers and Go's
// standard library. coffer is the built library, called through C.
//
// Every exchange is a line of a table. docs/INTEROP.md is that table, and the
// test fails unless it is what ran:
//
//	go test ./tests/interop -update
//
// writes it anew. Programs that load the library themselves are in
// tests/clients and tests/hosts.
package interop
