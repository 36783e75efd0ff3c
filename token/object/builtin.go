package object

import (
	"crypto/sha256"
	"fmt"

	"coffer/p11"
	"coffer/p11/attr"
)

// NewProfile returns the built-in object that says that the token conforms to
// a profile (PKCS #11 v3.2, "Profile objects").
func NewProfile(profile p11.ProfileID) *Object {
	return newBuiltin(p11.CKO_PROFILE, fmt.Sprintf("coffer profile %d", uint64(profile)), attr.NewULong(p11.CKA_PROFILE_ID, profile))
}

// NewMechanism returns the built-in object of a mechanism (PKCS #11 v3.2,
// "Mechanism objects").
func NewMechanism(t p11.MechanismType) *Object {
	return newBuiltin(p11.CKO_MECHANISM, fmt.Sprintf("coffer mechanism %d", uint64(t)), attr.NewULong(p11.CKA_MECHANISM_TYPE, t))
}

// NewValidation returns the built-in object that says what validation there is
// (PKCS #11 v3.2, "Validation objects").
func NewValidation(module string, values ...attr.Value) *Object {
	values = append(values, attr.NewString(p11.CKA_VALIDATION_MODULE_ID, module))
	return newBuiltin(p11.CKO_VALIDATION, "coffer validation "+module, values...)
}

// newBuiltin returns an object of the module's own. Its ID is made of its name,
// and so the same on every token. It is no storage object: it is public and
// cannot be stored, changed, copied or destroyed.
func newBuiltin(class p11.ObjectClass, name string, values ...attr.Value) *Object {
	sum := sha256.Sum256([]byte(name))
	id := ID(sum[:16])
	table, _ := attr.Lookup(class, 0)
	all := attr.Values{attr.NewULong(p11.CKA_CLASS, class), attr.NewString(p11.CKA_UNIQUE_ID, id.String())}
	o, err := newObject(id, table, nil, all.With(values...))
	if err != nil {
		panic(err) // it has nothing secret, and so nothing that can fail
	}
	return o
}
