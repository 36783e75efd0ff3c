package vectors

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// An adapter runs a case of one test type.
type adapter func(c *client, g *group, v *vector) verdict

// A route is how the files of one kind run.
type route struct {
	run   adapter
	needs []p11.MechanismType // without one of them, the files do not run
	// limits are cases that the token takes otherwise than the vector says, and
	// has to.
	limits []limit
}

// A limit is a reason to refuse what the vectors have as valid, with the code
// that says so, or to accept, with CKR_OK, what they have as invalid.
type limit struct {
	why  string
	rv   p11.RV
	when func(g *group, v *vector) bool
}

// routes are found by the test type, or by the test type and the algorithm.
var routes = allRoutes()

func allRoutes() map[string]route {
	r := map[string]route{
		"AeadTest AES-GCM":            {run: aead(p11.CKM_AES_GCM, p11.CKK_AES, gcmParams), needs: of(p11.CKM_AES_GCM)},
		"AeadTest AES-CCM":            {run: aead(p11.CKM_AES_CCM, p11.CKK_AES, ccmParams), needs: of(p11.CKM_AES_CCM)},
		"AeadTest CHACHA20-POLY1305":  {run: chacha(12), needs: of(p11.CKM_CHACHA20_POLY1305)},
		"AeadTest XCHACHA20-POLY1305": {run: chacha(24), needs: of(p11.CKM_CHACHA20_POLY1305)},
		"IndCpaTest AES-CBC-PKCS5":    {run: cbc(p11.CKM_AES_CBC_PAD, p11.CKK_AES), needs: of(p11.CKM_AES_CBC_PAD)},
		"IndCpaTest ARIA-CBC-PKCS5":   {run: cbc(p11.CKM_ARIA_CBC_PAD, p11.CKK_ARIA), needs: of(p11.CKM_ARIA_CBC_PAD)},
		"IndCpaTest CAMELLIA-CBC-PKCS5": {
			run: cbc(p11.CKM_CAMELLIA_CBC_PAD, p11.CKK_CAMELLIA), needs: of(p11.CKM_CAMELLIA_CBC_PAD),
		},
		"IndCpaTest AES-XTS": {run: xts, needs: of(p11.CKM_AES_XTS), limits: []limit{
			{"neither IEEE 1619 nor PKCS #11 has XTS with keys of 192 bits", p11.CKR_ATTRIBUTE_VALUE_INVALID, func(_ *group, v *vector) bool { return len(v.Key) == 48 }},
		}},
		"MacTest AES-CMAC":       {run: mac(p11.CKM_AES_CMAC, p11.CKM_AES_CMAC_GENERAL, p11.CKK_AES, 16), needs: of(p11.CKM_AES_CMAC, p11.CKM_AES_CMAC_GENERAL)},
		"MacWithIvTest AES-GMAC": {run: gmac, needs: of(p11.CKM_AES_GMAC)},
		"KeywrapTest AES-WRAP":   {run: keywrap(p11.CKM_AES_KEY_WRAP), needs: of(p11.CKM_AES_KEY_WRAP)},
		"KeywrapTest AES-KWP":    {run: keywrap(p11.CKM_AES_KEY_WRAP_KWP), needs: of(p11.CKM_AES_KEY_WRAP_KWP)},

		"EcdsaP1363Verify":   {run: ecdsa, needs: of(p11.CKM_ECDSA), limits: []limit{shorter}},
		"EcdsaVerify":        {run: inDER, needs: of(p11.CKM_ECDSA)},
		"EcdsaBitcoinVerify": {run: inDER, needs: of(p11.CKM_ECDSA)},
		"EddsaVerify":        {run: eddsa, needs: of(p11.CKM_EDDSA)},
		"EcdhTest":           {run: agreement(inSPKI), needs: of(p11.CKM_ECDH1_DERIVE)},
		"EcdhEcpointTest":    {run: agreement(points), needs: of(p11.CKM_ECDH1_DERIVE)},
		"EcdhPemTest":        {run: agreement(inPEM), needs: of(p11.CKM_ECDH1_DERIVE)},
		"EcdhWebcryptoTest":  {run: agreement(inJWK), needs: of(p11.CKM_ECDH1_DERIVE)},
		"XdhComp":            {run: agreement(points), needs: of(p11.CKM_ECDH1_DERIVE)},
		"XdhAsnComp":         {run: agreement(inPKCS8), needs: of(p11.CKM_ECDH1_DERIVE)},
		"XdhPemComp":         {run: agreement(inPEM), needs: of(p11.CKM_ECDH1_DERIVE)},
		"XdhJwkComp":         {run: agreement(inJWK), needs: of(p11.CKM_ECDH1_DERIVE)},

		"RsassaPkcs1Verify":             {run: pkcs1Verify, needs: of(p11.CKM_RSA_PKCS)},
		"RsassaPkcs1Generate":           {run: pkcs1Sign, needs: of(p11.CKM_RSA_PKCS)},
		"RsassaPssVerify":               {run: pss, needs: of(p11.CKM_RSA_PKCS_PSS)},
		"RsassaPssWithParametersVerify": {run: pss, needs: of(p11.CKM_RSA_PKCS_PSS)},
		"RsaesPkcs1Decrypt":             {run: pkcs1Decrypt, needs: of(p11.CKM_RSA_PKCS)},
		"RsaesOaepDecrypt":              {run: oaep, needs: of(p11.CKM_RSA_PKCS_OAEP), limits: []limit{threePrimes}},
		"MLKEMTest":                     {run: mlkemSeed, needs: of(p11.CKM_ML_KEM)},
		"MLKEMKeyGen":                   {run: mlkemKeys, needs: of(p11.CKM_ML_KEM)},
		"MLKEMDecapsValidationTest":     {run: mlkemExpanded, needs: of(p11.CKM_ML_KEM)},
		"MLKEMEncapsTest":               {run: mlkemPublic, needs: of(p11.CKM_ML_KEM)},
		"DsaP1363Verify":                {run: dsa, needs: of(p11.CKM_DSA)},
		"DsaVerify":                     {run: dsaInDER, needs: of(p11.CKM_DSA)},
	}
	for name, h := range hashes {
		r["MacTest HMAC"+strings.Replace(name, "SHA-", "SHA", 1)] = route{run: mac(h.hmac, h.general, p11.CKK_GENERIC_SECRET, h.size), needs: of(h.hmac, h.general)}
		r["HkdfTest HKDF-"+name] = route{run: hkdf(h.digest), needs: of(p11.CKM_HKDF_DERIVE)}
	}
	for name, set := range map[string]uint64{"44": p11.CKP_ML_DSA_44, "65": p11.CKP_ML_DSA_65, "87": p11.CKP_ML_DSA_87} {
		r["MlDsaSign ML-DSA-"+name] = route{run: mldsaSign(set), needs: of(p11.CKM_ML_DSA)}
		r["MlDsaVerify ML-DSA-"+name] = route{run: mldsaVerify(set), needs: of(p11.CKM_ML_DSA)}
	}
	for name, prf := range map[string]uint64{
		"1": p11.CKP_PKCS5_PBKD2_HMAC_SHA1, "224": p11.CKP_PKCS5_PBKD2_HMAC_SHA224, "256": p11.CKP_PKCS5_PBKD2_HMAC_SHA256,
		"384": p11.CKP_PKCS5_PBKD2_HMAC_SHA384, "512": p11.CKP_PKCS5_PBKD2_HMAC_SHA512,
	} {
		r["PbkdfTest PBKDF2-HMACSHA"+name] = route{run: pbkdf2(prf), needs: of(p11.CKM_PKCS5_PBKD2)}
		for _, bits := range []int{128, 192, 256} {
			r[fmt.Sprintf("PbeTest PbeWithHmacSha%sAndAes_%d", name, bits)] = route{run: pbes2(prf, bits), needs: of(p11.CKM_PKCS5_PBKD2, p11.CKM_AES_CBC_PAD)}
		}
	}
	return r
}

// shorter is what PKCS #11 v3.2, section 6.3.1, demands of verification: r and s
// may be given in fewer bytes, each in as many.
var shorter = limit{"PKCS #11 lets r and s be given in fewer bytes, each in as many", p11.CKR_OK, func(g *group, v *vector) bool {
	var key struct{ Curve string }
	_ = json.Unmarshal(g.PublicKey, &key)
	n := len(v.Sig)
	return v.flagged("SignatureSize") && n%2 == 0 && 0 < n && n < 2*curves[key.Curve].size
}}

// threePrimes has keys with more than the two primes that attributes are for.
var threePrimes = limit{"an RSA private key of PKCS #11 has two primes, not three", p11.CKR_WRAPPED_KEY_INVALID, func(g *group, _ *vector) bool {
	s := cryptobyte.String(g.PrivateKeyPkcs8)
	var info, key, inner cryptobyte.String
	var version int
	return s.ReadASN1(&info, der.SEQUENCE) && info.SkipASN1(der.INTEGER) && info.SkipASN1(der.SEQUENCE) && info.ReadASN1(&key, der.OCTET_STRING) &&
		key.ReadASN1(&inner, der.SEQUENCE) && inner.ReadASN1Integer(&version) && version == 1
}}

func of(ms ...p11.MechanismType) []p11.MechanismType { return ms }

// noMechanism are algorithms that PKCS #11 v3.2 has no mechanism for, or that
// are none, by the beginning of the file's name.
var noMechanism = []struct{ prefix, why string }{
	{"a128cbc_hs256", "no mechanism in PKCS #11: AES-CBC with HMAC in one"},
	{"a192cbc_hs384", "no mechanism in PKCS #11: AES-CBC with HMAC in one"},
	{"a256cbc_hs512", "no mechanism in PKCS #11: AES-CBC with HMAC in one"},
	{"aead_aes_siv_cmac", "no mechanism in PKCS #11: AES-SIV"},
	{"aes_siv_cmac", "no mechanism in PKCS #11: AES-SIV"},
	{"aegis", "no mechanism in PKCS #11: AEGIS"},
	{"aes_eax", "no mechanism in PKCS #11: EAX"},
	{"aes_ff1", "no mechanism in PKCS #11: FF1"},
	{"aes_gcm_siv", "no mechanism in PKCS #11: AES-GCM-SIV"},
	{"aria_", "no mechanism in PKCS #11: ARIA in CCM, GCM, CMAC or key wrapping"},
	{"ascon", "no mechanism in PKCS #11: Ascon"},
	{"bls_", "no mechanism in PKCS #11: BLS"},
	{"c2sp_chunked", "no mechanism in PKCS #11: chunked encryption"},
	{"camellia_", "no mechanism in PKCS #11: Camellia in CCM, CMAC or key wrapping"},
	{"ec_prime_order_curves", "parameters of curves, nothing to compute"},
	{"hmac_sm3", "no mechanism in PKCS #11: SM3"},
	{"json_web_", "formats of JSON, which are the application's"},
	{"kmac", "no mechanism in PKCS #11: KMAC"},
	{"morus", "no mechanism in PKCS #11: MORUS"},
	{"primality", "no function in PKCS #11: a test of primality"},
	{"seed_", "no mechanism in PKCS #11: SEED in CCM, GCM or key wrapping"},
	{"siphash", "no mechanism in PKCS #11: SipHash"},
	{"sm4_", "no mechanism in PKCS #11: SM4"},
	{"vmac", "no mechanism in PKCS #11: VMAC"},
}
