package object

import (
	"crypto/sha256"
	"fmt"

	"coffer/p11"
	"coffer/p11/attr"
)

// NewProfile returns the built-in object that says that the token conforms to
// a profile (PKCS #11 v3.2, "Profile objects"). Its ID is the same on every
// token. It is no storage object: it is public and cannot be stored, changed,
// copied or destroyed.
func NewProfile(profile p11.ProfileID) *Object {
	sum := sha256.Sum256(fmt.Appendf(nil, "coffer profile %d", uint64(profile)))
	id := ID(sum[:16])
	table, _ := attr.Lookup(p11.CKO_PROFILE, 0)
	o, err := newObject(id, table, nil, attr.Values{
		attr.NewULong(p11.CKA_CLASS, p11.CKO_PROFILE),
		attr.NewString(p11.CKA_UNIQUE_ID, id.String()),
		attr.NewULong(p11.CKA_PROFILE_ID, profile),
	})
	if err != nil {
		panic(err) // it has nothing secret, and so nothing that can fail
	}
	return o
}
