package store

import "context"

// Attempt names one carrying out of a transaction. Whoever did not get the
// answer, because the one who was to give it died, tries again under the same
// name, and the transaction is not carried out twice.
type Attempt struct {
	// ID is the transaction's name: random, and never used for another.
	ID [16]byte
	// Since is what Newest was before the first attempt: what the transaction
	// wrote, if it did, is newer.
	Since Rev
	// Again is true if there was an attempt before, of which nothing goes on:
	// its process is gone, or has ended all its calls.
	Again bool
}

// Once is a Backend that recognises a transaction which it has carried out
// before, in this life or an earlier one.
type Once interface {
	Backend

	// TxnOnce is Txn, but if a is not the first attempt and an earlier one
	// was carried out, it only returns what that came to. It returns
	// ErrCompacted, and does nothing, if the history since a.Since is not
	// kept, so that nobody knows.
	TxnOnce(ctx context.Context, t Txn, a Attempt) (Result, error)
}
