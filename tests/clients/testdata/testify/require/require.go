// Package require has the functions of testify's that crypto11's tests and
// benchmarks call.
package require

import (
	"testing"

	"github.com/stretchr/testify/check"
)

func report(t testing.TB, wrong string, more []any) {
	t.Helper()
	if wrong != "" {
		t.Fatal(append([]any{wrong}, more...)...)
	}
}

func Equal(t testing.TB, want, got any, more ...any) {
	t.Helper()
	report(t, check.Equal(want, got), more)
}

func NotEqual(t testing.TB, a, b any, more ...any) {
	t.Helper()
	report(t, check.NotEqual(a, b), more)
}

func NoError(t testing.TB, err error, more ...any) {
	t.Helper()
	report(t, check.NoError(err), more)
}

func Error(t testing.TB, err error, more ...any) {
	t.Helper()
	report(t, check.Error(err), more)
}

func EqualError(t testing.TB, err error, text string, more ...any) {
	t.Helper()
	report(t, check.EqualError(err, text), more)
}

func Nil(t testing.TB, v any, more ...any) {
	t.Helper()
	report(t, check.Nil(v), more)
}

func NotNil(t testing.TB, v any, more ...any) {
	t.Helper()
	report(t, check.NotNil(v), more)
}

func Len(t testing.TB, v any, n int, more ...any) {
	t.Helper()
	report(t, check.Len(v, n), more)
}

func True(t testing.TB, ok bool, more ...any) {
	t.Helper()
	report(t, check.True(ok), more)
}

func Zero(t testing.TB, v any, more ...any) {
	t.Helper()
	report(t, check.Zero(v), more)
}

func Contains(t testing.TB, text, part string, more ...any) {
	t.Helper()
	report(t, check.Contains(text, part), more)
}

func NotContains(t testing.TB, text, part string, more ...any) {
	t.Helper()
	report(t, check.NotContains(text, part), more)
}
