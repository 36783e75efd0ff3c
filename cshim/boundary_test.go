package main

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"coffer/p11"
	"coffer/store/mem"
	"coffer/token"
	"coffer/token/seal"
)

// openSession has a module with a session, as after C_Initialize and
// C_OpenSession.
func openSession(t testing.TB) p11.SessionHandle {
	t.Helper()
	m, err := token.Open(token.Config{Store: mem.New(), Argon2: seal.Argon2{MemoryKiB: 8, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	module.Store(m)
	t.Cleanup(func() {
		module.Store(nil)
		m.Close()
	})
	slots, err := m.GetSlotList(false, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.InitToken(slots[0], []byte("12345678"), "test"); err != nil {
		t.Fatal(err)
	}
	h, err := m.OpenSession(slots[0], p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestGuard(t *testing.T) {
	h := openSession(t)
	m := module.Load()
	crash := func(f func()) p11.RV {
		rv := ok
		func() {
			defer guard("C_Digest", h, &rv)
			enter()
			f()
		}()
		return p11.RV(rv)
	}
	var nobody *token.Module
	for name, c := range map[string]struct {
		f    func()
		want p11.RV
	}{
		"a panic":              {func() { panic("broken") }, p11.CKR_GENERAL_ERROR},
		"a panic with a code":  {func() { panic(p11.CKR_OK) }, p11.CKR_GENERAL_ERROR},
		"a nil pointer":        {func() { nobody.GetInfo() }, p11.CKR_GENERAL_ERROR},
		"memory of the caller": {func() { *(*byte)(unsafe.Pointer(uintptr(unsafe.Pointer(nil)) + 0x10000)) = 1 }, p11.CKR_ARGUMENTS_BAD},
		"nothing":              {func() {}, p11.CKR_OK},
	} {
		if err := m.DigestInit(h, &p11.Mechanism{Type: p11.CKM_SHA256}); err != nil {
			t.Fatal(err)
		}
		if got := crash(c.f); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		// The operation is ended, unless all went well.
		out := p11.Out{Buf: make([]byte, 32)}
		err := m.Digest(h, nil, &out)
		if ended := errors.Is(err, p11.CKR_OPERATION_NOT_INITIALIZED); ended != (c.want != p11.CKR_OK) {
			t.Errorf("%s: the operation is left with %v", name, err)
		}
	}
}

func TestPanicErrorNamesFunctionsOnly(t *testing.T) {
	var err error
	func() {
		defer func() { err = panicError(recover()) }()
		failWith([]byte("a key"))
	}()
	if s := err.Error(); !strings.Contains(s, "broken") || !strings.Contains(s, "failWith") || strings.Contains(s, "0x") {
		t.Errorf("got %q", s)
	}
}

//go:noinline
func failWith(key []byte) { panic("broken") }

// A call costs no allocation of its own on the way in and out.
func TestCallsAllocateNothing(t *testing.T) {
	h := _Ctype_CK_SESSION_HANDLE(openSession(t))
	data, out := make([]byte, 4096), make([]byte, 64)
	in, dst := _Ctype_CK_BYTE_PTR(unsafe.Pointer(&data[0])), _Ctype_CK_BYTE_PTR(unsafe.Pointer(&out[0]))
	var n _Ctype_CK_ULONG
	var info _Ctype_CK_SESSION_INFO
	if err := module.Load().DigestInit(p11.SessionHandle(h), &p11.Mechanism{Type: p11.CKM_SHA256}); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() _Ctype_CK_RV{
		"C_DigestUpdate":   func() _Ctype_CK_RV { return goC_DigestUpdate(h, in, 4096) },
		"C_Digest, length": func() _Ctype_CK_RV { return goC_Digest(h+0, in, 0, nil, &n) },
		"C_Sign, idle":     func() _Ctype_CK_RV { n = 64; return goC_Sign(h, in, 4096, dst, &n) },
		"C_GetSessionInfo": func() _Ctype_CK_RV { return goC_GetSessionInfo(h, &info) },
		"C_GenerateRandom": func() _Ctype_CK_RV { return goC_GenerateRandom(h, dst, 64) },
	} {
		if got := testing.AllocsPerRun(100, func() { call() }); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func TestLevels(t *testing.T) {
	for rv, want := range map[p11.RV]string{
		p11.CKR_OK: "debug", p11.CKR_BUFFER_TOO_SMALL: "debug",
		p11.CKR_PIN_INCORRECT: "info", p11.CKR_ATTRIBUTE_TYPE_INVALID: "info",
		p11.CKR_GENERAL_ERROR: "error", p11.CKR_DEVICE_ERROR: "error", p11.CKR_TOKEN_WRITE_PROTECTED: "error",
	} {
		if got := levelOf(rv).String(); got != want {
			t.Errorf("%v: got %s, want %s", rv, got, want)
		}
	}
}
