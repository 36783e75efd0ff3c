// Package check says what is wrong, in a sentence, or nothing. Package assert
// and package require, which stand in for those of testify, report it.
package check

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
)

func Equal(want, got any) string {
	if same(want, got) {
		return ""
	}
	return fmt.Sprintf("got %#v, want %#v", got, want)
}

func NotEqual(a, b any) string {
	if !same(a, b) {
		return ""
	}
	return fmt.Sprintf("both are %#v", a)
}

func same(a, b any) bool {
	x, ok := a.([]byte)
	y, also := b.([]byte)
	if ok && also {
		return bytes.Equal(x, y) && (x == nil) == (y == nil)
	}
	return reflect.DeepEqual(a, b)
}

func NoError(err error) string {
	if err == nil {
		return ""
	}
	return "got " + err.Error()
}

func Error(err error) string {
	if err != nil {
		return ""
	}
	return "got no error"
}

func EqualError(err error, text string) string {
	if err != nil && err.Error() == text {
		return ""
	}
	return fmt.Sprintf("got %v, want %s", err, text)
}

func Nil(v any) string {
	if isNil(v) {
		return ""
	}
	return fmt.Sprintf("got %#v, want nil", v)
}

func NotNil(v any) string {
	if !isNil(v) {
		return ""
	}
	return "got nil"
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice, reflect.UnsafePointer:
		return r.IsNil()
	}
	return false
}

func Len(v any, n int) string {
	if got := reflect.ValueOf(v).Len(); got != n {
		return fmt.Sprintf("got a length of %d, want %d", got, n)
	}
	return ""
}

func True(ok bool) string {
	if ok {
		return ""
	}
	return "got false"
}

func Zero(v any) string {
	if v == nil || reflect.ValueOf(v).IsZero() {
		return ""
	}
	return fmt.Sprintf("got %#v, want zero", v)
}

func Contains(text, part string) string {
	if strings.Contains(text, part) {
		return ""
	}
	return fmt.Sprintf("%q does not contain %q", text, part)
}

func NotContains(text, part string) string {
	if !strings.Contains(text, part) {
		return ""
	}
	return fmt.Sprintf("%q contains %q", text, part)
}
