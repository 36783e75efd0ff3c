package mechtest

import (
	"reflect"
	"slices"
	"sync"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// checkMisuse gives a row parameters of every other kind, and keys that are
// none of its own.
func checkMisuse(t *testing.T, m *mech.Mechanism, k *keyPair) {
	t.Helper()
	for _, p := range foreignParams(m, k) {
		for name, err := range start(m, k.public, k.private, p) {
			if m.Params == p11.ParamNone {
				continue // the decoder refuses what comes for it
			}
			if p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
				t.Errorf("%s with a %T: %v; want CKR_MECHANISM_PARAM_INVALID", name, p, err)
			}
		}
	}
	for _, material := range []any{nil, struct{}{}, "text", []byte(nil)} {
		bad := &key{class: k.private.class, typ: k.private.typ, bits: 256, material: material}
		for _, p := range paramsFor(m, k) {
			for name, err := range start(m, bad, bad, p) {
				if err == nil {
					t.Errorf("%s took a %T for a key", name, material)
				} else {
					checkRefusal(t, err)
				}
			}
		}
	}
}

// foreignParams returns what the row's kind of parameter excludes.
func foreignParams(m *mech.Mechanism, k *keyPair) (ps []p11.Params) {
	own := map[reflect.Type]bool{}
	for _, p := range paramsFor(m, k) {
		own[reflect.TypeOf(p)] = true
	}
	for _, p := range oneOfEach() {
		if !own[reflect.TypeOf(p)] {
			ps = append(ps, p)
		}
	}
	return ps
}

// oneOfEach has a parameter of each kind, and what is none.
var oneOfEach = sync.OnceValue(func() []p11.Params {
	all := []p11.Params{nil, struct{}{}, 7, []byte("bytes"), p11.ECDH1Params{}, p11.EdDSAParams{}, p11.PublicValue{}, p11.X942DH1Params{}}
	ofKeys := []p11.ParamKind{p11.ParamECDH1, p11.OptionalPublicValue, p11.ParamX942DH1} // whose samples take a key
	for kind, samples := range paramSamples {
		if samples != nil && !slices.Contains(ofKeys, p11.ParamKind(kind)) {
			all = append(all, samples(nil)[0])
		}
	}
	return all
})

// start calls every constructor of m, and returns the error of each.
func start(m *mech.Mechanism, public, private mech.Key, p p11.Params) map[string]error {
	errs := map[string]error{}
	for name, c := range map[string]struct {
		start func(mech.Key, p11.Params) (mech.Op, error)
		key   mech.Key
	}{
		"Encrypt": {m.Encrypt, public}, "Decrypt": {m.Decrypt, private}, "Sign": {m.Sign, private},
		"SignRecover": {m.SignRecover, private}, "VerifyRecover": {m.VerifyRecover, public},
	} {
		if c.start == nil {
			continue
		}
		op, err := c.start(c.key, p)
		if errs[name] = err; err == nil {
			wipe(op)
		}
	}
	if m.Verify != nil {
		op, err := m.Verify(public, p)
		if errs["Verify"] = err; err == nil {
			wipe(op)
		}
	}
	if m.Wrap != nil {
		_, errs["Wrap"] = m.Wrap(public, p, make([]byte, 32))
		_, errs["Unwrap"] = m.Unwrap(private, p, make([]byte, 48))
	}
	if m.Derive != nil {
		_, errs["Derive"] = m.Derive(mech.Derivation{Base: private, Params: p, Length: 32, Others: []mech.Key{private}})
	}
	return errs
}
