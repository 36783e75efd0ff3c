// Package assert has the functions of testify's that crypto11's tests call.
package assert

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/check"
)

func report(t *testing.T, wrong string, more []any) bool {
	t.Helper()
	if wrong != "" {
		t.Error(append([]any{wrong}, more...)...)
	}
	return wrong == ""
}

func Equal(t *testing.T, want, got any, more ...any) bool {
	t.Helper()
	return report(t, check.Equal(want, got), more)
}

func Error(t *testing.T, err error, more ...any) bool {
	t.Helper()
	return report(t, check.Error(err), more)
}

func NoErrorf(t *testing.T, err error, format string, args ...any) bool {
	t.Helper()
	return report(t, check.NoError(err), []any{fmt.Sprintf(format, args...)})
}

func Nil(t *testing.T, v any, more ...any) bool {
	t.Helper()
	return report(t, check.Nil(v), more)
}

func NotNil(t *testing.T, v any, more ...any) bool {
	t.Helper()
	return report(t, check.NotNil(v), more)
}
