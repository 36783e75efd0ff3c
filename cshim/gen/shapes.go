package main

import "log"

// byHand are the functions whose Go halves are written by hand: their
// arguments are structures, lists, or need a decision.
var byHand = map[string]string{
	"C_Initialize":        "initialize.go",
	"C_Finalize":          "initialize.go",
	"C_GetInfo":           "info.go",
	"C_GetSlotList":       "lists.go",
	"C_GetSlotInfo":       "info.go",
	"C_GetTokenInfo":      "info.go",
	"C_GetMechanismList":  "lists.go",
	"C_GetMechanismInfo":  "info.go",
	"C_InitToken":         "sessions.go",
	"C_OpenSession":       "sessions.go",
	"C_GetSessionInfo":    "info.go",
	"C_GetAttributeValue": "attributes.go",
	"C_FindObjects":       "lists.go",
	"C_WaitForSlotEvent":  "events.go",
	"C_AsyncComplete":     "async.go",
	"C_AsyncGetID":        "async.go",
	"C_AsyncJoin":         "async.go",
	"C_GetFunctionStatus": "legacy.go",
	"C_CancelFunction":    "legacy.go",
}

// notYet are the functions that token.Module does not have. Taking a name out
// generates the call of the method of that name.
var notYet = map[string]bool{
	"C_MessageEncryptInit":     true,
	"C_EncryptMessage":         true,
	"C_EncryptMessageBegin":    true,
	"C_EncryptMessageNext":     true,
	"C_MessageEncryptFinal":    true,
	"C_MessageDecryptInit":     true,
	"C_DecryptMessage":         true,
	"C_DecryptMessageBegin":    true,
	"C_DecryptMessageNext":     true,
	"C_MessageDecryptFinal":    true,
	"C_MessageSignInit":        true,
	"C_SignMessage":            true,
	"C_SignMessageBegin":       true,
	"C_SignMessageNext":        true,
	"C_MessageSignFinal":       true,
	"C_MessageVerifyInit":      true,
	"C_VerifyMessage":          true,
	"C_VerifyMessageBegin":     true,
	"C_VerifyMessageNext":      true,
	"C_MessageVerifyFinal":     true,
	"C_VerifySignatureInit":    true,
	"C_VerifySignature":        true,
	"C_VerifySignatureUpdate":  true,
	"C_VerifySignatureFinal":   true,
	"C_WrapKeyAuthenticated":   true,
	"C_UnwrapKeyAuthenticated": true,
}

// A shape is one argument of a Module method, or one result, and the one or
// two C arguments that it is made of.
type shape struct {
	kind  kind
	value argument // the pointer or the number
	count argument // the length that belongs to it, if any
}

type kind int

const (
	number    kind = iota + 1 // any CK_ULONG: session, slot, object, flags, number
	mechanism                 // CK_MECHANISM_PTR
	bytesIn                   // pointer and length: read
	bytesOut                  // pointer and pointer to the length: the convention of 5.2
	fill                      // pointer and length: filled wholly
	template                  // CK_ATTRIBUTE_PTR and count
	result                    // pointer to one number: a result of the method
)

// goTypes are the CK_ULONG types that have one of their own in p11.
var goTypes = map[string]string{
	"CK_SESSION_HANDLE": "p11.SessionHandle",
	"CK_OBJECT_HANDLE":  "p11.ObjectHandle",
	"CK_SLOT_ID":        "p11.SlotID",
	"CK_FLAGS":          "p11.Flags",
	"CK_USER_TYPE":      "p11.UserType",
	"CK_ULONG":          "uint64",

	"CK_SESSION_VALIDATION_FLAGS_TYPE": "uint64",
}

// results are the types that a method's results are stored through.
var results = map[string]string{
	"CK_OBJECT_HANDLE_PTR": "CK_OBJECT_HANDLE",
	"CK_ULONG_PTR":         "CK_ULONG",
	"CK_FLAGS_PTR":         "CK_FLAGS",
}

// shapes recognises the arguments of f.
func (f *function) shapes() []shape {
	var out []shape
	for i := 0; i < len(f.args); i++ {
		a := f.args[i]
		next := argument{}
		if i+1 < len(f.args) {
			next = f.args[i+1]
		}
		isBytes := a.typ == "CK_BYTE_PTR" || a.typ == "CK_UTF8CHAR_PTR"
		s := shape{value: a}
		switch {
		case goTypes[a.typ] != "":
			s.kind = number
		case a.typ == "CK_MECHANISM_PTR":
			s.kind = mechanism
		case isBytes && a.dir == "in" && next.typ == "CK_ULONG":
			s.kind, s.count = bytesIn, next
		case isBytes && a.dir == "out" && next.typ == "CK_ULONG_PTR":
			s.kind, s.count = bytesOut, next
		case isBytes && a.dir == "out" && next.typ == "CK_ULONG":
			s.kind, s.count = fill, next
		case a.typ == "CK_ATTRIBUTE_PTR" && next.typ == "CK_ULONG":
			s.kind, s.count = template, next
		case results[a.typ] != "" && a.dir == "out":
			s.kind = result
		default:
			log.Fatalf("%s: no shape fits %s %s; write it by hand", f.name, a.typ, a.name)
		}
		if s.count.name != "" {
			i++
		}
		out = append(out, s)
	}
	return out
}
