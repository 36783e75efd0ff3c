package object

import (
	"runtime"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/locked"
)

// own returns copies of values in the order of the table, so that equal objects
// are equal records: those that can be secret in one Secret, nil if there are
// none, the others on the heap.
func own(table attr.Table, values attr.Values) (attr.Values, *locked.Secret, error) {
	size, open := 0, 0
	for _, v := range values {
		if s := table.Find(v.Type); s != nil && s.Notes&attr.N7 != 0 {
			size += len(v.Raw)
		} else {
			open += len(v.Raw)
		}
	}
	var secret *locked.Secret
	if size > 0 {
		var err error
		if secret, err = locked.New(size); err != nil {
			return nil, nil, err
		}
	}
	room, plain := secret.Bytes(), make([]byte, open)
	out := make(attr.Values, 0, len(values))
	for i := range table {
		raw, ok := values.Get(table[i].Type)
		if !ok {
			continue
		}
		n := len(raw)
		mine := []byte{}
		switch {
		case n == 0:
		case table[i].Notes&attr.N7 != 0:
			mine, room = room[:0:n], room[n:]
		default:
			mine, plain = plain[:0:n], plain[n:]
		}
		out = append(out, attr.Value{Type: table[i].Type, Raw: append(mine, raw...)})
	}
	return out, secret, nil
}

// guard wipes the secret of an object that everybody has forgotten to Wipe.
func (o *Object) guard() {
	if o.secret != nil {
		runtime.AddCleanup(o, func(s *locked.Secret) { s.Wipe() }, o.secret)
	}
}

// Hold keeps the object's secrets in being until Release, which the caller
// owes unless Hold fails, with CKR_OBJECT_HANDLE_INVALID: the object was
// wiped. An object without secrets can always be held.
func (o *Object) Hold() error {
	if o.secret == nil {
		return nil
	}
	if _, err := o.secret.Hold(); err != nil {
		return errWiped
	}
	return nil
}

// Release ends a Hold. What Read, Material and the like returned is not used
// after it.
func (o *Object) Release() {
	if o.secret != nil && o.secret.Release() {
		o.wipeMaterial()
	}
}

// Wipe clears the secrets of the object, at once or when the last who holds
// them releases them; it cannot be held any more. Whoever owns the object calls
// it when dropping it. It may be called twice.
func (o *Object) Wipe() {
	if o.secret.Wipe() {
		o.wipeMaterial()
	}
}

// again is Hold for the methods of an object that its caller holds, and may
// have been wiped meanwhile.
func (o *Object) again() error {
	if o.secret == nil {
		return nil
	}
	if _, err := o.secret.Again(); err != nil {
		return errWiped
	}
	return nil
}

// wiped reports whether the object's secrets are gone.
func (o *Object) wiped() bool { return o.secret != nil && o.secret.Cleared() }

// wipeMaterial clears what was parsed of a private key, as far as it lets us
// at it. Nobody holds the object, so nobody parses it.
func (o *Object) wipeMaterial() {
	o.parse.Do(func() { o.parsed.err = errWiped })
	if o.row != nil && o.row.Wipe != nil && o.class == p11.CKO_PRIVATE_KEY && o.parsed.material != nil {
		o.row.Wipe(o.parsed.material)
	}
}
