package token

import (
	"slices"

	"coffer/mech"
	"coffer/p11"
)

// A use is what a function is about to do with a key.
type use struct {
	row   *mech.Mechanism
	usage p11.AttributeType // the attribute of the key that permits it
	class p11.ObjectClass   // the half of a pair that does it
	codes useCodes          // zero: those of keys in general
}

// useCodes are the codes for what can be wrong with a key. Wrapping has codes
// of its own.
type useCodes struct{ handle, kind, size p11.RV }

var (
	keyCodes        = useCodes{p11.CKR_KEY_HANDLE_INVALID, p11.CKR_KEY_TYPE_INCONSISTENT, p11.CKR_KEY_SIZE_RANGE}
	wrappingCodes   = useCodes{p11.CKR_WRAPPING_KEY_HANDLE_INVALID, p11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT, p11.CKR_WRAPPING_KEY_SIZE_RANGE}
	unwrappingCodes = useCodes{p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID, p11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, p11.CKR_UNWRAPPING_KEY_SIZE_RANGE}
)

// useKey returns the key of a handle if this use of it is permitted. It is the
// only way from a handle to a mechanism. What is asked, in this order: the key
// is there and visible; its type and class suit the mechanism; its attribute
// for the purpose is true; CKA_ALLOWED_MECHANISMS has the mechanism; its value
// is not sealed for want of a login; its size is in the mechanism's range; the
// token's policy lets a key like it be used so. The caller releases the key.
func (m *Module) useKey(s *session, h p11.ObjectHandle, u use) (*snapshot, *entry, error) {
	codes := u.codes
	if codes == (useCodes{}) {
		codes = keyCodes
	}
	k, e, err := m.keyEntry(s, h, codes.handle)
	if err != nil {
		return nil, nil, err
	}
	if err := u.permits(k, codes); err != nil {
		k.Release()
		return nil, nil, err
	}
	if err := s.token.rules.Key(k, flagOf[u.usage], codes.size); err != nil {
		k.Release()
		return nil, nil, err
	}
	return k, e, nil
}

// flagOf says which function of CK_MECHANISM_INFO an attribute of a key
// permits.
var flagOf = map[p11.AttributeType]p11.Flags{
	p11.CKA_ENCRYPT: p11.CKF_ENCRYPT, p11.CKA_DECRYPT: p11.CKF_DECRYPT,
	p11.CKA_SIGN: p11.CKF_SIGN, p11.CKA_VERIFY: p11.CKF_VERIFY,
	p11.CKA_SIGN_RECOVER: p11.CKF_SIGN_RECOVER, p11.CKA_VERIFY_RECOVER: p11.CKF_VERIFY_RECOVER,
	p11.CKA_WRAP: p11.CKF_WRAP, p11.CKA_UNWRAP: p11.CKF_UNWRAP, p11.CKA_DERIVE: p11.CKF_DERIVE,
	p11.CKA_ENCAPSULATE: p11.CKF_ENCAPSULATE, p11.CKA_DECAPSULATE: p11.CKF_DECAPSULATE,
}

// row returns the row of a mechanism for a function, one of the flags of
// CK_MECHANISM_INFO, if there is such a mechanism, it has the function, and the
// token's policy lets it be used so. It is the only way to a mechanism.
func (m *Module) row(t *token, mm *p11.Mechanism, f p11.Flags) (*mech.Mechanism, error) {
	if mm == nil {
		return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the mechanism is NULL")
	}
	row, err := m.reg.Lookup(mm.Type)
	if err != nil {
		return nil, err
	}
	if row.Flags()&f == 0 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_INVALID, "%v has not the function", mm.Type)
	}
	if err := t.rules.Mechanism(row, f, mm.Params); err != nil {
		return nil, err
	}
	return row, nil
}

func (u use) permits(k *snapshot, codes useCodes) error {
	if !slices.Contains(u.row.Keys, k.Type()) {
		return p11.Errorf(codes.kind, "%v does not work with a key of type %v", u.row.Type, k.Type())
	}
	if c := k.Class(); c != p11.CKO_SECRET_KEY && c != u.class {
		return p11.Errorf(codes.kind, "%v needs the other half of the pair, not a %v", u.row.Type, c)
	}
	if !k.Permits(u.usage) {
		return p11.Errorf(p11.CKR_KEY_FUNCTION_NOT_PERMITTED, "%v of the key is not true", u.usage)
	}
	if !k.AllowsMechanism(u.row.Type) {
		return p11.Errorf(p11.CKR_MECHANISM_INVALID, "CKA_ALLOWED_MECHANISMS of the key lacks %v", u.row.Type)
	}
	bits := k.Bits() // first: of a key that is dropped at this moment it says 0
	if _, err := k.Material(); err != nil {
		return dropped(err, codes.handle)
	}
	if !u.row.Size.Contains(bits) {
		return p11.Errorf(codes.size, "%v does not work with a key of %d bits", u.row.Type, bits)
	}
	return nil
}

// dropped gives the error of a key that a logout or a destruction has dropped
// after its handle was looked up the code of a handle that leads nowhere.
func dropped(err error, handle p11.RV) error {
	if p11.Code(err) == p11.CKR_OBJECT_HANDLE_INVALID {
		return p11.Errorf(handle, "%w", err)
	}
	return err
}

// useNow is useKey for functions without an Init: there is no moment for
// C_Login with CKU_CONTEXT_SPECIFIC, so a key that asks for it every time
// cannot be used by them.
func (m *Module) useNow(s *session, h p11.ObjectHandle, u use) (*snapshot, error) {
	k, _, err := m.useKey(s, h, u)
	if err != nil {
		return nil, err
	}
	if k.AlwaysAuthenticate() {
		k.Release()
		return nil, p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the key has CKA_ALWAYS_AUTHENTICATE, and this function leaves no moment to authenticate")
	}
	return k, nil
}
