package mech_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// BenchmarkKeyPairs measures each operation beside what Go's packages take for
// the same, with a key parsed beforehand on both sides. On the side of mech the
// Op is made and wiped each time, as C_SignInit and C_Sign do.
func BenchmarkKeyPairs(b *testing.B) {
	digest := sha256.Sum256([]byte("message"))
	signer := func(b *testing.B, typ p11.MechanismType, priv *pairKey, p p11.Params, data []byte) func() {
		m := lookup(b, typ)
		dst := make([]byte, 512)
		return func() {
			op, err := m.Sign(priv, p)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := op.Final(dst, data); err != nil {
				b.Fatal(err)
			}
			op.Wipe()
		}
	}
	verifier := func(b *testing.B, typ p11.MechanismType, pub, priv *pairKey, p p11.Params, data []byte) func() {
		m := lookup(b, typ)
		sig := sign(b, m, priv, p, data)
		return func() {
			if err := verify(m, pub, p, data, sig); err != nil {
				b.Fatal(err)
			}
		}
	}

	ecPub, ecPriv, _, ecValues := generated(b, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp256r1"]))
	ec, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), ecValues.Bytes(p11.CKA_VALUE))
	if err != nil {
		b.Fatal(err)
	}
	ecSig, _ := ecdsa.SignASN1(rand.Reader, ec, digest[:])
	compare(b, "ECDSA P-256 sign", signer(b, p11.CKM_ECDSA, ecPriv, nil, digest[:]), func() { ecdsa.SignASN1(rand.Reader, ec, digest[:]) })
	compare(b, "ECDSA P-256 verify", verifier(b, p11.CKM_ECDSA, ecPub, ecPriv, nil, digest[:]), func() { ecdsa.VerifyASN1(&ec.PublicKey, digest[:], ecSig) })

	_, edPriv, _, edValues := generated(b, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, ecParams(curveOIDs["edwards25519"]))
	edPub := mustParseKey(b, p11.CKO_PUBLIC_KEY, p11.CKK_EC_EDWARDS, ecParams(curveOIDs["edwards25519"]).With(
		attr.NewBytes(p11.CKA_EC_POINT, ed25519.NewKeyFromSeed(edValues.Bytes(p11.CKA_VALUE))[32:])))
	ed := ed25519.NewKeyFromSeed(edValues.Bytes(p11.CKA_VALUE))
	edSig := ed25519.Sign(ed, digest[:])
	compare(b, "Ed25519 sign", signer(b, p11.CKM_EDDSA, edPriv, nil, digest[:]), func() { ed25519.Sign(ed, digest[:]) })
	compare(b, "Ed25519 verify", verifier(b, p11.CKM_EDDSA, edPub, edPriv, nil, digest[:]), func() { ed25519.Verify(ed25519.PublicKey(ed[32:]), digest[:], edSig) })

	r := rsaPair(b)
	key := rsaKeyOf(r.private)
	pss := p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, SaltLen: 32}
	rsaSig, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	info := append(unhex("3031300d060960864801650304020105000420"), digest[:]...)
	barePKCS := func() { rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]) }
	compare(b, "RSA-2048 PKCS sign", signer(b, p11.CKM_RSA_PKCS, r.private, nil, info), barePKCS)
	compare(b, "RSA-2048 X.509 sign", signer(b, p11.CKM_RSA_X_509, r.private, nil, info), barePKCS)
	compare(b, "RSA-2048 PSS sign", signer(b, p11.CKM_RSA_PKCS_PSS, r.private, pss, digest[:]), func() {
		rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
	})
	compare(b, "RSA-2048 PKCS verify", verifier(b, p11.CKM_RSA_PKCS, r.public, r.private, nil, info), func() {
		rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], rsaSig)
	})

	derivation := func(typ p11.KeyType, gen p11.MechanismType, curve string) func() {
		_, priv, values, _ := generated(b, gen, ecParams(curveOIDs[curve]))
		m := lookup(b, p11.CKM_ECDH1_DERIVE)
		d := mech.Derivation{Base: priv, Params: p11.ECDH1Params{KDF: p11.CKD_NULL, Public: values.Bytes(p11.CKA_EC_POINT)}, Length: 32}
		return func() {
			if _, err := m.Derive(d); err != nil {
				b.Fatal(err)
			}
		}
	}
	bare := func(c ecdh.Curve) func() {
		own, err := c.GenerateKey(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		point := own.PublicKey().Bytes()
		return func() {
			peer, err := c.NewPublicKey(point)
			if err != nil {
				b.Fatal(err)
			}
			own.ECDH(peer)
		}
	}
	compare(b, "ECDH P-256", derivation(p11.CKK_EC, p11.CKM_EC_KEY_PAIR_GEN, "secp256r1"), bare(ecdh.P256()))
	compare(b, "X25519", derivation(p11.CKK_EC_MONTGOMERY, p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "curve25519"), bare(ecdh.X25519()))
}

// compare runs an operation of mech and the same in Go alone, in slices by
// turns, since the speed of a machine changes from one second to the next. It
// reports how fast the first is in terms of the second.
func compare(b *testing.B, name string, ours, bare func()) {
	const slice = 16
	b.Run(name, func(b *testing.B) {
		ours()
		bare()
		var mine, theirs []float64
		for b.Loop() {
			mine = append(mine, timeOf(slice, ours))
			theirs = append(theirs, timeOf(slice, bare))
		}
		b.ReportMetric(median(mine)/slice, "ns/mech")
		b.ReportMetric(median(theirs)/slice, "ns/bare")
		b.ReportMetric(median(theirs)/median(mine), "speed")
	})
}

// timeOf returns the nanoseconds that n runs take.
func timeOf(n int, run func()) float64 {
	began := time.Now()
	for range n {
		run()
	}
	return float64(time.Since(began))
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
