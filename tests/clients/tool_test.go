package clients

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"

	"coffer/tests/built"
)

// userFails runs pkcs11-tool, logged in; it has to fail and name why.
func (b *bench) userFails(why string, args ...string) {
	b.t.Helper()
	b.toolFails(why, append([]string{"--login", "--pin", pin}, args...)...)
}

func (b *bench) toolFails(why string, args ...string) {
	b.t.Helper()
	b.fails(why, built.Need(b.t, "pkcs11-tool", "opensc"),
		append([]string{"--module", b.lib, "--token-label", label}, args...)...)
}

// generate makes a key or a key pair, labelled as its type.
func (b *bench) generate(typ, id string, more ...string) {
	b.t.Helper()
	how := "--keypairgen"
	if strings.HasPrefix(typ, "AES:") || strings.HasPrefix(typ, "GENERIC:") {
		how = "--keygen"
	}
	b.user(append([]string{how, "--key-type", typ, "--id", id, "--label", typ}, more...)...)
}

// An entry is an object as pkcs11-tool lists it: "Public Key Object; RSA 2048
// bits" and the lines below.
type entry struct {
	title string
	field map[string]string
}

// entries reads what --list-objects prints.
func entries(listing string) []entry {
	var all []entry
	for line := range strings.Lines(listing) {
		line = strings.TrimRight(line, "\n")
		name, value, ok := strings.Cut(line, ":")
		switch {
		case ok && strings.HasPrefix(line, "  ") && len(all) > 0:
			all[len(all)-1].field[strings.TrimSpace(name)] = strings.TrimSpace(value)
		case line != "" && !strings.HasPrefix(line, " "):
			all = append(all, entry{title: line, field: map[string]string{}})
		}
	}
	return all
}

// object returns the one object of a class with an ID.
func (b *bench) object(class, id string) entry {
	b.t.Helper()
	listing := b.user("--list-objects", "--type", class, "--id", id)
	for _, e := range entries(listing) {
		if e.field["ID"] == id {
			return e
		}
	}
	b.t.Fatalf("no %s with ID %s in\n%s", class, id, listing)
	panic("unreachable")
}

// public writes the public key with an ID to a PEM file and returns its name.
func (b *bench) public(id string) string {
	b.t.Helper()
	e := b.object("pubkey", id)
	file := "public-" + id + ".pem"
	if strings.HasPrefix(e.title, "Public Key Object; EC ") || strings.Contains(e.title, "EC_MONTGOMERY") {
		// pkcs11-tool 0.23 reads out no P-384 key ("cannot create EVP_PKEY")
		// and no X25519 key, so these come from the listing.
		b.write(file, publicPEM(b.t, e.field["EC_POINT"]))
		return file
	}
	b.tool("--read-object", "--type", "pubkey", "--id", id, "--output-file", "public")
	if der := b.read("public"); bytes.HasPrefix(der, []byte("-----BEGIN")) {
		b.write(file, der) // of Ed25519 keys 0.23 writes PEM
	} else {
		b.write(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return file
}

// publicPEM makes a PEM file of a CKA_EC_POINT in hex: an OCTET STRING with a
// point whose length tells the curve.
func publicPEM(t *testing.T, text string) []byte {
	t.Helper()
	point, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	head := 2
	if len(point) > 2+127 {
		head = 3
	}
	point = point[head:]
	var key any
	switch curve := map[int]elliptic.Curve{
		57: elliptic.P224(), 65: elliptic.P256(), 97: elliptic.P384(), 133: elliptic.P521(),
	}[len(point)]; {
	case curve != nil:
		key, err = ecdsa.ParseUncompressedPublicKey(curve, point)
	default:
		key, err = ecdh.X25519().NewPublicKey(point)
	}
	if err != nil {
		t.Fatalf("EC_POINT %s: %v", text, err)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// pattern returns n bytes that are not alike.
func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*i>>3 + i)
	}
	return data
}
