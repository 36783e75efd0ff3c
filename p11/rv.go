package p11

import (
	"errors"
	"fmt"
)

// RV is a CK_RV, the result of a Cryptoki function. Every RV but CKR_OK is an
// error by itself, so that `return p11.CKR_PIN_INCORRECT` is a whole answer.
type RV uint64

// Error returns the standard's name of the code, such as "CKR_PIN_INCORRECT".
func (rv RV) Error() string { return rv.String() }

// Error pairs the code that the application sees with the sentence that the
// log shows to the operator.
type Error struct {
	RV    RV
	Cause error // the sentence, and whatever it wraps; never nil, never secret
}

func (e *Error) Error() string { return e.RV.String() + ": " + e.Cause.Error() }

// Unwrap lets errors.Is and errors.As see both the code and the cause.
func (e *Error) Unwrap() []error { return []error{e.RV, e.Cause} }

// Errorf returns an *Error that carries rv. The format takes %w as fmt.Errorf
// does. It panics if rv is CKR_OK, which is never an error.
func Errorf(rv RV, format string, args ...any) error {
	if rv == CKR_OK {
		panic("p11: error with CKR_OK")
	}
	return &Error{RV: rv, Cause: fmt.Errorf(format, args...)}
}

// Code returns the outermost RV in err: CKR_OK for nil, CKR_GENERAL_ERROR for
// an error that carries none.
func Code(err error) RV {
	if err == nil {
		return CKR_OK
	}
	if rv, ok := err.(RV); ok && rv != CKR_OK {
		return rv
	}
	var rv RV
	if errors.As(err, &rv) && rv != CKR_OK {
		return rv
	}
	return CKR_GENERAL_ERROR
}
