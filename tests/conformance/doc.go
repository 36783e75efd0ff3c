// Package conformance is the standard as tests: the same cases run through
// token.Module and through the C functions of the built library (p11test).
//
// The tables are written from the standard's text, not from the code: what
// starts and ends an operation, who sees what, which code a bad template gets,
// what a key tells of its origin. The TestAttack… cases try to get around each
// rule; the random calls compare the token with a small model of it; the
// official profile tests run as they are, with a list of what differs.
package conformance
