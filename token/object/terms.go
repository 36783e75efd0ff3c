package object

import (
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
)

// IndexedAttributes are the attributes that a search finds by an index. They
// are those that clients search by. CKA_UNIQUE_ID is not among them, because
// it is the object's ID: see ParseID. Neither are CKA_TOKEN and CKA_PRIVATE,
// which single out nothing.
var IndexedAttributes = []p11.AttributeType{
	p11.CKA_CLASS, p11.CKA_KEY_TYPE, p11.CKA_CERTIFICATE_TYPE,
	p11.CKA_ID, p11.CKA_LABEL, p11.CKA_SUBJECT, p11.CKA_ISSUER, p11.CKA_SERIAL_NUMBER,
	p11.CKA_APPLICATION,
}

// Terms returns the attributes of the object that go into the index: those of
// IndexedAttributes that it has with a value that is not empty. The caller
// must not change the values.
func (o *Object) Terms() attr.Values { return SearchTerms(o.values) }

// SearchTerms returns the attributes of a search template that the index
// finds. All objects that match the template are among those that have all
// these terms; without any, every object may match.
func SearchTerms(template attr.Values) attr.Values {
	var out attr.Values
	for _, v := range template {
		if len(v.Raw) > 0 && slices.Contains(IndexedAttributes, v.Type) {
			out = append(out, v)
		}
	}
	return out
}
