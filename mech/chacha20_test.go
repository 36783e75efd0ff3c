package mech_test

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

func testChaCha20(t *testing.T, m *mech.Mechanism) {
	sunscreen := []byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")
	dhole := []byte("The dhole (pronounced \"dole\") is also known as the Asiatic wild dog, red dog, and whistling dog. It is about the size of a German shepherd but looks more like a long-legged fox. This highly elusive and skilled jumper is classified with wolves, coyotes, jackals, and foxes in the taxonomic family Canidae.")
	order := unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	for name, v := range map[string]struct {
		key    []byte
		p      p11.ChaCha20Params
		plain  []byte
		cipher string
	}{
		"RFC 8439, section 2.4.2": {
			order, p11.ChaCha20Params{Counter: 1, CounterBits: 32, Nonce: unhex("000000000000004a00000000")}, sunscreen,
			"6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d",
		},
		"RFC 8439, appendix A.2, test vector 1, and the original's key stream for a nonce of zeros": {
			make([]byte, 32), p11.ChaCha20Params{CounterBits: 64, Nonce: make([]byte, 8)}, make([]byte, 64),
			"76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
		},
		"draft-irtf-cfrg-xchacha, appendix A.3.2.1": {
			unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
			p11.ChaCha20Params{CounterBits: 64, Nonce: unhex("404142434445464748494a4b4c4d4e4f5051525354555658")}, dhole[:64],
			"4559abba4e48c16102e8bb2c05e6947f50a786de162f9b0b7e592a9b53d0d4e98d8d6410d540a1a6375b26d80dace4fab52384c731acbf16a5923c0c48d3575d",
		},
		"OpenSSL 3.0 where the lower half of the counter overflows": {
			order, p11.ChaCha20Params{Counter: 0x04030201_ffffffff, CounterBits: 64, Nonce: unhex("05060708090a0b0c")}, make([]byte, 160),
			"c4e9bc95855bfc7f5456e79b23564422a662e195208fc8a7d24bd6c35a366573688febc54eade68bc3d3e3529dcec58ac73440107ff9021defca771ad3825c3d" +
				"75a6618702d9fa8d1c1fbd1a2646acddecfe7f93b195ce7b567e7f69ce2dab0add6df89f664445dd31e670d16720f8cc18aa85e83e05573af3f8897fde0b5cdf" +
				"6069ab2d30a74344a995def888b4a3f5c115fc727b8f7eeb5482396c5677cc92",
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkBoth(t, m, keyFor(m, v.key), v.p, v.plain, unhex(v.cipher))
		})
	}
}

// TestChaCha20CountsBlocks: 2^32 blocks with the nonce of RFC 8439, and not one
// byte more; 2^64 with the others.
func TestChaCha20CountsBlocks(t *testing.T) {
	m := lookup(t, p11.CKM_CHACHA20)
	k := keyFor(m, make([]byte, 32))
	for _, c := range []struct {
		nonce   int
		counter uint64
		room    int
	}{{12, 1<<32 - 2, 128}, {12, 1<<32 - 1, 64}, {8, 1<<64 - 2, 128}, {24, 1<<64 - 1, 64}, {8, 1<<32 - 1, 10000}, {24, 1<<63 - 1, 10000}} {
		p := p11.ChaCha20Params{Counter: c.counter, CounterBits: 64, Nonce: make([]byte, c.nonce)}
		if _, err := whole(t, m.Encrypt, k, p, make([]byte, c.room)); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if c.room == 10000 {
			continue
		}
		if _, err := whole(t, m.Encrypt, k, p, make([]byte, c.room+1)); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
			t.Errorf("%+v, one byte more: %v", c, err)
		}
		if _, err := cut(t, 13, m.Encrypt, k, p, make([]byte, c.room+1)); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
			t.Errorf("%+v, one byte more in parts: %v", c, err)
		}
	}
}

func testChaCha20Poly1305(t *testing.T, m *mech.Mechanism) {
	for _, file := range []string{"chacha20_poly1305_test.json", "xchacha20_poly1305_test.json"} {
		eachWycheproof(t, file, func(t *testing.T, g group, v vector) {
			k, p := keyFor(m, v.Key), p11.ChaCha20Poly1305Params{Nonce: v.IV, AAD: v.AAD}
			if v.Result == "valid" {
				checkBoth(t, m, k, p, v.Msg, append(v.CT, v.Tag...))
				return
			}
			want := p11.CKR_ENCRYPTED_DATA_INVALID
			if v.flagged("InvalidNonceSize") {
				want = p11.CKR_MECHANISM_PARAM_INVALID
				if len(v.IV) == 12 || len(v.IV) == 24 {
					t.Skip("the nonce is one for the algorithm of the other file")
				}
			}
			if _, err := whole(t, m.Decrypt, k, p, append(v.CT, v.Tag...)); p11.Code(err) != want {
				t.Errorf("got %v, want %v", err, want)
			}
			if _, err := cut(t, 5, m.Decrypt, k, p, append(v.CT, v.Tag...)); p11.Code(err) != want {
				t.Errorf("in parts: got %v, want %v", err, want)
			}
		})
	}
}

// testPoly1305 has RFC 8439, section 2.5.2, and vectors of its appendix A.3.
func testPoly1305(t *testing.T, m *mech.Mechanism) {
	for _, v := range []struct {
		key  string
		data []byte
		mac  string
	}{
		{"85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b", []byte("Cryptographic Forum Research Group"), "a8061dc1305136c6c22b8baf0c0127a9"},
		{"0000000000000000000000000000000000000000000000000000000000000000", make([]byte, 64), "00000000000000000000000000000000"},
		{"0200000000000000000000000000000000000000000000000000000000000000", bytes.Repeat([]byte{0xff}, 16), "03000000000000000000000000000000"},
		{"02000000000000000000000000000000ffffffffffffffffffffffffffffffff", unhex("02000000000000000000000000000000"), "03000000000000000000000000000000"},
		{"0100000000000000000000000000000000000000000000000000000000000000", unhex("fffffffffffffffffffffffffffffffff0ffffffffffffffffffffffffffffff11000000000000000000000000000000"), "05000000000000000000000000000000"},
	} {
		checkMAC(t, m, keyFor(m, unhex(v.key)), nil, v.data, unhex(v.mac), true)
		wrong := unhex(v.mac)
		wrong[15] ^= 1
		checkMAC(t, m, keyFor(m, unhex(v.key)), nil, v.data, wrong, false)
	}
}
