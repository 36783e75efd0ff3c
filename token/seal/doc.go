// Package seal protects a token at rest: a PIN opens the master key, and the
// master key opens records and makes the terms of the search index.
package seal
