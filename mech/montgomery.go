package mech

import (
	"bytes"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/dh/x448"

	"coffer/p11"
)

// montgomeryFamily has Montgomery keys and their generation (PKCS #11 v3.2,
// section 6.3). What they are for, CKM_ECDH1_DERIVE, is in ecdhFamily.
var montgomeryFamily = Family{
	Name:     "montgomery",
	KeyTypes: []KeyType{unapproved(ecxKeyType(p11.CKK_EC_MONTGOMERY, montgomeryCurves))},
	Mechanisms: []Mechanism{{
		Type:         p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
		Keys:         []p11.KeyType{p11.CKK_EC_MONTGOMERY},
		Size:         ecxSizes,
		Extra:        ecxFlags,
		GeneratePair: montgomeryCurves.generate,
	}},
}

var montgomeryCurves = ecxCurves{
	{
		curveID: curveID{
			oids: []string{
				"\x06\x03\x2b\x65\x6e",                             // RFC 8410
				"\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01", // that which GnuPG and OpenSC call curve25519
				// pkcs11-tool of OpenSC 0.23 sends the name with a length that is off by one.
				"\x13\x0bcurve25519",
			},
			names: []string{"curve25519", "X25519", "x25519", "id-X25519"},
		},
		bits: 255, size: 32,
		open: openX25519,
	},
	{
		curveID: curveID{
			oids:  []string{"\x06\x03\x2b\x65\x6f"},
			names: []string{"curve448", "X448", "x448", "id-X448"},
		},
		bits: 448, size: x448.Size,
		open: openX448,
	},
}

// errLowOrder is the answer to a public key with which every shared secret is
// zero (RFC 7748, section 6).
var errLowOrder = p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it has a low order")

// openX25519 takes circl's arithmetic: it is a third faster than that of
// crypto/ecdh, and leaves no copy of the key that cannot be wiped.
func openX25519(c *ecxCurve, private []byte) (*ecxPrivateKey, error) {
	key := (*x25519.Key)(bytes.Clone(private))
	var public x25519.Key
	x25519.KeyGen(&public, key)
	return &ecxPrivateKey{
		public:  ecxPublicKey{curve: c, bytes: public[:]},
		private: key[:],
		shared: func(public []byte) ([]byte, error) {
			peer := x25519.Key(public)
			var secret x25519.Key
			if !x25519.Shared(&secret, key, &peer) {
				return nil, errLowOrder
			}
			return secret[:], nil
		},
	}, nil
}

func openX448(c *ecxCurve, private []byte) (*ecxPrivateKey, error) {
	key := (*x448.Key)(bytes.Clone(private))
	var public x448.Key
	x448.KeyGen(&public, key)
	return &ecxPrivateKey{
		public:  ecxPublicKey{curve: c, bytes: public[:]},
		private: key[:],
		shared: func(public []byte) ([]byte, error) {
			peer := x448.Key(public)
			var secret x448.Key
			if !x448.Shared(&secret, key, &peer) {
				return nil, errLowOrder
			}
			return secret[:], nil
		},
	}, nil
}
