package main

import (
	"log"
	"strings"
)

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
	"C_SignMessageNext":   "message.go",
	"C_WaitForSlotEvent":  "events.go",
	"C_AsyncComplete":     "async.go",
	"C_AsyncGetID":        "async.go",
	"C_AsyncJoin":         "async.go",
	"C_GetFunctionStatus": "legacy.go",
	"C_CancelFunction":    "legacy.go",
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
	message                   // CK_VOID_PTR and length: the parameter of a message
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

// messageKinds are the methods that say how the parameter of a message lies in
// memory, by the beginning of a function's name. Others have no parameter.
var messageKinds = map[string]string{"C_EncryptMessage": "EncryptedMessages", "C_DecryptMessage": "DecryptedMessages"}

func (f *function) messageKind() string {
	for prefix, method := range messageKinds {
		if strings.HasPrefix(f.name, prefix) {
			return method
		}
	}
	return ""
}

// mechanismDecoder is the method of arguments for the mechanism of f.
func (f *function) mechanismDecoder() string {
	switch {
	case f.name == "C_MessageEncryptInit" || f.name == "C_MessageDecryptInit":
		return "messageMechanism(m, %s, &mech)"
	case strings.HasSuffix(f.name, "Authenticated"):
		return "wrappingMechanism(m, %s, &mech)"
	case f.cancels || strings.HasPrefix(f.name, "C_Message"):
		return "mechanism(m, %s, cancels, &mech)"
	}
	return "mechanism(m, %s, required, &mech)"
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
		case a.typ == "CK_VOID_PTR" && a.name == "pParameter" && next.typ == "CK_ULONG":
			s.kind, s.count = message, next
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
