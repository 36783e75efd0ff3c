// Package mechtest checks what every row of a registry owes its callers:
// sizes that are true, memory that is written to only on success, input that
// may come in any parts and in place, parameters that are refused rather than
// believed, and inverses that invert. It knows no algorithm; known answers are
// for the vector tests.
//
// # Design
//
// A row is exercised with keys that the registry itself generates, with every
// parameter of a list that its constructor accepts, and with inputs of many
// lengths. What a row refuses must be refused with a code of the standard;
// what it accepts must hold all the rules. A row that accepts nothing fails.
package mechtest

import (
	"fmt"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// Run checks every key type and every mechanism of r.
func Run(t *testing.T, r *mech.Registry) {
	s := &suite{registry: r, keys: map[p11.KeyType][]*keyPair{}}
	for _, typ := range r.Mechanisms() {
		m, err := r.Lookup(typ)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(typ.String(), func(t *testing.T) { s.mechanism(t, m) })
	}
}

// suite is one run. The keys are made once for each type.
type suite struct {
	registry *mech.Registry
	keys     map[p11.KeyType][]*keyPair
}

func (s *suite) mechanism(t *testing.T, m *mech.Mechanism) {
	checkRow(t, s.registry, m)
	switch {
	case m.Domain:
		s.checkGenerateDomain(t, m)
	case m.Generate != nil:
		s.checkGenerate(t, m)
	case m.GeneratePair != nil:
		s.checkGeneratePair(t, m)
	case m.Digest != nil:
		s.checkDigest(t, m)
	}
	if m.Generate != nil || m.GeneratePair != nil || m.Digest != nil {
		return
	}
	for _, kt := range m.Keys {
		for _, k := range s.fitting(t, m, kt) {
			t.Run(fmt.Sprint(kt, " of ", k.name), func(t *testing.T) { s.keyed(t, m, k) })
		}
	}
}

// keyed checks what a row can do with one key.
func (s *suite) keyed(t *testing.T, m *mech.Mechanism, k *keyPair) {
	checkMisuse(t, m, k)
	params := paramsFor(m, k)
	for _, p := range params {
		checkSaving(t, m, k, p)
	}
	use := func(name string, present bool, check func(*testing.T, *mech.Mechanism, *keyPair, p11.Params) bool) {
		if !present {
			return
		}
		accepted := 0
		for _, p := range params {
			if check(t, m, k, p) {
				accepted++
			}
		}
		if accepted == 0 {
			t.Errorf("%s accepts none of the parameters that were tried", name)
		}
	}
	use("encryption", m.Encrypt != nil, checkCipher)
	use("signing", m.Sign != nil, checkSignature)
	use("recovery", m.SignRecover != nil, checkRecovery)
	use("wrapping", m.Wrap != nil, checkWrap)
	use("derivation", m.Derive != nil, checkDerive)
	use("encapsulation", m.Encapsulate != nil, s.encapsulation)
	if m.Messages != nil {
		checkMessages(t, m, k)
	}
}

// checkRow looks at the row itself.
func checkRow(t *testing.T, r *mech.Registry, m *mech.Mechanism) {
	t.Helper()
	const ec = p11.CKF_EC_F_P | p11.CKF_EC_F_2M | p11.CKF_EC_ECPARAMETERS | p11.CKF_EC_OID | p11.CKF_EC_UNCOMPRESS | p11.CKF_EC_COMPRESS | p11.CKF_EC_CURVENAME
	if m.Extra&^ec != 0 {
		t.Errorf("Extra has %#x, which is for Flags to compute", uint64(m.Extra&^ec))
	}
	if m.Flags() == m.Extra {
		t.Error("the row can do nothing")
	}
	for flag, present := range map[p11.Flags]bool{
		p11.CKF_ENCRYPT: m.Encrypt != nil, p11.CKF_DECRYPT: m.Decrypt != nil, p11.CKF_SIGN: m.Sign != nil,
		p11.CKF_VERIFY: m.Verify != nil, p11.CKF_DIGEST: m.Digest != nil, p11.CKF_GENERATE: m.Generate != nil,
		p11.CKF_GENERATE_KEY_PAIR: m.GeneratePair != nil, p11.CKF_WRAP: m.Wrap != nil, p11.CKF_UNWRAP: m.Unwrap != nil,
		p11.CKF_DERIVE: m.Derive != nil, p11.CKF_SIGN_RECOVER: m.SignRecover != nil, p11.CKF_VERIFY_RECOVER: m.VerifyRecover != nil,
		p11.CKF_ENCAPSULATE: m.Encapsulate != nil, p11.CKF_DECAPSULATE: m.Decapsulate != nil,
		p11.CKF_MESSAGE_ENCRYPT: m.Messages != nil, p11.CKF_MESSAGE_DECRYPT: m.Messages != nil,
		p11.CKF_MESSAGE_SIGN: m.Sign != nil, p11.CKF_MESSAGE_VERIFY: m.Verify != nil,
	} {
		if m.Flags()&flag != 0 != present {
			t.Errorf("Flags has %#x: %v; the constructor is there: %v", uint64(flag), !present, present)
		}
	}
	if m.Params >= p11.NumParamKinds {
		t.Errorf("there is no parameter kind %d", m.Params)
	}
	for _, c := range []struct {
		name      string
		one, both bool
	}{
		{"Encrypt and Decrypt", m.Encrypt != nil || m.Decrypt != nil, m.Encrypt != nil && m.Decrypt != nil},
		{"Sign and Verify", m.Sign != nil || m.Verify != nil, m.Sign != nil && m.Verify != nil},
		{"SignRecover and VerifyRecover", m.SignRecover != nil || m.VerifyRecover != nil, m.SignRecover != nil && m.VerifyRecover != nil},
		{"Wrap, WrapSize and Unwrap", m.Wrap != nil || m.Unwrap != nil || m.WrapSize != nil, m.Wrap != nil && m.Unwrap != nil && m.WrapSize != nil},
		{"Encapsulate, EncapsulateSize and Decapsulate", m.Encapsulate != nil || m.EncapsulateSize != nil || m.Decapsulate != nil,
			m.Encapsulate != nil && m.EncapsulateSize != nil && m.Decapsulate != nil},
	} {
		if c.one && !c.both {
			t.Errorf("the row lacks some of %s", c.name)
		}
	}
	if m.WrapsPrivate && m.Wrap == nil {
		t.Error("the row wraps private keys without Wrap")
	}
	if m.Digest != nil {
		return
	}
	if len(m.Keys) == 0 || m.Size.Unit == 0 || m.Size.Min <= 0 || m.Size.Max < m.Size.Min {
		t.Errorf("the row has no keys, or its size is not a range: %v %+v", m.Keys, m.Size)
	}
	for _, kt := range m.Keys {
		row, err := r.KeyType(kt)
		if err != nil {
			t.Error(err)
			continue
		}
		checkKeyType(t, row)
	}
}

func checkKeyType(t *testing.T, k *mech.KeyType) {
	t.Helper()
	pair := k.Parse != nil && k.PublicKeyInfo != nil && k.MarshalPKCS8 != nil && k.UnmarshalPKCS8 != nil
	secret := k.Parse == nil && k.PublicKeyInfo == nil && k.MarshalPKCS8 == nil && k.UnmarshalPKCS8 == nil && k.MaxLength > 0
	if k.Secret && !secret || !k.Secret && !pair {
		t.Errorf("the row of %v is neither that of a secret key nor that of a pair", k.Type)
	}
	for _, n := range k.Lengths {
		if n < 1 || n > k.MaxLength {
			t.Errorf("%v has the length %d outside 1 to %d", k.Type, n, k.MaxLength)
		}
	}
}
