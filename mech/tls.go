package mech

import (
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math"

	"coffer/p11"
	"coffer/p11/attr"
)

// tlsFamily has the derivations and the MAC of TLS 1.2 (PKCS #11 v3.2, section
// 6.40; RFC 5246, RFC 5705, RFC 7627). The functions of TLS 1.0 and 1.1, which
// the text names CKM_TLS_PRF, are refused: those protocols are no more (RFC
// 8996). CKM_TLS12_KEY_AND_MAC_DERIVE and _KEY_SAFE_DERIVE make four objects at
// once and are not here; CKM_TLS_KDF and CKM_EXTRACT_KEY_FROM_KEY make them
// one by one.
var tlsFamily = Family{
	Name: "TLS 1.2",
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_TLS12_MASTER_KEY_DERIVE, Keys: genericOnly, Size: tlsMasterSize, Params: p11.ParamTLS12Master,
			Derive: deriveTLSMaster(true),
		},
		{
			Type: p11.CKM_TLS12_MASTER_KEY_DERIVE_DH, Keys: genericOnly, Size: anySecret, Params: p11.ParamTLS12Master,
			Derive: deriveTLSMaster(false),
		},
		{
			Type: p11.CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, Keys: genericOnly, Size: tlsMasterSize, Params: p11.ParamTLS12Extended,
			Derive: deriveTLSExtended(true),
		},
		{
			Type: p11.CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH, Keys: genericOnly, Size: anySecret, Params: p11.ParamTLS12Extended,
			Derive: deriveTLSExtended(false),
		},
		{Type: p11.CKM_TLS_KDF, Keys: genericOnly, Size: anySecret, Params: p11.ParamTLSKDF, Derive: deriveTLS},
		{Type: p11.CKM_TLS12_KDF, Keys: genericOnly, Size: anySecret, Params: p11.ParamTLSKDF, Derive: deriveTLS},
		{Type: p11.CKM_TLS_MAC, Keys: genericOnly, Size: anySecret, Params: p11.ParamTLSMAC, Sign: signTLS, Verify: verifyTLS},
		{Type: p11.CKM_TLS12_MAC, Keys: genericOnly, Size: anySecret, Params: p11.ParamTLSMAC, Sign: signTLS, Verify: verifyTLS},
	},
}

var (
	genericOnly   = []p11.KeyType{p11.CKK_GENERIC_SECRET}
	tlsMasterSize = KeySize{Min: tlsMaster, Max: tlsMaster, Unit: Bytes}
)

const (
	tlsMaster = 48 // bytes of a master secret
	tlsRandom = 32 // bytes of a hello's random
)

// tlsMasterUses is CKA_ALLOWED_MECHANISMS of a master secret, as the text wants
// it.
var tlsMasterUses = ulongs(p11.CKM_TLS12_KEY_AND_MAC_DERIVE, p11.CKM_TLS12_KEY_SAFE_DERIVE,
	p11.CKM_TLS_KDF, p11.CKM_TLS_MAC, p11.CKM_TLS12_KDF, p11.CKM_TLS12_MAC)

func ulongs(ms ...p11.MechanismType) (b []byte) {
	for _, m := range ms {
		b = binary.LittleEndian.AppendUint64(b, uint64(m))
	}
	return b
}

// tlsHash returns the hash of a parameter of TLS 1.2.
func tlsHash(t p11.MechanismType) (*hashAlg, error) {
	if h, ok := hashByDigest(t); ok {
		return h, nil
	}
	return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%v is no hash for the pseudo-random function of TLS 1.2", t)
}

// tlsPRF returns n bytes of P_hash (RFC 5246, section 5). The seed begins with
// the label.
func tlsPRF(h *hashAlg, secret, seed []byte, n int) []byte {
	mac := newHMAC(h, secret)
	defer wipeHash(mac)
	return appendPRF(mac, nil, seed, n)
}

// appendPRF appends n bytes of P_hash.
func appendPRF(mac hash.Hash, to, seed []byte, n int) []byte {
	size := mac.Size()
	out := append(make([]byte, 0, len(to)+n+size), to...)
	a := sumOf(make([]byte, 0, size), mac, seed)
	for len(out) < len(to)+n {
		out = sumOf(out, mac, a, seed)
		a = sumOf(a[:0], mac, a)
	}
	clear(a)
	clear(out[len(to)+n:])
	return out[: len(to)+n : len(to)+n]
}

// deriveTLSMaster makes the master secret. versioned says that the premaster
// secret is that of an RSA key exchange, which begins with a version.
func deriveTLSMaster(versioned bool) func(Derivation) (Derived, error) {
	return func(d Derivation) (Derived, error) {
		p, err := paramAs[p11.TLS12MasterParams](d.Params)
		if err != nil {
			return Derived{}, err
		}
		if len(p.ClientRandom) != tlsRandom || len(p.ServerRandom) != tlsRandom {
			return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the randoms have %d and %d bytes, not %d", len(p.ClientRandom), len(p.ServerRandom), tlsRandom)
		}
		seed := append([]byte("master secret"), p.ClientRandom...)
		return deriveMaster(d, p.PRF, append(seed, p.ServerRandom...), versioned, p.OutVersion)
	}
}

// deriveTLSExtended is that of RFC 7627.
func deriveTLSExtended(versioned bool) func(Derivation) (Derived, error) {
	return func(d Derivation) (Derived, error) {
		p, err := paramAs[p11.TLS12ExtendedParams](d.Params)
		if err != nil {
			return Derived{}, err
		}
		if len(p.SessionHash) == 0 {
			return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no session hash")
		}
		return deriveMaster(d, p.PRF, append([]byte("extended master secret"), p.SessionHash...), versioned, p.OutVersion)
	}
}

func deriveMaster(d Derivation, prf p11.MechanismType, seed []byte, versioned bool, version []byte) (Derived, error) {
	h, err := tlsHash(prf)
	if err != nil {
		return Derived{}, err
	}
	t, ok := d.Want.KeyType()
	switch {
	case !versioned && version != nil:
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the secret of this key exchange has no version in it")
	case d.Length != 0 && d.Length != tlsMaster || ok && t != p11.CKK_GENERIC_SECRET:
		return Derived{}, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "a master secret is a generic secret of %d bytes", tlsMaster)
	}
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	if versioned && len(base) != tlsMaster {
		return Derived{}, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a premaster secret has %d bytes, not %d", tlsMaster, len(base))
	}
	copy(version, base)
	out := derived(tlsPRF(h, base, seed, tlsMaster))
	out.Values = append(out.Values, attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, tlsMasterUses))
	return out, nil
}

// deriveTLS makes a key as RFC 5705 exports keying material.
func deriveTLS(d Derivation) (Derived, error) {
	p, err := paramAs[p11.TLSKDFParams](d.Params)
	if err != nil {
		return Derived{}, err
	}
	h, err := tlsHash(p.PRF)
	if err != nil {
		return Derived{}, err
	}
	switch {
	case len(p.Context) > math.MaxUint16:
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the context has %d bytes; it can have %d", len(p.Context), math.MaxUint16)
	case d.Length == 0:
		return Derived{}, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is needed")
	case d.Length > maxDerivedLen:
		return Derived{}, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a key of %d bytes is more than the %d that can be derived", d.Length, maxDerivedLen)
	}
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	var seed []byte
	for _, part := range [][]byte{p.Label, p.ClientRandom, p.ServerRandom} {
		seed = append(seed, part...)
	}
	if p.Context != nil {
		seed = binary.BigEndian.AppendUint16(seed, uint16(len(p.Context)))
		seed = append(seed, p.Context...)
	}
	out := derived(tlsPRF(h, base, seed, d.Length))
	out.Inherits = true
	return out, nil
}

// The labels of a Finished message, by ulServerOrClient.
var tlsFinished = map[uint64]string{1: "server finished", 2: "client finished"}

// tlsMaxData is the most that a TLS MAC takes, which it has to keep: in TLS it
// is the hash of a handshake.
const tlsMaxData = 1 << 20

// tlsMAC is the pseudo-random function over a label and the data.
type tlsMAC struct {
	mac  hash.Hash
	seed []byte // from the label on
	size int
	out  []byte
}

func newTLSMAC(k Key, p p11.Params) (*tlsMAC, error) {
	params, err := paramAs[p11.TLSMACParams](p)
	if err != nil {
		return nil, err
	}
	h, err := tlsHash(params.PRF)
	if err != nil {
		return nil, err
	}
	label, ok := tlsFinished[params.Side]
	switch {
	case !ok:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "ulServerOrClient is %d, neither 1 nor 2", params.Side)
	case params.Length < 12 || params.Length > maxDigest:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a MAC of %d bytes was asked for; it has 12 to %d", params.Length, maxDigest)
	}
	key, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	return &tlsMAC{mac: newHMAC(h, key), seed: []byte(label), size: int(params.Length)}, nil
}

func (m *tlsMAC) take(src []byte) error {
	if len(src) > tlsMaxData-len(m.seed) {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the data has more than %d bytes", tlsMaxData)
	}
	m.seed = append(m.seed, src...)
	return nil
}

func (m *tlsMAC) sum() []byte {
	m.out = appendPRF(m.mac, nil, m.seed, m.size)
	return m.out
}

func (m *tlsMAC) Wipe() {
	if m.mac != nil {
		wipeHash(m.mac)
		m.mac = nil
	}
	clear(m.seed)
	clear(m.out)
}

// tlsSignOp makes such a MAC.
type tlsSignOp struct{ *tlsMAC }

func signTLS(k Key, p p11.Params) (Op, error) {
	m, err := newTLSMAC(k, p)
	if err != nil {
		return nil, err
	}
	return tlsSignOp{m}, nil
}

func (o tlsSignOp) Update(_, src []byte) (int, error) { return 0, o.take(src) }

func (o tlsSignOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o tlsSignOp) Final(dst, src []byte) (int, error) {
	if err := o.take(src); err != nil {
		return 0, err
	}
	return copy(dst, o.sum()), nil
}

func (o tlsSignOp) FinalSize(int) Size { return Size{Max: o.size, Exact: true} }

// tlsVerifyOp compares such a MAC with the one given.
type tlsVerifyOp struct{ *tlsMAC }

func verifyTLS(k Key, p p11.Params) (VerifyOp, error) {
	m, err := newTLSMAC(k, p)
	if err != nil {
		return nil, err
	}
	return tlsVerifyOp{m}, nil
}

func (o tlsVerifyOp) Update(src []byte) error { return o.take(src) }

func (o tlsVerifyOp) Verify(src, sig []byte) error {
	if len(sig) != o.size {
		return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "the MAC has %d bytes, not %d", len(sig), o.size)
	}
	if err := o.take(src); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(o.sum(), sig) != 1 {
		return p11.CKR_SIGNATURE_INVALID
	}
	return nil
}
