package object

import (
	"coffer/p11"
	"coffer/p11/attr"
)

// Encapsulate drafts the secret key of a C_EncapsulateKey template: a generic
// secret unless the template says otherwise. Whether the public key's
// CKA_ENCAPSULATE_TEMPLATE allows it, CheckEncapsulate says of the key.
func (f *Factory) Encapsulate(template attr.Values, who Actor) (*Draft, error) {
	return f.received(nil, origin{how: attr.Encapsulate}, template, who)
}

// Decapsulate drafts the secret key of a C_DecapsulateKey template. The
// CKA_DECAPSULATE_TEMPLATE of the private key is merged into it.
func (f *Factory) Decapsulate(private *Object, template attr.Values, who Actor) (*Draft, error) {
	return f.received(private.imposes(p11.CKA_DECAPSULATE_TEMPLATE), origin{how: attr.Encapsulate}, template, who)
}

// FinishSecret is Finish for a secret that was encapsulated or decapsulated,
// which it wipes. What the private key's CKA_DECAPSULATE_TEMPLATE hides is not
// made into a key that gives itself away by its length or its type: whoever has
// the ciphertext could ask for the secret's first byte, the first two and so
// on.
func (d *Draft) FinishSecret(secret []byte) (*Object, error) {
	defer clear(secret)
	if d.imposed && d.kind.row.OneTime && d.kind.table.Hides(d.values) {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "two uses of a key of type %v would give away what CKA_DECAPSULATE_TEMPLATE hides", d.kind.row.Type)
	}
	if !lengthAllowed(d.kind.row, len(secret)) {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the secret has %d bytes, which a key of type %v cannot have", len(secret), d.kind.row.Type)
	}
	obj, err := d.Finish(attr.Values{attr.NewBytes(p11.CKA_VALUE, secret)})
	if err == nil && d.imposed && obj.Guessable() {
		obj.Wipe()
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "CKA_DECAPSULATE_TEMPLATE hides the new key, which is so short that any use would give it away")
	}
	return obj, err
}

// CheckEncapsulate says whether o as a public key may encapsulate the new key:
// CKR_KEY_HANDLE_INVALID if that does not match CKA_ENCAPSULATE_TEMPLATE
// (PKCS #11 v3.2, 5.18.8).
func (o *Object) CheckEncapsulate(target *Object) error {
	want, ok := o.values.Template(p11.CKA_ENCAPSULATE_TEMPLATE)
	if !target.Matches(want) || !ok && o.values.Has(p11.CKA_ENCAPSULATE_TEMPLATE) {
		return p11.Errorf(p11.CKR_KEY_HANDLE_INVALID, "the new key does not match the CKA_ENCAPSULATE_TEMPLATE of the public key")
	}
	return nil
}
