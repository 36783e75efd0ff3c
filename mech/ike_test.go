package mech_test

import (
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// A vector of NIST's CAVP for IKEv2 with HMAC-SHA-1, which Libreswan tests
// itself with.
var (
	ikeNi          = unhex("32b50d5f4a3763f3")
	ikeNr          = unhex("9206a04b26564cb1")
	ikeShared      = unhex("4b2c1f971981a8ad8d0abeafabf38cf75fc8349c148142465ed9c8b516b8be52")
	ikeSharedNew   = unhex("863f3c9d06efd39d2b907b97f8699e5dd5251ef64a2a176f36ee40c87d4f9330")
	ikeSPIs        = unhex("34c9e7c188868785 3ff77d760d2b2199")
	ikeSeed        = unhex("a9a7b222b59f8f48645f28a1db5b5f5d7479cba7")
	ikeRekeyedSeed = unhex("63e81194946ebd05df7df5ebf5d8750056bf1f1d")
	ikeMaterial    = unhex("a14293677cc80ff8f9cc0eee30d895da9d8f405666e30ef0dfcb63c634a46002a2a63080e514a062768b76606f9fa5e992204fc5a670bde3f10d6b027113936a" +
		"5c55b648a194ae587b0088d52204b702c979fa280870d2ed41efa9c549fd11198af1670b143d384bd275c5f594cf266b05ebadca855e4249520a441a81157435a7a56cc4")
)

// The secrets of an IKEv1 exchange with a pre-shared key and HMAC-SHA-1 as the
// state machine extractor of Ruhr University Bochum recorded them.
var (
	ike1Shared = unhex("19B67B23EB5F792EC9D7E11D16501CA20F2A2D0B230D525CD824DFB16867B515DC2CE9560B20B2149BFB360C1662C26A5AD7FE1FAA86E66213238C80B2ED46CC" +
		"B821BF5043093027EB6E32C71685A093306DF20C24190C7F93947FA21E56D10E4C5B7063B2B4DC1747F1DF0BD46975D1825EEDE335E3ACBAD71A063CECF866C7")
	ike1ID, ike1D, ike1A, ike1E = unhex("49856BC53F30DB8CE55F5BEFAE9E42431279550C"), unhex("E5D7368180A8766F09C90CC9AC15182D3CD492EE"),
		unhex("92DE109FE83047C95812B600820F1476CD24AA49"), unhex("DE5D24679AD21491E63E2D7173017769CD7B9BC5")
)

func sha1Key(value []byte) mech.Key { return testKey{p11.CKK_SHA_1_HMAC, value} }

func testIKEPRF(t *testing.T, m *mech.Mechanism) {
	p := p11.IKEPRFParams{PRF: p11.CKM_SHA_1_HMAC, DataAsKey: true, Ni: ikeNi, Nr: ikeNr}
	checkDerives(t, m, secret(ikeShared), p, 0, ikeSeed)
	checkDerives(t, m, secret(ikeShared), p, 20, ikeSeed)
	rekey := p11.IKEPRFParams{PRF: p11.CKM_SHA_1_HMAC, Rekey: true, NewKey: 1, Ni: ikeNi, Nr: ikeNr}
	checkDerives(t, m, sha1Key(ikeMaterial[:20]), rekey, 0, ikeRekeyedSeed, secret(ikeSharedNew))
	checkDerives(t, m, secret([]byte("AAAA")), p11.IKEPRFParams{
		PRF: p11.CKM_SHA_1_HMAC, Ni: unhex("4654fdd74594982a"), Nr: unhex("3673e64987b4956dbb8b933399251a5abf88f557a723b802b345f838667e9a4e"),
	}, 0, ike1ID)
	if _, err := deriveFrom(m, secret(ikeShared), p, 16); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
		t.Errorf("another length than the function's: %v", err)
	}
	p.Rekey = true
	if _, err := deriveFrom(m, secret(ikeShared), p, 0); p11.Code(err) != p11.CKR_ARGUMENTS_BAD {
		t.Errorf("both of what exclude each other: %v", err)
	}
}

func testIKE2PRFPlus(t *testing.T, m *mech.Mechanism) {
	seed := append(append(append([]byte(nil), ikeNi...), ikeNr...), ikeSPIs...)
	checkDerives(t, m, secret(ikeSeed), p11.IKE2PRFPlusParams{PRF: p11.CKM_SHA_1_HMAC, Seed: seed}, 132, ikeMaterial)
	checkDerives(t, m, sha1Key(ikeSeed), p11.IKE2PRFPlusParams{PRF: p11.CKM_SHA_1_HMAC, HasSeedKey: true, SeedKey: 1, Seed: seed[8:]}, 132, ikeMaterial, secret(seed[:8]))
	for n, want := range map[int]p11.RV{0: p11.CKR_TEMPLATE_INCOMPLETE, 255 * 20: p11.CKR_OK, 255*20 + 1: p11.CKR_KEY_SIZE_RANGE} {
		if _, err := deriveFrom(m, secret(ikeSeed), p11.IKE2PRFPlusParams{PRF: p11.CKM_SHA_1_HMAC, Seed: seed}, n); p11.Code(err) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func testIKE1PRF(t *testing.T, m *mech.Mechanism) {
	p := p11.IKE1PRFParams{PRF: p11.CKM_SHA_1_HMAC, SharedKey: 1, CKYi: unhex("7116900aa5c2880d"), CKYr: unhex("047ad6f8b3d0abb7")}
	checkDerives(t, m, sha1Key(ike1ID), p, 0, ike1D, secret(ike1Shared))
	checkDerives(t, m, sha1Key(ike1ID), p, 7, ike1D[:7], secret(ike1Shared))
	p.HasPrevKey, p.PrevKey, p.KeyNumber = true, 2, 1
	checkDerives(t, m, sha1Key(ike1ID), p, 0, ike1A, secret(ike1Shared), secret(ike1D))
	p.KeyNumber = 2
	checkDerives(t, m, sha1Key(ike1ID), p, 0, ike1E, secret(ike1Shared), secret(ike1A))
	if _, err := deriveFrom(m, sha1Key(ike1ID), p, 21, secret(ike1Shared), secret(ike1A)); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
		t.Errorf("more than the function gives: %v", err)
	}
}

// testIKE1Extended: the cipher key of the exchange is the beginning of
// SKEYID_e; the longer ones were computed block by block with the HMAC of
// OpenSSL.
func testIKE1Extended(t *testing.T, m *mech.Mechanism) {
	p := p11.IKE1ExtendedParams{PRF: p11.CKM_SHA_1_HMAC}
	checkShows(t, checkDerives(t, m, sha1Key(ike1E), p, 16, unhex("DE5D24679AD21491E63E2D7173017769")), mech.ShowsPart)
	checkDerives(t, m, sha1Key(ike1D), p, 48, unhex("98101a095035720b3cb12f9d5fde410d8207ff679200bcd948d393e3c5f479485631fe34911da066ed7f6a618d2118f2"))
	p.Extra = []byte("extra data")
	checkDerives(t, m, sha1Key(ike1D), p, 16, unhex("ea73cc462af1205d61f2cad0ca193604"))
	p.HasSharedKey, p.SharedKey = true, 1
	checkDerives(t, m, sha1Key(ike1D), p, 36, unhex("914210ce60ef3a98e99752ea5e25b6f617110f2c23617c6066d5ffb0e72d44014ace73f4"), secret(sp800IV))
}
