package mech_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// rsaHalves is a pair with its attributes.
type rsaHalves struct {
	public, private             *pairKey
	publicValues, privateValues attr.Values
}

var rsaOnce struct {
	sync.Mutex
	halves *rsaHalves
}

// rsaPair returns a pair of 2048 bits, made once.
func rsaPair(t testing.TB) *rsaHalves {
	t.Helper()
	rsaOnce.Lock()
	defer rsaOnce.Unlock()
	if rsaOnce.halves == nil {
		var h rsaHalves
		h.public, h.private, h.publicValues, h.privateValues = generated(t, p11.CKM_RSA_PKCS_KEY_PAIR_GEN,
			attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 2048)})
		rsaOnce.halves = &h
	}
	return rsaOnce.halves
}

func rsaKeyOf(k *pairKey) *rsa.PrivateKey { return mech.RSAKeyOf(k.material) }

func TestRSAGenerate(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_RSA_PKCS_KEY_PAIR_GEN)
	for _, c := range []struct {
		bits     int
		exponent []byte
		want     p11.RV
	}{
		{1024, nil, p11.CKR_OK},
		{1025, []byte{3}, p11.CKR_OK},
		{1024, []byte{3}, p11.CKR_OK},
		{1024, []byte{17}, p11.CKR_OK},
		{1024, []byte{0, 1, 0, 1}, p11.CKR_OK},
		{1024, []byte{0x7f, 0xff, 0xff, 0xff}, p11.CKR_OK},
		{1024, []byte{1}, p11.CKR_TEMPLATE_INCONSISTENT},
		{1024, []byte{4}, p11.CKR_TEMPLATE_INCONSISTENT},
		{1024, []byte{0x80, 0, 0, 1}, p11.CKR_TEMPLATE_INCONSISTENT},
		{1024, bytes.Repeat([]byte{0xff}, 40), p11.CKR_TEMPLATE_INCONSISTENT},
		{1023, nil, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{8193, nil, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{-1, nil, p11.CKR_ATTRIBUTE_VALUE_INVALID},
	} {
		template := attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, c.bits)}
		if c.exponent != nil {
			template = template.With(attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, c.exponent))
		}
		pub, priv, err := m.GeneratePair(nil, template, nil)
		wantCode(t, err, c.want)
		if err != nil || c.want != p11.CKR_OK {
			continue
		}
		k := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_RSA, priv)
		if k.bits != c.bits {
			t.Errorf("the modulus has %d bits; want %d", k.bits, c.bits)
		}
		if want := c.exponent; want != nil && !bytes.Equal(pub.Bytes(p11.CKA_PUBLIC_EXPONENT), want) {
			t.Errorf("CKA_PUBLIC_EXPONENT is %x; want %x", pub.Bytes(p11.CKA_PUBLIC_EXPONENT), want)
		}
		public := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_RSA, pub)
		sig := sign(t, lookup(t, p11.CKM_SHA256_RSA_PKCS), k, nil, []byte("message"))
		if err := verify(lookup(t, p11.CKM_SHA256_RSA_PKCS), public, nil, []byte("message"), sig); err != nil {
			t.Error(err)
		}
	}
}

// rsaParts are the attributes of an RSA private key besides n and e.
var rsaParts = []p11.AttributeType{
	p11.CKA_PRIME_1, p11.CKA_PRIME_2, p11.CKA_EXPONENT_1, p11.CKA_EXPONENT_2, p11.CKA_COEFFICIENT,
}

// TestRSAWithoutCRT makes the key of every subset of its CRT parts.
func TestRSAWithoutCRT(t *testing.T) {
	p := rsaPair(t)
	kt := keyRow(t, p11.CKK_RSA)
	for mask := range 1 << len(rsaParts) {
		values := p.privateValues
		for i, part := range rsaParts {
			if mask&(1<<i) != 0 {
				values = values.Without(part)
			}
		}
		k, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_RSA, values)
		if err != nil && mask&3 == 3 && mask != 1<<len(rsaParts)-1 {
			// Without primes, those that are found may be in the other order.
			wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
			continue
		}
		if err != nil {
			t.Fatalf("without parts %05b: %v", mask, err)
		}
		if key := rsaKeyOf(k); key.D.Cmp(rsaKeyOf(p.private).D) != 0 || key.Validate() != nil {
			t.Fatalf("without parts %05b: another key", mask)
		}
		more, err := kt.Complete(p11.CKO_PRIVATE_KEY, values, k.material)
		if err != nil {
			t.Fatal(err)
		}
		if whole := values.With(more...); len(whole) != len(p.privateValues) || len(more) != len(p.privateValues)-len(values) {
			t.Errorf("without parts %05b: %d attributes were completed to %d", mask, len(values), len(whole))
		}
	}
}

func TestRSARefusals(t *testing.T) {
	p := rsaPair(t)
	n := rsaKeyOf(p.private).N
	small := new(big.Int).Rsh(n, 1100)
	small.SetBit(small, 0, 1)
	with := func(values attr.Values, t p11.AttributeType, b []byte) attr.Values {
		return values.With(attr.NewBytes(t, b))
	}
	plusOne := func(b []byte) []byte { return new(big.Int).Add(new(big.Int).SetBytes(b), big.NewInt(1)).Bytes() }
	type refusal struct {
		name   string
		class  p11.ObjectClass
		values attr.Values
		want   p11.RV
	}
	cases := []refusal{
		{"a small modulus", p11.CKO_PUBLIC_KEY, with(p.publicValues, p11.CKA_MODULUS, small.Bytes()), p11.CKR_KEY_SIZE_RANGE},
		{"a huge modulus", p11.CKO_PUBLIC_KEY, with(p.publicValues, p11.CKA_MODULUS, bytes.Repeat([]byte{0xff}, 2049)), p11.CKR_KEY_SIZE_RANGE},
		{"an even modulus", p11.CKO_PUBLIC_KEY, with(p.publicValues, p11.CKA_MODULUS, plusOne(n.Bytes())), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"no exponent", p11.CKO_PUBLIC_KEY, p.publicValues.Without(p11.CKA_PUBLIC_EXPONENT), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"an exponent of 1", p11.CKO_PUBLIC_KEY, with(p.publicValues, p11.CKA_PUBLIC_EXPONENT, []byte{1}), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"zeros before the modulus", p11.CKO_PUBLIC_KEY, with(p.publicValues, p11.CKA_MODULUS, append([]byte{0, 0}, n.Bytes()...)), p11.CKR_OK},
		{"no private exponent", p11.CKO_PRIVATE_KEY, p.privateValues.Without(p11.CKA_PRIVATE_EXPONENT), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"another public exponent", p11.CKO_PRIVATE_KEY, with(p.privateValues, p11.CKA_PUBLIC_EXPONENT, []byte{17}), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"another modulus", p11.CKO_PRIVATE_KEY, with(p.privateValues, p11.CKA_MODULUS, plusOne(plusOne(n.Bytes()))), p11.CKR_ATTRIBUTE_VALUE_INVALID},
	}
	for _, part := range append([]p11.AttributeType{p11.CKA_PRIVATE_EXPONENT}, rsaParts...) {
		for _, wrong := range [][]byte{plusOne(p.privateValues.Bytes(part)), {1}, {2}, {3}, {0}, n.Bytes(), plusOne(n.Bytes())} {
			cases = append(cases, refusal{"another " + part.String(), p11.CKO_PRIVATE_KEY, with(p.privateValues, part, wrong), p11.CKR_ATTRIBUTE_VALUE_INVALID})
			if part == p11.CKA_PRIVATE_EXPONENT {
				cases = append(cases, refusal{"another " + part.String() + " alone", p11.CKO_PRIVATE_KEY,
					with(p.privateValues.Without(rsaParts...), part, wrong), p11.CKR_ATTRIBUTE_VALUE_INVALID})
			}
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseKey(t, c.class, p11.CKK_RSA, c.values)
			wantCode(t, err, c.want)
		})
	}
}

// TestRSAPKCSTakesAnyData: OpenSSH, libp11, NSS and GnuTLS make the DigestInfo
// themselves; others sign bare data.
func TestRSAPKCSTakesAnyData(t *testing.T) {
	p := rsaPair(t)
	m := lookup(t, p11.CKM_RSA_PKCS)
	digest := sha256.Sum256([]byte("message"))
	info := append(unhex("3031300d060960864801650304020105000420"), digest[:]...)
	sig := sign(t, m, p.private, nil, info)
	if err := rsa.VerifyPKCS1v15(&rsaKeyOf(p.private).PublicKey, crypto.SHA256, digest[:], sig); err != nil {
		t.Errorf("a DigestInfo of SHA-256: %v", err)
	}
	if err := verify(lookup(t, p11.CKM_SHA256_RSA_PKCS), p.public, nil, []byte("message"), sig); err != nil {
		t.Errorf("a DigestInfo of SHA-256: %v", err)
	}
	for _, n := range []int{0, 1, 20, 36, 245} {
		data := bytes.Repeat([]byte{7}, n)
		if err := verify(m, p.public, nil, data, sign(t, m, p.private, nil, data)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	_, err := whole(t, m.Sign, p.private, nil, make([]byte, 246))
	wantCode(t, err, p11.CKR_DATA_LEN_RANGE)
	wantCode(t, verify(m, p.public, nil, make([]byte, 246), sig), p11.CKR_DATA_LEN_RANGE)
	wantCode(t, verify(m, p.public, nil, info, sig[1:]), p11.CKR_SIGNATURE_LEN_RANGE)
	wantCode(t, verify(m, p.public, nil, info, make([]byte, 256)), p11.CKR_SIGNATURE_INVALID)
}

func TestRSADataLengths(t *testing.T) {
	p := rsaPair(t)
	n := rsaKeyOf(p.private).N.FillBytes(make([]byte, 256))
	oaep := p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA1, Source: p11.CKZ_DATA_SPECIFIED}
	pss := p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, SaltLen: 32}
	enc := func(typ p11.MechanismType, p11p p11.Params, n int) error {
		_, err := whole(t, lookup(t, typ).Encrypt, p.public, p11p, make([]byte, n))
		return err
	}
	dec := func(typ p11.MechanismType, p11p p11.Params, in []byte) error {
		_, err := whole(t, lookup(t, typ).Decrypt, p.private, p11p, in)
		return err
	}
	x509Sign := func(in []byte) error {
		_, err := whole(t, lookup(t, p11.CKM_RSA_X_509).Sign, p.private, nil, in)
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		want p11.RV
	}{
		{"PKCS, the longest", enc(p11.CKM_RSA_PKCS, nil, 245), p11.CKR_OK},
		{"PKCS, too long", enc(p11.CKM_RSA_PKCS, nil, 246), p11.CKR_DATA_LEN_RANGE},
		{"OAEP, the longest", enc(p11.CKM_RSA_PKCS_OAEP, oaep, 190), p11.CKR_OK},
		{"OAEP, too long", enc(p11.CKM_RSA_PKCS_OAEP, oaep, 191), p11.CKR_DATA_LEN_RANGE},
		{"X.509, as long as the modulus", enc(p11.CKM_RSA_X_509, nil, 256), p11.CKR_OK},
		{"X.509, too long", enc(p11.CKM_RSA_X_509, nil, 257), p11.CKR_DATA_LEN_RANGE},
		{"X.509, the modulus", x509Sign(n), p11.CKR_DATA_INVALID},
		{"X.509, too long to sign", x509Sign(make([]byte, 257)), p11.CKR_DATA_LEN_RANGE},
		{"X.509, a ciphertext not below the modulus", dec(p11.CKM_RSA_X_509, nil, n), p11.CKR_ENCRYPTED_DATA_INVALID},
		{"X.509, a short ciphertext", dec(p11.CKM_RSA_X_509, nil, n[1:]), p11.CKR_ENCRYPTED_DATA_LEN_RANGE},
		{"PKCS, a short ciphertext", dec(p11.CKM_RSA_PKCS, nil, n[1:]), p11.CKR_ENCRYPTED_DATA_LEN_RANGE},
		{"PKCS, a ciphertext not below the modulus", dec(p11.CKM_RSA_PKCS, nil, n), p11.CKR_ENCRYPTED_DATA_INVALID},
		{"OAEP, garbage", dec(p11.CKM_RSA_PKCS_OAEP, oaep, make([]byte, 256)), p11.CKR_ENCRYPTED_DATA_INVALID},
		{"PSS, no digest of the hash", func() error {
			_, err := whole(t, lookup(t, p11.CKM_RSA_PKCS_PSS).Sign, p.private, pss, make([]byte, 31))
			return err
		}(), p11.CKR_DATA_LEN_RANGE},
		{"PSS, another hash than the mechanism's", func() error {
			_, err := lookup(t, p11.CKM_SHA1_RSA_PKCS_PSS).Sign(p.private, pss)
			return err
		}(), p11.CKR_MECHANISM_PARAM_INVALID},
		{"PSS, too long a salt", func() error {
			pss := pss
			pss.SaltLen = 223
			_, err := lookup(t, p11.CKM_RSA_PKCS_PSS).Sign(p.private, pss)
			return err
		}(), p11.CKR_MECHANISM_PARAM_INVALID},
	} {
		t.Run(c.name, func(t *testing.T) { wantCode(t, c.err, c.want) })
	}
}

// TestRSAPSSByCryptoRSA has crypto/rsa verify what it cannot make itself, and
// make what is verified here: a salt of no bytes among the lengths, an odd
// modulus among the sizes. Two different hashes are for the vectors.
func TestRSAPSSByCryptoRSA(t *testing.T) {
	m := lookup(t, p11.CKM_RSA_PKCS_PSS)
	digest := sha256.Sum256([]byte("message"))
	keys := map[string]*pairKey{"2048 bits": rsaPair(t).private}
	for _, bits := range []int{1024, 1025, 1026, 1031} {
		_, priv, _, _ := generated(t, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, bits)})
		keys[big.NewInt(int64(bits)).String()+" bits"] = priv
	}
	for name, priv := range keys {
		key := rsaKeyOf(priv)
		pub := &pairKey{p11.CKO_PUBLIC_KEY, p11.CKK_RSA, priv.bits, mech.RSAMaterial(&key.PublicKey)}
		most := (key.N.BitLen()-1+7)/8 - 2 - 32
		for _, salt := range []int{0, 1, 20, 32, most} {
			p := p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, SaltLen: uint64(salt)}
			sig := sign(t, m, priv, p, digest[:])
			if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], sig, nil); err != nil {
				t.Errorf("%s, salt of %d: crypto/rsa refuses it: %v", name, salt, err)
			}
			if err := verify(m, pub, p, digest[:], sig); err != nil {
				t.Errorf("%s, salt of %d: %v", name, salt, err)
			}
			p.SaltLen++
			if salt != most {
				wantCode(t, verify(m, pub, p, digest[:], sig), p11.CKR_SIGNATURE_INVALID)
			}
		}
		mixed := p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA1, SaltLen: 20}
		sig := sign(t, m, priv, mixed, digest[:])
		if err := verify(m, pub, mixed, digest[:], sig); err != nil {
			t.Errorf("%s, two hashes: %v", name, err)
		}
		mixed.MGF = p11.CKG_MGF1_SHA512
		wantCode(t, verify(m, pub, mixed, digest[:], sig), p11.CKR_SIGNATURE_INVALID)
	}
}

// TestRSARawAgainstBigInt checks the raw operation by math/big.
func TestRSARawAgainstBigInt(t *testing.T) {
	p := rsaPair(t)
	key := rsaKeyOf(p.private)
	m := lookup(t, p11.CKM_RSA_X_509)
	for range 10 {
		x, err := rand.Int(rand.Reader, key.N)
		if err != nil {
			t.Fatal(err)
		}
		in := x.FillBytes(make([]byte, 256))
		want := new(big.Int).Exp(x, key.D, key.N).FillBytes(make([]byte, 256))
		if got := sign(t, m, p.private, nil, in); !bytes.Equal(got, want) {
			t.Errorf("got %x; want %x", got, want)
		}
		want = new(big.Int).Exp(x, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, 256))
		if got, err := whole(t, m.Encrypt, p.public, nil, in); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %x, %v; want %x", got, err, want)
		}
	}
	// Primes in the other order make the same key.
	swapped := p.privateValues.Without(rsaParts[2:]...).With(
		attr.NewBytes(p11.CKA_PRIME_1, p.privateValues.Bytes(p11.CKA_PRIME_2)), attr.NewBytes(p11.CKA_PRIME_2, p.privateValues.Bytes(p11.CKA_PRIME_1)))
	k := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_RSA, swapped)
	if a, b := sign(t, m, k, nil, []byte("x")), sign(t, m, p.private, nil, []byte("x")); !bytes.Equal(a, b) {
		t.Errorf("got %x; want %x", a, b)
	}
}

// TestRSAAESKeyWrap carries keys that RSA alone could not.
func TestRSAAESKeyWrap(t *testing.T) {
	p := rsaPair(t)
	m := lookup(t, p11.CKM_RSA_AES_KEY_WRAP)
	der, err := keyRow(t, p11.CKK_RSA).MarshalPKCS8(p.private.material)
	if err != nil {
		t.Fatal(err)
	}
	params := p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: p11.CKZ_DATA_SPECIFIED}}
	wrapped, err := m.Wrap(p.public, params, der)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := m.WrapSize(p.public, params, len(der)); err != nil || n != len(wrapped) {
		t.Errorf("WrapSize is %d, %v; want %d", n, err, len(wrapped))
	}
	got, err := m.Unwrap(p.private, params, wrapped)
	if err != nil || !bytes.Equal(got, der) {
		t.Fatalf("unwrapped to another key: %v", err)
	}
	for name, c := range map[string]struct {
		params  p11.RSAAESWrapParams
		wrapped []byte
		want    p11.RV
	}{
		"another AES length": {p11.RSAAESWrapParams{AESKeyBits: 128, OAEP: params.OAEP}, wrapped, p11.CKR_WRAPPED_KEY_INVALID},
		"no AES length":      {p11.RSAAESWrapParams{AESKeyBits: 100, OAEP: params.OAEP}, wrapped, p11.CKR_MECHANISM_PARAM_INVALID},
		"the first part":     {params, wrapped[:256], p11.CKR_WRAPPED_KEY_LEN_RANGE},
		"cut":                {params, wrapped[:len(wrapped)-8], p11.CKR_WRAPPED_KEY_INVALID},
		"cut oddly":          {params, wrapped[:len(wrapped)-1], p11.CKR_WRAPPED_KEY_LEN_RANGE},
		"another label": {p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: p11.OAEPParams{
			Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: p11.CKZ_DATA_SPECIFIED, Label: []byte("x"),
		}}, wrapped, p11.CKR_WRAPPED_KEY_INVALID},
	} {
		_, err := m.Unwrap(p.private, c.params, c.wrapped)
		if p11.Code(err) != c.want {
			t.Errorf("%s: got %v; want %v", name, err, c.want)
		}
	}
}

func TestRSAWrapLengths(t *testing.T) {
	p := rsaPair(t)
	m := lookup(t, p11.CKM_RSA_PKCS)
	_, err := m.Wrap(p.public, nil, make([]byte, 246))
	wantCode(t, err, p11.CKR_KEY_SIZE_RANGE)
	_, err = m.WrapSize(p.public, nil, 246)
	wantCode(t, err, p11.CKR_KEY_SIZE_RANGE)
	_, err = m.Unwrap(p.private, nil, make([]byte, 255))
	wantCode(t, err, p11.CKR_WRAPPED_KEY_LEN_RANGE)
	_, err = m.Unwrap(p.private, nil, make([]byte, 256))
	wantCode(t, err, p11.CKR_WRAPPED_KEY_INVALID)
	if m.WrapsPrivate || !lookup(t, p11.CKM_RSA_AES_KEY_WRAP).WrapsPrivate {
		t.Error("private keys are for CKM_RSA_AES_KEY_WRAP alone")
	}
	_, err = lookup(t, p11.CKM_RSA_PKCS).Sign(p.public, nil)
	wantCode(t, err, p11.CKR_KEY_TYPE_INCONSISTENT)
}

// TestRSAPKCS8WithoutCRT reads a key whose writer put zeros for what it did
// not have.
func TestRSAPKCS8WithoutCRT(t *testing.T) {
	key := rsaKeyOf(rsaPair(t).private)
	kt := keyRow(t, p11.CKK_RSA)
	type rsaPrivateKey struct {
		Version                     int
		N, E, D, P, Q, Dp, Dq, Qinv *big.Int
	}
	zero := big.NewInt(0)
	inner, err := asn1.Marshal(rsaPrivateKey{0, key.N, big.NewInt(int64(key.E)), key.D, zero, zero, zero, zero, zero})
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm struct {
			OID  asn1.ObjectIdentifier
			Null asn1.RawValue
		}
		Key []byte
	}{0, struct {
		OID  asn1.ObjectIdentifier
		Null asn1.RawValue
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue}, inner})
	if err != nil {
		t.Fatal(err)
	}
	k := privateFromPKCS8(t, p11.CKK_RSA, der)
	whole, err := kt.MarshalPKCS8(k.material)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x509.ParsePKCS8PrivateKey(whole)
	if err != nil || got.(*rsa.PrivateKey).D.Cmp(key.D) != 0 {
		t.Errorf("crypto/x509 reads another key: %v", err)
	}
}
