package object

import (
	"bytes"
	"crypto/subtle"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// Finish makes the object of the draft and the values that the mechanism
// contributes. It takes copies of them, and wipes the secret ones whether it
// succeeds or not. What the token computes (check
// values, lengths, CKA_PUBLIC_KEY_INFO and the key type's own) is filled in,
// or compared where the template gave it.
//
// A generating mechanism saw the template, and its word counts; of the others,
// a contribution that differs from the template is CKR_TEMPLATE_INCONSISTENT.
func (d *Draft) Finish(contributed attr.Values) (*Object, error) {
	defer wipe(contributed, nil)
	for _, v := range contributed {
		if d.kind.table.Find(v.Type) == nil {
			return nil, p11.Errorf(p11.CKR_GENERAL_ERROR, "the mechanism contributes %v, which the object cannot have", v.Type)
		}
		if old, ok := d.given.Get(v.Type); ok && d.origin.how != attr.Generate && !v.Equal(attr.Value{Type: v.Type, Raw: old}) {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the template's %v is not that of the key", v.Type)
		}
	}
	given := d.values.With(contributed...)
	if err := d.fix(given.Bytes(p11.CKA_VALUE)); err != nil {
		return nil, err
	}
	if n := len(given.Bytes(p11.CKA_VALUE)); d.length != 0 && n != d.length {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the new value has %d bytes, not the %d that the template or the key type says", n, d.length)
	}
	id, err := NewID(d.f.random)
	if err != nil {
		return nil, err
	}
	values, p, err := complete(d.kind, d.origin.how, given)
	if err != nil {
		return nil, err
	}
	defer wipe(values, given)
	if err := consistent(d.kind, values); err != nil {
		return nil, err
	}
	return d.kind.object(id, d.origin.how, values, p)
}

// fix sets the bits of a secret value that its type rules, where a mechanism
// made the value; one that came from outside has to be right.
func (d *Draft) fix(value []byte) error {
	if d.kind.row == nil || d.kind.row.Fix == nil {
		return nil
	}
	right := bytes.Clone(value)
	defer clear(right)
	d.kind.row.Fix(right)
	switch {
	case d.origin.how != attr.Unwrap && d.origin.how != attr.Create:
		copy(value, right)
	case subtle.ConstantTimeCompare(value, right) == 1:
	case d.origin.how == attr.Unwrap:
		return p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the parity of the unwrapped key is wrong")
	default:
		return p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "the parity of a key of type %v is wrong", d.kind.row.Type)
	}
	return nil
}

// wipe clears those of values that can be secret, but for those that kept has.
func wipe(values, kept attr.Values) {
	for _, v := range values {
		if attr.Hidden(v.Type) && !kept.Has(v.Type) {
			clear(v.Raw)
		}
	}
}

// FinishDerived is Finish for what a mechanism derived. Only what the standard
// calls no secret can become a data object, whose value everybody reads.
func (d *Draft) FinishDerived(derived mech.Derived) (*Object, error) {
	if d.kind.class == p11.CKO_DATA && !derived.Public {
		wipe(derived.Values, nil)
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the mechanism derives a key, not a data object")
	}
	uncut, err := d.inherit(derived)
	if err != nil {
		wipe(derived.Values, nil)
		return nil, err
	}
	obj, err := d.Finish(derived.Values)
	if err == nil && uncut && d.f.mayCut(obj) {
		obj.Wipe()
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "CKA_ALLOWED_MECHANISMS would let the hidden key be cut out of the new one")
	}
	// A short key is the beginning or the end of a long one. Where the base
	// key's CKA_DERIVE_TEMPLATE hides the long one, whoever may derive short
	// ones at will finds it byte by byte, with a MAC under each.
	if err == nil && d.imposed && obj.Guessable() {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the base key's CKA_DERIVE_TEMPLATE hides the new key, which is so short that any use would give it away")
	}
	return obj, err
}

// FinishEncoded is Finish for a key that was unwrapped: the value of a secret
// key, the PKCS #8 encoding of a private one. The caller wipes encoded.
//
// The value must be as long as Length says, or else is CKR_WRAPPED_KEY_LEN_RANGE.
// A cipher without padding leaves up to 15 zero bytes after it (PKCS #11 v3.2,
// "AES-CBC"), which are cut off; without a Length they are not told from the
// value.
func (d *Draft) FinishEncoded(encoded []byte) (*Object, error) {
	row := d.kind.row
	if row.Secret {
		value, err := cut(encoded, d.length)
		if err != nil {
			return nil, err
		}
		if !lengthAllowed(row, len(value)) {
			return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_LEN_RANGE, "a key of type %v cannot have %d bytes", row.Type, len(value))
		}
		return d.Finish(attr.Values{attr.NewBytes(p11.CKA_VALUE, value)})
	}
	if row.UnmarshalPKCS8 == nil {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "a key of type %v cannot be unwrapped", row.Type)
	}
	contributed, err := row.UnmarshalPKCS8(encoded)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "reading the unwrapped key: %w", err)
	}
	return d.Finish(contributed)
}

// FinishUntold is FinishEncoded for a secret of which nobody shall learn whether
// it is the right one: the bits that its type rules are set, not compared.
func (d *Draft) FinishUntold(value []byte) (*Object, error) {
	if d.kind.row.Fix != nil {
		d.kind.row.Fix(value)
	}
	return d.FinishEncoded(value)
}

// cut returns the first length bytes of an unwrapped value whose rest is zero
// padding.
func cut(value []byte, length int) ([]byte, error) {
	if length == 0 || len(value) == length {
		return value, nil
	}
	if len(value) < length || len(value)-length > 15 || len(bytes.Trim(value[length:], "\x00")) != 0 {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_LEN_RANGE, "the unwrapped key is not of the %d bytes that the template or the key type says", length)
	}
	return value[:length], nil
}

// object makes the object of complete values, which it copies.
func (k kind) object(id ID, how attr.How, values attr.Values, p parsed) (*Object, error) {
	o, err := newObject(id, k.table, k.row, values.With(attr.NewString(p11.CKA_UNIQUE_ID, id.String())))
	if err != nil {
		return nil, err
	}
	o.made = how
	if k.row != nil && !k.row.Secret && p.material != nil {
		o.parse.Do(func() { o.parsed = p })
	}
	return o, nil
}

// complete fills in what follows from an object's value. It returns the
// parsed key, if the object is one, so that it need not be parsed again.
func complete(k kind, how attr.How, values attr.Values) (attr.Values, parsed, error) {
	switch k.class {
	case p11.CKO_SECRET_KEY:
		values, err := completeSecret(k, values)
		return values, parsed{}, err
	case p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY:
		return completePair(k, how, values)
	case p11.CKO_DOMAIN_PARAMETERS:
		more, err := k.domain.Domain(values)
		if err != nil {
			return nil, parsed{}, err
		}
		return values.With(more...), parsed{}, nil
	case p11.CKO_CERTIFICATE:
		values, err := completeCertificate(values)
		return values, parsed{}, err
	default:
		return values, parsed{}, nil
	}
}

func completeSecret(k kind, values attr.Values) (attr.Values, error) {
	value := values.Bytes(p11.CKA_VALUE)
	if !lengthAllowed(k.row, len(value)) {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a key of type %v cannot have %d bytes", k.row.Type, len(value))
	}
	if k.table.Find(p11.CKA_VALUE_LEN) != nil {
		if n, ok := values.ULong(p11.CKA_VALUE_LEN); ok && n != uint64(len(value)) {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the key has %d bytes, CKA_VALUE_LEN says %d", len(value), n)
		}
		values = values.With(attr.NewULong(p11.CKA_VALUE_LEN, len(value)))
	}
	if k.row.Complete != nil {
		more, err := k.row.Complete(k.class, values, value)
		if err != nil {
			return nil, err
		}
		values = withMissing(values, more)
	}
	if guessable(k.table, values) {
		return values.Without(p11.CKA_CHECK_VALUE), nil
	}
	return withCheckValue(values, keyCheckValue(k.row.Type, value))
}

func completePair(k kind, how attr.How, values attr.Values) (attr.Values, parsed, error) {
	p := parseKey(k.row, k.class, values)
	if p.err != nil {
		if how == attr.Unwrap {
			return nil, p, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the unwrapped key: %w", p.err)
		}
		return nil, p, p.err
	}
	if k.row.Complete != nil {
		more, err := k.row.Complete(k.class, values, p.material)
		if err != nil {
			return nil, p, err
		}
		// What the key type returns is the attribute's one form, whichever the
		// template had: a point as it came becomes a DER OCTET STRING.
		values = values.With(more...)
	}
	info, err := publicKeyInfo(k.row, p.material, values)
	if err != nil {
		return nil, p, err
	}
	if info != nil {
		values = values.With(attr.NewBytes(p11.CKA_PUBLIC_KEY_INFO, info))
	}
	return values, p, nil
}

// publicKeyInfo returns CKA_PUBLIC_KEY_INFO of a key. One that the template
// gave must be that of the key (PKCS #11 v3.2, "Private key objects"); an
// empty one asks for the default, which is the same.
func publicKeyInfo(row *mech.KeyType, material any, values attr.Values) ([]byte, error) {
	given := values.Bytes(p11.CKA_PUBLIC_KEY_INFO)
	if row.PublicKeyInfo == nil {
		if len(given) > 0 {
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PUBLIC_KEY_INFO of a key of type %v cannot be checked", row.Type)
		}
		return nil, nil
	}
	info, err := row.PublicKeyInfo(material)
	if err != nil {
		return nil, err
	}
	if len(given) > 0 && !bytes.Equal(given, info) {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PUBLIC_KEY_INFO is not that of the key")
	}
	return info, nil
}

// withMissing adds those of more that values lacks.
func withMissing(values, more attr.Values) attr.Values {
	for _, v := range more {
		if !values.Has(v.Type) {
			values = values.With(v)
		}
	}
	return values
}
