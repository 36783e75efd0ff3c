package mech

import (
	"crypto/sha3"
	"hash"

	"coffer/p11"
)

// hashDeriveFamily has the derivation of a key as the digest of another (PKCS
// #11 v3.2, section 6.20.5 ff.), or with SHAKE as output of any length.
var hashDeriveFamily = Family{Name: "hash derivation", Mechanisms: hashDeriveMechanisms()}

func hashDeriveMechanisms() []Mechanism {
	var ms []Mechanism
	row := func(t p11.MechanismType, params p11.ParamKind, derive func(Derivation) (Derived, error)) {
		ms = append(ms, Mechanism{Type: t, Keys: secretTypes, Size: anySecret, Params: params, Derive: derive})
	}
	for _, h := range allHashes() {
		row(h.Derive, p11.ParamNone, func(d Derivation) (Derived, error) { return deriveHash(d, h.New()) })
		ms[len(ms)-1].Weak = h.weakUnsigned()
	}
	row(p11.CKM_SHA512_T_KEY_DERIVATION, p11.ParamULong, func(d Derivation) (Derived, error) {
		t, err := sha512TBits(d.Params)
		if err != nil {
			return Derived{}, err
		}
		return deriveHash(d, newSHA512T(t))
	})
	row(p11.CKM_SHAKE_128_KEY_DERIVATION, p11.ParamNone, func(d Derivation) (Derived, error) { return deriveSHAKE(d, sha3.NewSHAKE128(), 32) })
	row(p11.CKM_SHAKE_256_KEY_DERIVATION, p11.ParamNone, func(d Derivation) (Derived, error) { return deriveSHAKE(d, sha3.NewSHAKE256(), 64) })
	return ms
}

func deriveHash(d Derivation, h hash.Hash) (Derived, error) {
	n, err := derivedLength(d, h.Size())
	if err != nil {
		return Derived{}, err
	}
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer wipeHash(h)
	h.Write(base)
	value := h.Sum(nil)
	clear(value[n:])
	return derived(value[:n:n]), nil
}

// deriveSHAKE gives standard bytes unless others were asked for.
func deriveSHAKE(d Derivation, h *sha3.SHAKE, standard int) (Derived, error) {
	if d.Length > maxDerivedLen {
		return Derived{}, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a key of %d bytes is more than the %d that can be derived", d.Length, maxDerivedLen)
	}
	n, err := derivedLength(d, max(standard, d.Length))
	if err != nil {
		return Derived{}, err
	}
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer erase(h)
	h.Write(base)
	value := make([]byte, n)
	h.Read(value)
	return derived(value), nil
}
