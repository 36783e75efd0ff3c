package mech_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/c2sp/wycheproof"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// setGroup and setVector have the fields of Project Wycheproof's files for keys
// with parameter sets.
type setGroup struct {
	PrivateKey, PrivateSeed, PrivateKeyPkcs8, PublicKey, PublicKeyDer hexBytes
}

type setVector struct {
	ID                    int `json:"tcId"`
	Comment, Result       string
	Flags                 []string
	Msg, Ctx, Sig         hexBytes
	Seed, EK, DK, M, C, K hexBytes
}

func (v *setVector) flagged(f string) bool { return slices.Contains(v.Flags, f) }

// eachSetVector runs check for each vector of a file.
func eachSetVector(t *testing.T, file string, check func(*testing.T, *setGroup, *setVector)) {
	t.Run(file, func(t *testing.T) {
		f, err := wycheproof.TestVectors.Open(file + "_test.json")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var all struct {
			NumberOfTests int
			TestGroups    []struct {
				setGroup
				Tests []setVector
			}
		}
		if err := json.NewDecoder(f).Decode(&all); err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range all.TestGroups {
			g := &all.TestGroups[i]
			for j := range g.Tests {
				n++
				v := &g.Tests[j]
				t.Run(fmt.Sprint(v.ID, " ", v.Comment), func(t *testing.T) { check(t, &g.setGroup, v) })
			}
		}
		if n == 0 || n != all.NumberOfTests {
			t.Errorf("there are %d tests, not %d", n, all.NumberOfTests)
		}
	})
}

var mldsaSets = []struct {
	name  string
	id    uint64
	other mldsa.Parameters
}{
	{"44", p11.CKP_ML_DSA_44, mldsa.MLDSA44()},
	{"65", p11.CKP_ML_DSA_65, mldsa.MLDSA65()},
	{"87", p11.CKP_ML_DSA_87, mldsa.MLDSA87()},
}

// setValues are the attributes of a key with a parameter set.
func setValues(set uint64, seed, value []byte) attr.Values {
	vs := attr.Values{attr.NewULong(p11.CKA_PARAMETER_SET, set)}
	if seed != nil {
		vs = append(vs, attr.NewBytes(p11.CKA_SEED, seed))
	}
	if value != nil {
		vs = append(vs, attr.NewBytes(p11.CKA_VALUE, value))
	}
	return vs
}

func TestMLDSAVectors(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_ML_DSA)
	for _, s := range mldsaSets {
		eachSetVector(t, "mldsa_"+s.name+"_verify", func(t *testing.T, g *setGroup, v *setVector) {
			k, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_DSA, setValues(s.id, nil, g.PublicKey))
			if v.flagged("IncorrectPublicKeyLength") {
				wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if info, err := keyRow(t, p11.CKK_ML_DSA).PublicKeyInfo(k.material); err != nil || len(g.PublicKeyDer) > 0 && !bytes.Equal(info, g.PublicKeyDer) {
				t.Errorf("CKA_PUBLIC_KEY_INFO is %x, %v", info, err)
			}
			err = verify(m, k, p11.SignContext{Context: v.Ctx}, v.Msg, v.Sig)
			switch {
			case v.Result == "valid":
				wantCode(t, err, p11.CKR_OK)
			case v.flagged("InvalidContext"):
				wantCode(t, err, p11.CKR_MECHANISM_PARAM_INVALID)
			case v.flagged("IncorrectSignatureLength"):
				wantCode(t, err, p11.CKR_SIGNATURE_LEN_RANGE)
			default:
				if code := p11.Code(err); code != p11.CKR_SIGNATURE_INVALID && code != p11.CKR_SIGNATURE_LEN_RANGE {
					t.Errorf("an invalid signature: %v", err)
				}
			}
		})
		for _, file := range []string{"_sign_seed", "_sign_noseed"} {
			eachSetVector(t, "mldsa_"+s.name+file, func(t *testing.T, g *setGroup, v *setVector) { checkMLDSASigning(t, m, s.id, g, v) })
		}
	}
}

func checkMLDSASigning(t *testing.T, m *mech.Mechanism, set uint64, g *setGroup, v *setVector) {
	k, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_DSA, setValues(set, g.PrivateSeed, g.PrivateKey))
	if v.flagged("IncorrectPrivateKeyLength") || v.flagged("InvalidPrivateKey") {
		wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	row := keyRow(t, p11.CKK_ML_DSA)
	if len(g.PrivateKeyPkcs8) > 0 {
		der, err := row.MarshalPKCS8(k.material)
		if err != nil || !bytes.Equal(der, g.PrivateKeyPkcs8) {
			t.Errorf("PKCS #8 is %x, %v; want %x", der, err, g.PrivateKeyPkcs8)
		}
	}
	p := p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED, Context: v.Ctx}
	switch {
	case v.flagged("InvalidContext"):
		_, err := m.Sign(k, p)
		wantCode(t, err, p11.CKR_MECHANISM_PARAM_INVALID)
	case v.flagged("Internal"):
		t.Skip("it has no message, only μ, which no mechanism takes")
	case v.flagged("Randomized"):
		public := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_DSA, setValues(set, nil, g.PublicKey))
		if err := verify(m, public, p, v.Msg, v.Sig); err != nil {
			t.Error(err)
		}
	default:
		if sig := sign(t, m, k, p, v.Msg); !bytes.Equal(sig, v.Sig) {
			t.Errorf("got %x; want %x", sig, v.Sig)
		}
	}
}

// hashML is HashML-DSA and HashSLH-DSA with one hash: M' from the message's
// digest on.
type hashML struct {
	mldsa, slhdsa, digest p11.MechanismType
	oid                   asn1.ObjectIdentifier
	sum                   func([]byte) []byte
}

var hashMLs = []hashML{
	{p11.CKM_HASH_ML_DSA_SHA224, p11.CKM_HASH_SLH_DSA_SHA224, p11.CKM_SHA224, nistHash(4), func(b []byte) []byte { d := sha256.Sum224(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA256, p11.CKM_HASH_SLH_DSA_SHA256, p11.CKM_SHA256, nistHash(1), func(b []byte) []byte { d := sha256.Sum256(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA384, p11.CKM_HASH_SLH_DSA_SHA384, p11.CKM_SHA384, nistHash(2), func(b []byte) []byte { d := sha512.Sum384(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA512, p11.CKM_HASH_SLH_DSA_SHA512, p11.CKM_SHA512, nistHash(3), func(b []byte) []byte { d := sha512.Sum512(b); return d[:] }},
	{0, 0, p11.CKM_SHA512_224, nistHash(5), func(b []byte) []byte { d := sha512.Sum512_224(b); return d[:] }},
	{0, 0, p11.CKM_SHA512_256, nistHash(6), func(b []byte) []byte { d := sha512.Sum512_256(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA3_224, p11.CKM_HASH_SLH_DSA_SHA3_224, p11.CKM_SHA3_224, nistHash(7), func(b []byte) []byte { d := sha3.Sum224(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA3_256, p11.CKM_HASH_SLH_DSA_SHA3_256, p11.CKM_SHA3_256, nistHash(8), func(b []byte) []byte { d := sha3.Sum256(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA3_384, p11.CKM_HASH_SLH_DSA_SHA3_384, p11.CKM_SHA3_384, nistHash(9), func(b []byte) []byte { d := sha3.Sum384(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHA3_512, p11.CKM_HASH_SLH_DSA_SHA3_512, p11.CKM_SHA3_512, nistHash(10), func(b []byte) []byte { d := sha3.Sum512(b); return d[:] }},
	{p11.CKM_HASH_ML_DSA_SHAKE128, p11.CKM_HASH_SLH_DSA_SHAKE128, 0, nistHash(11), func(b []byte) []byte { return sha3.SumSHAKE128(b, 32) }},
	{p11.CKM_HASH_ML_DSA_SHAKE256, p11.CKM_HASH_SLH_DSA_SHAKE256, 0, nistHash(12), func(b []byte) []byte { return sha3.SumSHAKE256(b, 64) }},
}

// nistHash is an object identifier under hashAlgs of NIST's Computer Security
// Objects Register.
func nistHash(arc int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, arc}
}

// TestHashMLDSA compares with Go's own ML-DSA, which signs the μ of any M'.
func TestHashMLDSA(t *testing.T) {
	t.Parallel()
	message, context := []byte("a message to be hashed"), []byte("context")
	for _, s := range mldsaSets {
		seed := random(32)
		theirs, err := mldsa.NewPrivateKey(s.other, seed)
		if err != nil {
			t.Fatal(err)
		}
		priv := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_DSA, setValues(s.id, seed, nil))
		pub := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_DSA, setValues(s.id, nil, theirs.PublicKey().Bytes()))
		p := p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED, Context: context}
		for _, h := range hashMLs {
			oid, err := asn1.Marshal(h.oid)
			if err != nil {
				t.Fatal(err)
			}
			digest := h.sum(message)
			prime := slices.Concat([]byte{1, byte(len(context))}, context, oid, digest)
			mu := sha3.SumSHAKE256(slices.Concat(sha3.SumSHAKE256(theirs.PublicKey().Bytes(), 64), prime), 64)
			want, err := theirs.SignDeterministic(mu, mldsacrypto.MLDSAMu)
			if err != nil {
				t.Fatal(err)
			}
			if h.mldsa != 0 {
				m := lookup(t, h.mldsa)
				if got := sign(t, m, priv, p, message); !bytes.Equal(got, want) {
					t.Errorf("ML-DSA-%s, %v: another signature", s.name, h.mldsa)
				}
				if err := verify(m, pub, p, message, want); err != nil {
					t.Errorf("ML-DSA-%s, %v: %v", s.name, h.mldsa, err)
				}
			}
			if h.digest != 0 {
				m, p := lookup(t, p11.CKM_HASH_ML_DSA), p11.HashSignContext{SignContext: p, Hash: h.digest}
				if got := sign(t, m, priv, p, digest); !bytes.Equal(got, want) {
					t.Errorf("ML-DSA-%s, CKM_HASH_ML_DSA with %v: another signature", s.name, h.digest)
				}
				if err := verify(m, pub, p, digest, want); err != nil {
					t.Errorf("ML-DSA-%s, CKM_HASH_ML_DSA with %v: %v", s.name, h.digest, err)
				}
				wantCode(t, verify(m, pub, p, digest[1:], want), p11.CKR_DATA_LEN_RANGE)
				// The same bytes as a message are something else.
				wantCode(t, verify(lookup(t, p11.CKM_ML_DSA), pub, p.SignContext, digest, want), p11.CKR_SIGNATURE_INVALID)
			}
		}
	}
}

// TestSignatureHedge: two signatures are the same only if the parameter says
// deterministic; to verify, it is passed over, even if it means nothing.
func TestSignatureHedge(t *testing.T) {
	pub, priv, _, _ := generated(t, p11.CKM_ML_DSA_KEY_PAIR_GEN, setValues(p11.CKP_ML_DSA_44, nil, nil))
	m := lookup(t, p11.CKM_ML_DSA)
	message := []byte("message")
	for _, c := range []struct {
		p    p11.Params
		same bool
	}{
		{nil, false},
		{p11.SignContext{}, false},
		{p11.SignContext{Hedge: p11.CKH_HEDGE_REQUIRED}, false},
		{p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED}, true},
	} {
		a, b := sign(t, m, priv, c.p, message), sign(t, m, priv, c.p, message)
		if bytes.Equal(a, b) != c.same {
			t.Errorf("%+v: the same signature twice: %v", c.p, !c.same)
		}
		for _, hedge := range []uint64{0, 1, 2, 3, 1 << 63} {
			if err := verify(m, pub, p11.SignContext{Hedge: hedge}, message, a); err != nil {
				t.Errorf("verifying with hedge variant %d: %v", hedge, err)
			}
		}
	}
	_, err := m.Sign(priv, p11.SignContext{Hedge: 3})
	wantCode(t, err, p11.CKR_MECHANISM_PARAM_INVALID)
}

// TestX509ReadsMLDSA: Go's x509 for ML-DSA reads what is written here and
// writes the same.
func TestX509ReadsMLDSA(t *testing.T) {
	for _, s := range mldsaSets {
		_, priv, _, _ := generated(t, p11.CKM_ML_DSA_KEY_PAIR_GEN, setValues(s.id, nil, nil))
		row := keyRow(t, p11.CKK_ML_DSA)
		der, err := row.MarshalPKCS8(priv.material)
		if err != nil {
			t.Fatal(err)
		}
		key, err := mldsax509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := mldsax509.MarshalPKCS8PrivateKey(key); err != nil || !bytes.Equal(again, der) {
			t.Errorf("ML-DSA-%s: x509 writes %x, %v; coffer %x", s.name, again, err, der)
		}
		info, err := row.PublicKeyInfo(priv.material)
		if err != nil {
			t.Fatal(err)
		}
		if public, err := mldsax509.ParsePKIXPublicKey(info); err != nil || !public.(*mldsa.PublicKey).Equal(key.(*mldsa.PrivateKey).Public()) {
			t.Errorf("ML-DSA-%s: x509 reads another public key: %v", s.name, err)
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
