package attr

import "coffer/p11"

// Merge adds the attributes of a template that a key imposes, such as its
// CKA_UNWRAP_TEMPLATE, to the one that a caller gives. An attribute in both
// with different values is CKR_TEMPLATE_INCONSISTENT (PKCS #11 v3.2,
// C_UnwrapKey and C_DeriveKey). Both are taken to be normalized.
func Merge(imposed, given Values) (Values, error) {
	for _, v := range imposed {
		if raw, ok := given.Get(v.Type); ok && !v.Equal(Value{v.Type, raw}) {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the template's %v is not what the key imposes", v.Type)
		}
	}
	return given.With(imposed...), nil
}
