package conformance

import (
	"strings"
	"testing"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// lengths are what careless and hostile callers say of a buffer.
var lengths = []uint64{0, 1, 16, 1 << 31, 1 << 32, 1 << 62, 1 << 63, ^uint64(0)}

// lifeCycle are functions that have tests of their own.
var lifeCycle = map[string]bool{"C_Initialize": true, "C_Finalize": true}

// inC are the functions that never get into Go, and so to where a fault is an
// answer: a pointer to nowhere is the caller's own crash.
var inC = map[string]bool{"C_GetFunctionList": true, "C_GetInterfaceList": true, "C_GetInterface": true}

// Of every function every argument is in turn NULL, a small number, a buffer,
// or a length that no buffer has. Nothing is written beyond a buffer, nothing
// crashes, and the library goes on.
func TestGarbageForEveryFunction(t *testing.T) {
	h := NewHost(t, CLibrary)
	lib := Load(t)
	g := NewGuarded(t)
	calls := 0
	for _, f := range lib.Functions {
		if lifeCycle[f.Name] || inC[f.Name] {
			continue
		}
		h.Case(f.Name, func(h *Host) {
			var kept p11.SessionHandle
			for variant := range 80 {
				s := uint64(0)
				if variant%2 == 0 {
					kept = userSession(h, kept)
					s = uint64(kept)
					if strings.Contains(f.Name, "Message") && !strings.HasSuffix(f.Name, "Init") {
						inMessages(h, kept, variant%4 == 0)
					}
				}
				args := make([]uint64, len(f.Arguments))
				for i, a := range f.Arguments {
					args[i] = garbage(a, s, variant/2, i, g)
				}
				if f.Name == "C_WaitForSlotEvent" {
					args[0] |= uint64(p11.CKF_DONT_BLOCK) // nothing else would happen for ever
				}
				rv := lib.Call(f.Name, args...)
				calls++
				if rv == p11.CKR_GENERAL_ERROR || rv == p11.CKR_HOST_MEMORY {
					h.Errorf("%s%x: %v", f.Name, args, rv)
				}
			}
			h.Fresh()
			s := h.User()
			k := h.AES(s, Yes(p11.CKA_ENCRYPT))
			if _, err := KeyOf(p11.CKK_AES).Proof(h, s, k); err != nil {
				h.Fatalf("after garbage, the library does not work: %v", err)
			}
		})
	}
	t.Logf("%d calls", calls)
}

// inMessages begins every process of messages, and a message in each.
func inMessages(h *Host, s p11.SessionHandle, begin bool) {
	h.Helper()
	a := &aeads[0]
	k := a.create(h, s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
	gcm, cmac := Mech(a.m), Mech(p11.CKM_AES_CMAC)
	h.Must(h.MessageEncryptInit(s, gcm, k))
	h.Must(h.MessageDecryptInit(s, gcm, k))
	h.Must(h.MessageSignInit(s, cmac, k))
	h.Must(h.MessageVerifyInit(s, cmac, k))
	if begin {
		h.Must(h.EncryptMessageBegin(s, a.params(0), nil))
		h.Must(h.DecryptMessageBegin(s, a.params(0), nil))
		h.Must(h.SignMessageBegin(s))
		h.Must(h.VerifyMessageBegin(s))
	}
}

// userSession returns an idle session of the user: s, if it is one still.
func userSession(h *Host, s p11.SessionHandle) p11.SessionHandle {
	if info, err := h.GetSessionInfo(s); err != nil || info.State != p11.CKS_RW_USER_FUNCTIONS {
		h.Fresh()
		s = h.User()
	}
	h.Idle(s)
	return s
}

// garbage chooses an argument. Where pointers and lengths are told apart by
// their types, a buffer is one that ends at memory that is not there.
func garbage(a Argument, session uint64, variant, position int, g *Guarded) uint64 {
	v := variant*7 + position*3 // another combination in each variant
	switch {
	case a.Type == "CK_SESSION_HANDLE":
		return session
	case a.Type == "CK_SLOT_ID":
		return uint64(v % 3)
	case a.Name == "ulParameterLen": // those of the structures
		return []uint64{48, 0, 24, 56, 48, 1 << 63}[v%6]
	case a.Type == "CK_ULONG":
		return lengths[v%len(lengths)]
	case a.Type == "CK_ULONG_PTR":
		if v%4 == 0 {
			return 0
		}
		return g.ULong(lengths[v%len(lengths)])
	case a.Type == "CK_ATTRIBUTE_PTR":
		if v%4 == 0 {
			return 0
		}
		return g.Attributes([]uint64{uint64(p11.CKA_LABEL), uint64(p11.CKA_VALUE), uint64(p11.CKA_UNWRAP_TEMPLATE), uint64(p11.CKA_CLASS)}[v%4], lengths[v%len(lengths)])
	case a.Type == "CK_MECHANISM_PTR":
		if v%4 == 0 {
			return 0
		}
		list := registry.Mechanisms()
		return g.Mechanism(uint64(list[v%len(list)]), lengths[v%len(lengths)])
	case len(a.Type) > 4 && a.Type[len(a.Type)-4:] == "_PTR":
		switch v % 4 {
		case 0:
			return 0
		case 1:
			return g.Nowhere()
		}
		return g.Bytes(64)
	default: // handles, flags, booleans
		return []uint64{0, 1, 2, 1 << 40, ^uint64(0)}[v%5]
	}
}

func TestArgumentsThatAreNotThere(t *testing.T) {
	h := NewHost(t, CLibrary)
	lib := Load(t)
	g := NewGuarded(t)
	s := uint64(h.User())
	k := uint64(h.AES(p11.SessionHandle(s), Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY)))
	ecb, cbc := g.Mechanism(uint64(p11.CKM_AES_ECB), 0), g.Mechanism(uint64(p11.CKM_AES_CBC), 16)
	if slot, err := h.WaitForSlotEvent(p11.CKF_DONT_BLOCK); err != nil || slot != 0 { // the host made its token
		t.Fatalf("slot %d, %v", slot, err)
	}
	begin := func() {
		h.Idle(p11.SessionHandle(s))
		h.Must(h.EncryptInit(p11.SessionHandle(s), Mech(p11.CKM_AES_ECB), p11.ObjectHandle(k)))
	}
	bad := p11.CKR_ARGUMENTS_BAD
	for _, tt := range []struct {
		name  string
		call  func() p11.RV
		want  p11.RV
		alive bool // the encryption goes on
	}{
		{"a length that is NULL", func() p11.RV { return lib.Call("C_Encrypt", s, g.Bytes(16), 16, g.Bytes(16), 0) }, bad, false},
		{"data that is NULL with a length", func() p11.RV { return lib.Call("C_Encrypt", s, 0, 16, g.Bytes(16), g.ULong(16)) }, bad, false},
		{"data that is shorter than its length", func() p11.RV { return lib.Call("C_Encrypt", s, g.Bytes(16), 1<<20, g.Bytes(16), g.ULong(1<<20)) }, bad, false},
		{"data beyond the address space", func() p11.RV { return lib.Call("C_Encrypt", s, g.Bytes(16), 1<<63, g.Bytes(16), g.ULong(16)) }, bad, false},
		{"a buffer of ULONG_MAX bytes is large enough", func() p11.RV { return lib.Call("C_Encrypt", s, g.Bytes(16), 16, g.Bytes(16), g.ULong(^uint64(0))) }, ok, false},
		{"a buffer of 0 bytes is too small", func() p11.RV { return lib.Call("C_Encrypt", s, g.Bytes(16), 16, g.Bytes(0), g.ULong(0)) }, tooSmall, true},
		{"a session that there is not comes first", func() p11.RV { return lib.Call("C_Encrypt", s+99, 0, 16, 0, 0) }, p11.CKR_SESSION_HANDLE_INVALID, true},
		{"another operation's call", func() p11.RV { return lib.Call("C_Sign", s, 0, 16, 0, 0) }, bad, true},
		{"a template that is NULL", func() p11.RV { return lib.Call("C_CreateObject", s, 0, 3, g.ULong(0)) }, bad, true},
		{"a template of too many", func() p11.RV { return lib.Call("C_CreateObject", s, g.Bytes(64), 1<<60, g.ULong(0)) }, bad, true},
		{"nowhere to put a handle", func() p11.RV { return lib.Call("C_CreateObject", s, g.Attributes(uint64(p11.CKA_CLASS), 8), 1, 0) }, bad, true},
		{"no mechanism to generate with", func() p11.RV { return lib.Call("C_GenerateKey", s, 0, 0, 0, g.ULong(0)) }, bad, true},
		{"no PIN", func() p11.RV { return lib.Call("C_Login", s, uint64(p11.CKU_USER), 0, 4) }, bad, true},
		{"nowhere to put a session", func() p11.RV { return lib.Call("C_OpenSession", 0, uint64(RW), 0, 0, 0) }, bad, true},
		{"a parameter that is not wanted", func() p11.RV {
			return lib.Call("C_DecryptInit", s, g.Mechanism(uint64(p11.CKM_AES_ECB), 16), k)
		}, p11.CKR_MECHANISM_PARAM_INVALID, true},
		{"a parameter that is missing", func() p11.RV { return lib.Call("C_DecryptInit", s, g.Mechanism(uint64(p11.CKM_AES_CBC), 0), k) }, p11.CKR_MECHANISM_PARAM_INVALID, true},
		{"a mechanism where there is no memory", func() p11.RV { return lib.Call("C_DecryptInit", s, g.Nowhere(), k) }, bad, true},
		{"a mechanism that is right", func() p11.RV { return lib.Call("C_DecryptInit", s, cbc, k) }, ok, true},
		{"an operation that is active", func() p11.RV { return lib.Call("C_EncryptInit", s, ecb, k) }, active, true},
		{"a list without a count", func() p11.RV { return lib.Call("C_GetSlotList", 1, 0, 0) }, bad, true},
		{"no information wanted", func() p11.RV { return lib.Call("C_GetTokenInfo", 0, 0) }, bad, true},
		{"parallel sessions", func() p11.RV { return lib.Call("C_OpenSession", 0, 2, 0, 0, g.ULong(0)) }, p11.CKR_SESSION_PARALLEL_NOT_SUPPORTED, true},
		{"nowhere to put interfaces", func() p11.RV { return lib.Call("C_GetInterfaceList", 0, 0) }, bad, true},
		{"nowhere to put an interface", func() p11.RV { return lib.Call("C_GetInterface", 0, 0, 0, 0) }, bad, true},
		{"nowhere to put the functions", func() p11.RV { return lib.Call("C_GetFunctionList", 0) }, bad, true},
		{"room for fewer interfaces than there are", func() p11.RV { return lib.Call("C_GetInterfaceList", g.Bytes(24), g.ULong(1)) }, tooSmall, true},
		{"C_GetFunctionStatus", func() p11.RV { return lib.Call("C_GetFunctionStatus", s) }, p11.CKR_FUNCTION_NOT_PARALLEL, true},
		{"C_CancelFunction", func() p11.RV { return lib.Call("C_CancelFunction", s) }, p11.CKR_FUNCTION_NOT_PARALLEL, true},
		{"C_WaitForSlotEvent without waiting", func() p11.RV { return lib.Call("C_WaitForSlotEvent", 1, g.ULong(0), 0) }, p11.CKR_NO_EVENT, true},
		{"random bytes beyond a buffer", func() p11.RV { return lib.Call("C_GenerateRandom", s, g.Bytes(16), 1<<20) }, bad, true},
	} {
		h.Case(tt.name, func(h *Host) {
			begin()
			if rv := tt.call(); rv != tt.want {
				h.Errorf("got %v, want %v", rv, tt.want)
			}
			want := ok
			if !tt.alive {
				want = notInitialized
			}
			h.Want(h.Encrypt(p11.SessionHandle(s), make([]byte, 16), room()), want)
		})
	}
}

func TestEveryFunctionBeforeInitialize(t *testing.T) {
	h := NewHost(t, CLibrary)
	lib := Load(t)
	h.Must(h.Close())
	always := map[string]bool{"C_Initialize": true, "C_GetFunctionList": true, "C_GetInterfaceList": true, "C_GetInterface": true}
	for _, f := range lib.Functions {
		if always[f.Name] {
			continue
		}
		if rv := lib.Call(f.Name, make([]uint64, len(f.Arguments))...); rv != p11.CKR_CRYPTOKI_NOT_INITIALIZED {
			t.Errorf("%s: %v", f.Name, rv)
		}
	}
	h.Start()
	if rv := lib.Call("C_Initialize", 0); rv != p11.CKR_CRYPTOKI_ALREADY_INITIALIZED {
		t.Errorf("a second C_Initialize: %v", rv)
	}
}
