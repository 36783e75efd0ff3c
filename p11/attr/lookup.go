package attr

import (
	"sync"

	"coffer/p11"
)

type tableID struct {
	class p11.ObjectClass
	sub   uint64
}

var joined sync.Map // tableID → Table

// Lookup returns the whole table of an object class and its subtype: the key
// type of a key or of domain parameters, the certificate type of a certificate. A class that has no
// subtypes ignores sub. It reports false for a class or subtype that the
// standard does not have.
func Lookup(class p11.ObjectClass, sub uint64) (Table, bool) {
	subs, ok := classTables[class]
	if !ok {
		return nil, false
	}
	id := tableID{class, sub}
	if !hasSubtypes(class) {
		id.sub = noSubtype
	}
	if t, ok := joined.Load(id); ok {
		return t.(Table), true
	}
	own, ok := subs[id.sub]
	if !ok {
		return nil, false
	}
	parts := []Table{allObjects}
	if isStorage(class) {
		parts = append(parts, storageObjects)
	}
	if isKey(class) {
		parts = append(parts, keyObjects)
	}
	parts = append(parts, subs[noSubtype])
	if id.sub != noSubtype {
		parts = append(parts, own)
	}
	t := join(parts...)
	joined.Store(id, t)
	return t, true
}

// low is kindOf for the types below 0x800, where all are but those with a flag
// in their high bits: each attribute that is read asks three times.
var low = func() (low [0x800]Kind) {
	for t, k := range kindOf {
		if t < p11.AttributeType(len(low)) {
			low[t] = k
		}
	}
	return low
}()

// KindOf returns how the value of t is read, 0 for a type that is not in the
// standard.
func KindOf(t p11.AttributeType) Kind {
	if t < p11.AttributeType(len(low)) {
		return low[t]
	}
	return kindOf[t]
}

func hasSubtypes(c p11.ObjectClass) bool {
	return isKey(c) || c == p11.CKO_CERTIFICATE || c == p11.CKO_DOMAIN_PARAMETERS
}

func isKey(c p11.ObjectClass) bool {
	return c == p11.CKO_PUBLIC_KEY || c == p11.CKO_PRIVATE_KEY || c == p11.CKO_SECRET_KEY || c == p11.CKO_OTP_KEY
}

// isStorage reports whether objects of class c can lie on a token (PKCS #11
// v3.2, section 4.1: hardware features, mechanisms, profiles and validations
// cannot).
func isStorage(c p11.ObjectClass) bool {
	return isKey(c) || c == p11.CKO_DATA || c == p11.CKO_CERTIFICATE || c == p11.CKO_DOMAIN_PARAMETERS || c == p11.CKO_TRUST
}
