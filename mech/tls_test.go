package mech_test

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// A premaster secret with its version, and the randoms of both sides.
var (
	tlsPremaster = append([]byte{3, 3}, unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d")...)
	tlsClient    = bytes.Repeat([]byte{0x11}, 32)
	tlsServer    = bytes.Repeat([]byte{0x22}, 32)
)

// testTLSMaster: the answers are OpenSSL's (3.0, TLS1-PRF).
func testTLSMaster(t *testing.T, m *mech.Mechanism) {
	for prf, want := range map[p11.MechanismType]string{
		p11.CKM_SHA256: "674f57692819f5b43c0363f3ae9bd93986acf50e580500c440778a68d1ec6024dc0b2b7db9615acae681ad71cc30ab1c",
		p11.CKM_SHA384: "cc91ae6ab563acd76f15011e88ccda0e6caaa7572ef4af396896ed853b2a238cb3844265cba010a23f663c8f52b493a6",
	} {
		p := p11.TLS12MasterParams{PRF: prf, ClientRandom: tlsClient, ServerRandom: tlsServer}
		checkMaster(t, m, p, unhex(want), m.Type == p11.CKM_TLS12_MASTER_KEY_DERIVE, func(v []byte) p11.Params { p.OutVersion = v; return p })
	}
}

// testTLSExtended: the answers are OpenSSL's, and the last is that of the Go
// distribution's self-test.
func testTLSExtended(t *testing.T, m *mech.Mechanism) {
	for prf, v := range map[p11.MechanismType]struct {
		hash []byte
		want string
	}{
		p11.CKM_SHA256: {bytes.Repeat([]byte{0x33}, 32), "1a91b37b02c08a778ccfcd7fb289518a736d122565a7e73ae4b6fabee44e6cd904c801e58afed3220ea537ce5d82151e"},
		p11.CKM_SHA384: {bytes.Repeat([]byte{0x44}, 48), "716e434737ee770bc6156678437c3f334f9a44f2360a0469d33509fcffa591fdf3f526dcfb52a1136ec3a5921800d79c"},
	} {
		p := p11.TLS12ExtendedParams{PRF: prf, SessionHash: v.hash}
		checkMaster(t, m, p, unhex(v.want), m.Type == p11.CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, func(v []byte) p11.Params { p.OutVersion = v; return p })
	}
	if m.Type == p11.CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH {
		checkDerives(t, m, secret(unhex("0102030405060708090a0b0c0d0e0f10")),
			p11.TLS12ExtendedParams{PRF: p11.CKM_SHA256, SessionHash: unhex("1112131415161718191a1b1c1d1e1f20")}, 48,
			unhex("8c3eeda71c1b4cc0a0449075a88ebc7c5e1c4b1e4fe3c106ebdcc05dc0c8ecf3e2b9d1035eb2605d12684f49dfa99dcc"))
	}
}

func checkMaster(t *testing.T, m *mech.Mechanism, p p11.Params, want []byte, versioned bool, with func(version []byte) p11.Params) {
	t.Helper()
	checkDerives(t, m, secret(tlsPremaster), p, 0, want)
	got := checkDerives(t, m, secret(tlsPremaster), p, 48, want)
	if list := got.Values.Bytes(p11.CKA_ALLOWED_MECHANISMS); len(list) == 0 || len(list)%8 != 0 {
		t.Errorf("CKA_ALLOWED_MECHANISMS has %d bytes", len(list))
	}
	version := make([]byte, 2)
	_, err := deriveFrom(m, secret(tlsPremaster), with(version), 48)
	if versioned && (err != nil || !bytes.Equal(version, tlsPremaster[:2])) || !versioned && p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
		t.Errorf("with a place for the version: %x, %v", version, err)
	}
	if _, err := deriveFrom(m, secret(tlsPremaster), p, 32); p11.Code(err) != p11.CKR_TEMPLATE_INCONSISTENT {
		t.Errorf("a master secret of 32 bytes: %v", err)
	}
}

// testTLSKDF has the vectors for TLS 1.2's P_SHA256 that the TLS working
// group's list has (seed and label as RFC 5705 joins them), and OpenSSL's
// answers with a context.
func testTLSKDF(t *testing.T, m *mech.Mechanism) {
	got := checkDerives(t, m, secret(unhex("9bbe436ba940f017b17652849a71db35")), p11.TLSKDFParams{
		PRF: p11.CKM_SHA256, Label: []byte("test label"), ClientRandom: unhex("a0ba9f936cda3118"), ServerRandom: unhex("27a6f796ffd5198c"),
	}, 100, unhex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"+
		"4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"))
	if !got.Inherits {
		t.Error("the new key does not inherit its secrecy")
	}
	for prf, want := range map[p11.MechanismType]string{
		p11.CKM_SHA256: "d92fba4c216aa527d8ce75bd8abaedfd9d110e3faea5fef43735348e22230469ba9479ea6cc73c9927ee7dee5df7d6978023cf32bb67d95ecb96ad614f3815f2f9c1d16bcc17e8254d9e904aed1283f1b12699a79ab9eb053d8bfc44cb22cb58f18df390",
		p11.CKM_SHA384: "996ea68467c3dd000b1b36d4d4e2371b6cd90b83d705da1a96cf1a60bfa067910bff75441ccd3ffa6024d76b8c0525a1d6a73cb29182604885f0c9cbc5ecddb4df2b5890c68d2289e4ecdc58d3e91f87ce78c7d77379e1c6c9cb9fc35fc3e314f85bb8a7",
	} {
		checkDerives(t, m, secret(tlsPremaster), p11.TLSKDFParams{
			PRF: prf, Label: []byte("EXPORTER"), ClientRandom: tlsClient, ServerRandom: tlsServer, Context: []byte("abc"),
		}, 100, unhex(want))
	}
}

// testTLSMAC: the answers are OpenSSL's.
func testTLSMAC(t *testing.T, m *mech.Mechanism) {
	data := bytes.Repeat([]byte{0x33}, 32)
	for prf, want := range map[p11.MechanismType][2]string{
		p11.CKM_SHA256: {"47026b3c9fa71a0a9ad7a722bb34f498e56581d5", "08824f36e8d101bdae923ebeadc91760e972781e"},
		p11.CKM_SHA384: {"7b05aff26b8ab4652a494a1212c158b454ddd82f", "398be138201c26d38398704844bd02917bd63dc4"},
	} {
		for i, mac := range want {
			for _, n := range []int{12, 20} {
				p := p11.TLSMACParams{PRF: prf, Length: uint64(n), Side: uint64(i + 1)}
				checkMAC(t, m, secret(tlsPremaster), p, data, unhex(mac)[:n], true)
				checkMAC(t, m, secret(tlsPremaster), p, data[1:], unhex(mac)[:n], false)
			}
		}
	}
}
