package remote

import (
	"context"
	"errors"

	"coffer/store"
)

// code is an error's sentinel on the wire. Zero is one that has none.
type code uint8

// codes must not change their numbers. Of an error that is several, the first
// is told.
var codes = []struct {
	code code
	is   error
}{
	{1, store.ErrCompacted},
	{2, store.ErrFuture},
	{3, store.ErrTooLarge},
	{4, store.ErrInvalid},
	{5, store.ErrNotFound},
	{6, store.ErrLocked},
	{7, store.ErrReadOnly},
	{8, store.ErrFull},
	{9, store.ErrCorrupt},
	{10, store.ErrUnavailable},
	{11, store.ErrFailed},
	{12, context.Canceled},
	{13, context.DeadlineExceeded},
}

func failureOf(err error) *failure {
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return &failure{Code: c.code, Text: err.Error()}
		}
	}
	return &failure{Text: err.Error()}
}

// remoteError is an error of the server's, in its words.
type remoteError struct {
	is   error
	text string
}

func (f *failure) error() error {
	for _, c := range codes {
		if c.code == f.Code {
			return &remoteError{is: c.is, text: f.Text}
		}
	}
	return &remoteError{is: store.ErrFailed, text: f.Text}
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }
