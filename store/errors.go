package store

import "errors"

// Errors are told apart with errors.Is; engines wrap them in a sentence that
// says what happened, and to which store.
var (
	// ErrCompacted means that the revision is no longer kept.
	ErrCompacted = errors.New("store: revision has been compacted")
	// ErrFuture means that the revision does not exist yet.
	ErrFuture = errors.New("store: revision is in the future")
	// ErrTooLarge means that a transaction, or a key, exceeds the limits.
	ErrTooLarge = errors.New("store: exceeds the limits of a transaction")
	// ErrInvalid means that a request contradicts the contract: an error of
	// the caller, whatever the store holds.
	ErrInvalid = errors.New("store: malformed request")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("store: closed")

	// ErrNotFound means that there is no place for a store there: a folder
	// above it is missing, or is no folder.
	ErrNotFound = errors.New("store: not found")
	// ErrLocked means that another process, or another part of this one, has
	// the store open.
	ErrLocked = errors.New("store: in use")
	// ErrReadOnly means that the store may not be written: its file system is
	// read-only or its permissions forbid it.
	ErrReadOnly = errors.New("store: not writable")
	// ErrFull means that there is no room left for what was to be written.
	ErrFull = errors.New("store: no space left")
	// ErrCorrupt means that what the store holds is damaged.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrUnavailable means that whoever serves the store does not answer, or
	// that the connection to him broke in the middle of a call. A Txn that
	// ends like this may have been carried out or may yet be, as one whose
	// context ended; anything else can be tried again.
	ErrUnavailable = errors.New("store: no answer")
	// ErrFailed means that the engine broke in the middle of its work and
	// refuses to go on. What was acknowledged is safe; opening the store anew
	// may help.
	ErrFailed = errors.New("store: failed")
)
