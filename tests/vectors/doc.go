// Package vectors runs other people's test vectors through the C functions of
// the built library: every key goes in as an object, every answer comes back
// through the caller's memory.
//
// The vectors are in Go modules; nothing of them is in this repository. What
// ran, what the token answered and what could not run, and why, is in
// docs/VECTORS.md, which the test compares with what it did:
//
//	go test ./tests/vectors -update
//
// writes it anew.
package vectors
