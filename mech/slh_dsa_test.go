package mech_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

var slhdsaSets = map[string]uint64{
	"SLH-DSA-SHA2-128s": p11.CKP_SLH_DSA_SHA2_128S, "SLH-DSA-SHAKE-128s": p11.CKP_SLH_DSA_SHAKE_128S,
	"SLH-DSA-SHA2-128f": p11.CKP_SLH_DSA_SHA2_128F, "SLH-DSA-SHAKE-128f": p11.CKP_SLH_DSA_SHAKE_128F,
	"SLH-DSA-SHA2-192s": p11.CKP_SLH_DSA_SHA2_192S, "SLH-DSA-SHAKE-192s": p11.CKP_SLH_DSA_SHAKE_192S,
	"SLH-DSA-SHA2-192f": p11.CKP_SLH_DSA_SHA2_192F, "SLH-DSA-SHAKE-192f": p11.CKP_SLH_DSA_SHAKE_192F,
	"SLH-DSA-SHA2-256s": p11.CKP_SLH_DSA_SHA2_256S, "SLH-DSA-SHAKE-256s": p11.CKP_SLH_DSA_SHAKE_256S,
	"SLH-DSA-SHA2-256f": p11.CKP_SLH_DSA_SHA2_256F, "SLH-DSA-SHAKE-256f": p11.CKP_SLH_DSA_SHAKE_256F,
}

// acvpGroup and acvpCase have the fields of NIST's Automated Cryptographic
// Validation Protocol for SLH-DSA.
type acvpGroup struct {
	ParameterSet, SignatureInterface, PreHash string
	Deterministic                             bool
	Tests                                     []acvpCase
}

type acvpCase struct {
	TcID                        int
	SKSeed, SKPrf, PKSeed       hexBytes
	SK, PK                      hexBytes
	Message, Context, Signature hexBytes
	HashAlg                     string
	TestPassed                  bool
}

// eachACVP calls check with the groups of a file that circl carries, and for
// each case with its result.
func eachACVP(t *testing.T, name string, wanted func(*acvpGroup) int, check func(t *testing.T, g *acvpGroup, in, want *acvpCase)) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/cloudflare/circl/sign/slhdsa").Output()
	if err != nil {
		t.Fatal(err)
	}
	read := func(file string) (all struct{ TestGroups []acvpGroup }) {
		f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewDecoder(unzipped).Decode(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	results := map[int]*acvpCase{}
	for _, g := range read(name + "_results.json.gz").TestGroups {
		for i := range g.Tests {
			results[g.Tests[i].TcID] = &g.Tests[i]
		}
	}
	seen := map[string]bool{}
	for _, g := range read(name + "_prompt.json.gz").TestGroups {
		for i := range min(wanted(&g), len(g.Tests)) {
			seen[g.ParameterSet] = true
			check(t, &g, &g.Tests[i], results[g.Tests[i].TcID])
		}
	}
	t.Logf("%s: %d parameter sets", name, len(seen))
	for set := range seen {
		if _, ok := slhdsaSets[set]; !ok {
			t.Errorf("%s is not here", set)
		}
	}
	if len(seen) == 0 {
		t.Error("there is no vector")
	}
}

// quickSet says that a set's name is that of one that signs in less than a
// tenth of a second.
func quickSet(name string) bool {
	return strings.HasPrefix(name, "SLH-DSA-SHA2") && strings.HasSuffix(name, "f")
}

// TestSLHDSAKeys: NIST's keys, which are made anew of their seeds when they come
// in.
func TestSLHDSAKeys(t *testing.T) {
	t.Parallel()
	eachACVP(t, "keyGen", func(g *acvpGroup) int {
		if strings.HasSuffix(g.ParameterSet, "f") {
			return 3
		}
		return 1
	}, func(t *testing.T, g *acvpGroup, in, want *acvpCase) {
		set := slhdsaSets[g.ParameterSet]
		if seeds := slices.Concat(in.SKSeed, in.SKPrf, in.PKSeed); !bytes.HasPrefix(want.SK, seeds) {
			t.Fatalf("%d: the key is not made of its seeds", in.TcID)
		}
		priv, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_SLH_DSA, setValues(set, nil, want.SK))
		if err != nil {
			t.Fatalf("%s, %d: %v", g.ParameterSet, in.TcID, err)
		}
		sameInfo(t, priv, mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_SLH_DSA, setValues(set, nil, want.PK)))
	})
}

// acvpHashes are the names of NIST's for the hashes before HashSLH-DSA.
var acvpHashes = map[string]p11.MechanismType{
	"SHA2-224": p11.CKM_SHA224, "SHA2-256": p11.CKM_SHA256, "SHA2-384": p11.CKM_SHA384, "SHA2-512": p11.CKM_SHA512,
	"SHA2-512/224": p11.CKM_SHA512_224, "SHA2-512/256": p11.CKM_SHA512_256,
	"SHA3-224": p11.CKM_SHA3_224, "SHA3-256": p11.CKM_SHA3_256, "SHA3-384": p11.CKM_SHA3_384, "SHA3-512": p11.CKM_SHA3_512,
	"SHAKE-128": p11.CKM_HASH_SLH_DSA_SHAKE128, "SHAKE-256": p11.CKM_HASH_SLH_DSA_SHAKE256, // which have no CKM_ of their own
}

// A way is a mechanism by which a vector can be tried, and what it signs.
type way struct {
	m    *mech.Mechanism
	p    p11.Params
	data []byte
}

// ways are those of a vector: one for a message, and of HashSLH-DSA that which
// hashes and that which takes the digest, as far as the standard has them.
func ways(t *testing.T, g *acvpGroup, in *acvpCase) (out []way) {
	t.Helper()
	p := p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED, Context: in.Context}
	if g.PreHash == "pure" {
		return []way{{lookup(t, p11.CKM_SLH_DSA), p, in.Message}}
	}
	name := acvpHashes[in.HashAlg]
	i := slices.IndexFunc(hashMLs, func(h hashML) bool { return h.digest == name || h.slhdsa == name })
	if i < 0 {
		t.Fatalf("there is no hash %q", in.HashAlg)
	}
	h := hashMLs[i]
	if h.slhdsa != 0 {
		out = append(out, way{lookup(t, h.slhdsa), p, in.Message})
	}
	if h.digest != 0 {
		out = append(out, way{lookup(t, p11.CKM_HASH_SLH_DSA), p11.HashSignContext{SignContext: p, Hash: h.digest}, h.sum(in.Message)})
	}
	return out
}

// TestSLHDSAVerification: all of NIST's vectors of all parameter sets and hashes.
func TestSLHDSAVerification(t *testing.T) {
	t.Parallel()
	tried := map[p11.MechanismType]int{}
	sets := map[string]int{}
	eachACVP(t, "verify", func(g *acvpGroup) int {
		if g.SignatureInterface == "internal" {
			return 0
		}
		return len(g.Tests)
	}, func(t *testing.T, g *acvpGroup, in, want *acvpCase) {
		k := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_SLH_DSA, setValues(slhdsaSets[g.ParameterSet], nil, in.PK))
		for _, w := range ways(t, g, in) {
			tried[w.m.Type]++
			sets[g.ParameterSet]++
			err := verify(w.m, k, w.p, w.data, in.Signature)
			code := p11.Code(err)
			if want.TestPassed != (err == nil) || err != nil && code != p11.CKR_SIGNATURE_INVALID && code != p11.CKR_SIGNATURE_LEN_RANGE {
				t.Errorf("%s, %d, %v: %v; valid: %v", g.ParameterSet, in.TcID, w.m.Type, err, want.TestPassed)
			}
		}
	})
	if len(tried) != 12 || len(sets) != len(slhdsaSets) {
		t.Errorf("mechanisms: %v, parameter sets: %v", tried, slices.Sorted(maps.Keys(sets)))
	}
}

// TestSLHDSASigning: deterministic signatures of those sets that are quick, and
// one of another.
func TestSLHDSASigning(t *testing.T) {
	t.Parallel()
	tried := map[p11.MechanismType]int{}
	eachACVP(t, "sigGen", func(g *acvpGroup) int {
		switch {
		case g.SignatureInterface == "internal" || !g.Deterministic:
			return 0
		case g.ParameterSet == "SLH-DSA-SHA2-128f":
			return len(g.Tests)
		case quickSet(g.ParameterSet), g.ParameterSet == "SLH-DSA-SHAKE-128f":
			return 2
		case g.ParameterSet == "SLH-DSA-SHA2-128s" && g.PreHash == "pure":
			return 1
		}
		return 0
	}, func(t *testing.T, g *acvpGroup, in, want *acvpCase) {
		k := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_SLH_DSA, setValues(slhdsaSets[g.ParameterSet], nil, in.SK))
		for _, w := range ways(t, g, in) {
			tried[w.m.Type]++
			if sig := sign(t, w.m, k, w.p, w.data); !bytes.Equal(sig, want.Signature) {
				t.Errorf("%s, %d, %v: another signature", g.ParameterSet, in.TcID, w.m.Type)
			}
		}
	})
	if len(tried) != 12 {
		t.Errorf("mechanisms: %v", tried)
	}
}

// TestSLHDSAKeyForms: CKA_VALUE is checked to the last byte, and PKCS #8 has it
// bare (RFC 9909).
func TestSLHDSAKeyForms(t *testing.T) {
	row := keyRow(t, p11.CKK_SLH_DSA)
	_, priv, _, made := generated(t, p11.CKM_SLH_DSA_KEY_PAIR_GEN, setValues(p11.CKP_SLH_DSA_SHA2_128F, nil, nil))
	sk := made.Bytes(p11.CKA_VALUE)
	if len(sk) != 64 || made.Has(p11.CKA_SEED) {
		t.Fatalf("the private key has %d bytes", len(sk))
	}
	for _, at := range []int{0, 15, 32, 47, 48, 63} { // SK.prf, from 16 to 31, is in no relation to the rest
		bad := bytes.Clone(sk)
		bad[at] ^= 1
		_, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_SLH_DSA, setValues(p11.CKP_SLH_DSA_SHA2_128F, nil, bad))
		wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
	}
	for _, set := range []uint64{p11.CKP_SLH_DSA_SHAKE_128F, p11.CKP_SLH_DSA_SHA2_128S, p11.CKP_SLH_DSA_SHA2_192F} {
		_, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_SLH_DSA, setValues(set, nil, sk))
		wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
	}
	_, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_SLH_DSA, setValues(p11.CKP_SLH_DSA_SHA2_128F, sk[:32], sk))
	wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID) // it has no CKA_SEED
	der, err := row.MarshalPKCS8(priv.material)
	if err != nil {
		t.Fatal(err)
	}
	want := append(unhex("3052 020100 300b 0609608648016503040315 0440"), sk...)
	if !bytes.Equal(der, want) {
		t.Errorf("PKCS #8 is %x; want %x", der, want)
	}
	values, err := row.UnmarshalPKCS8(der)
	if err != nil || !bytes.Equal(values.Bytes(p11.CKA_VALUE), sk) {
		t.Errorf("read back: %v", err)
	}
	_, err = row.UnmarshalPKCS8(append(unhex("3051 020100 300b 0609608648016503040315 043f"), sk[1:]...))
	wantCode(t, err, p11.CKR_WRAPPED_KEY_INVALID)
	row.Wipe(priv.material)
	if der, err = row.MarshalPKCS8(priv.material); err != nil || len(bytes.Trim(der[len(der)-64:], "\x00")) != 0 {
		t.Errorf("after Wipe the key is %x, %v", der, err)
	}
}

// TestSLHDSAKeepsABoundedMessage: the parts are kept, up to a bound; those of
// HashSLH-DSA are hashed.
func TestSLHDSAKeepsABoundedMessage(t *testing.T) {
	_, priv, _, _ := generated(t, p11.CKM_SLH_DSA_KEY_PAIR_GEN, attr.Values{attr.NewULong(p11.CKA_PARAMETER_SET, p11.CKP_SLH_DSA_SHA2_128F)})
	for m, want := range map[p11.MechanismType]p11.RV{p11.CKM_SLH_DSA: p11.CKR_TOKEN_RESOURCE_EXCEEDED, p11.CKM_HASH_SLH_DSA_SHA256: p11.CKR_OK} {
		op, err := lookup(t, m).Sign(priv, nil)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 16<<20)
		for range 5 {
			if _, err = op.Update(nil, part); err != nil {
				break
			}
		}
		wantCode(t, err, want)
		op.Wipe()
	}
}
