package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPKCS11ToolWritesRSAKeys of every form OpenSSL has. pkcs11-tool 0.23 with
// OpenSSL 3 gives a prime as CKA_PRIVATE_EXPONENT (it reads RSA_FACTOR1 into
// it): a private key has to work by its primes.
func TestPKCS11ToolWritesRSAKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.messages()
	for i, bits := range []int{1024, 2048} {
		id := fmt.Sprintf("%02x", i+1)
		b.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", fmt.Sprintf("rsa_keygen_bits:%d", bits), "-out", "key.pem")
		b.openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
		b.openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der")
		b.openssl("pkey", "-in", "key.pem", "-outform", "DER", "-out", "key.der")
		b.user("--write-object", []string{"key.pem", "key.der"}[i], "--type", "privkey", "--id", id, "--usage-sign", "--usage-decrypt")
		b.user("--write-object", []string{"public.pem", "public.der"}[i], "--type", "pubkey", "--id", id)

		b.tool("--read-object", "--type", "pubkey", "--id", id, "--output-file", "again.der")
		b.same("again.der", "public.der")
		s := b.sign("SHA256-RSA-PKCS", id, "short")
		b.verified("dgst", "-sha256", "-verify", "public.pem", "-signature", s, "short")
		b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "short", "-out", "cipher")
		b.user("--decrypt", "--mechanism", "RSA-PKCS", "--id", id, "--input-file", "cipher", "--output-file", "again")
		b.same("again", "short")
	}
}

// TestPKCS11ToolWritesECKeys of every curve. 0.23 writes the private value
// without its leading zeros, which one key in 256 has.
func TestPKCS11ToolWritesECKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.messages()
	for i, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		for j, scalar := range [][]byte{pattern((curve.Params().BitSize + 7) / 8), {0x01, 0x02, 0x03}} {
			id := fmt.Sprintf("%d%d", i, j)
			size := (curve.Params().BitSize + 7) / 8
			value := make([]byte, size)
			copy(value[size-len(scalar):], scalar)
			value[0] = 0 // below the order of any curve
			key, err := ecdsa.ParseRawPrivateKey(curve, value)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			b.write("key.der", der)
			b.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
			b.openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
			b.user("--write-object", []string{"key.pem", "key.der"}[j], "--type", "privkey", "--id", id, "--usage-sign", "--usage-derive")
			b.user("--write-object", "public.pem", "--type", "pubkey", "--id", id, "--usage-sign")
			if got, want := b.read(b.public(id)), b.read("public.pem"); string(got) != string(want) {
				t.Errorf("%s: read\n%s, wrote\n%s", curve.Params().Name, got, want)
			}
			s := b.sign("ECDSA-SHA256", id, "short", "--signature-format", "openssl")
			b.verified("dgst", "-sha256", "-verify", "public.pem", "-signature", s, "short")
		}
	}
}

func TestPKCS11ToolWritesAndReadsCertificates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
		"-subj", "/O=Example/CN=written", "-set_serial", "4711", "-out", "cert.pem")
	b.openssl("x509", "-in", "cert.pem", "-outform", "DER", "-out", "cert.der")
	b.user("--write-object", "cert.pem", "--type", "cert", "--id", "01", "--label", "from PEM")
	b.user("--write-object", "cert.der", "--type", "cert", "--id", "02", "--label", "from DER", "--undestroyable")
	b.user("--write-object", "key.pem", "--type", "privkey", "--id", "01", "--attr-from", "cert.der")

	for _, of := range [][]string{{"--id", "01"}, {"--label", "from DER"}} {
		b.tool(append([]string{"--read-object", "--type", "cert", "--output-file", "again.der"}, of...)...)
		b.same("again.der", "cert.der")
	}
	listing := b.tool("--list-objects", "--type", "cert")
	for _, want := range []string{"Certificate Object; type = X.509 cert", "label:      from PEM", "subject:    DN: O=Example, CN=written", "serial:     1267", "ID:         02"} {
		if !strings.Contains(listing, want) {
			t.Errorf("no %q in\n%s", want, listing)
		}
	}
	b.user("--delete-object", "--type", "cert", "--id", "01")
	// CKR_ACTION_PROHIBITED, which 0.23 does not know.
	b.userFails("rv = unknown PKCS11 error (0x1b)", "--delete-object", "--type", "cert", "--id", "02")
	b.userFails("object not found", "--delete-object", "--type", "cert", "--id", "01")
	b.tool("--read-object", "--type", "cert", "--id", "02", "--output-file", "again.der")
	b.same("again.der", "cert.der")
}

func TestPKCS11ToolWritesAndReadsData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("data", pattern(4999)) // 0.23 reads at most 5000 bytes
	b.write("other", pattern(10))
	b.user("--write-object", "data", "--type", "data", "--label", "open", "--application-label", "the application", "--application-id", "1.2.840.113549.1.1")
	b.user("--write-object", "other", "--type", "data", "--label", "closed", "--private")

	for _, of := range [][]string{{"--label", "open"}, {"--application-label", "the application"}, {"--application-id", "1.2.840.113549.1.1"}} {
		b.tool(append([]string{"--read-object", "--type", "data", "--output-file", "again"}, of...)...)
		b.same("again", "data")
	}
	b.toolFails("object not found", "--read-object", "--type", "data", "--label", "closed", "--output-file", "none")
	b.user("--read-object", "--type", "data", "--label", "closed", "--output-file", "again")
	b.same("again", "other")

	listing := b.tool("--list-objects", "--type", "data")
	for _, want := range []string{"label:          'open'", "application:    'the application'", "app_id:         1.2.840.113549.1.1"} {
		if !strings.Contains(listing, want) {
			t.Errorf("no %q in\n%s", want, listing)
		}
	}
	b.user("--delete-object", "--type", "data", "--application-label", "the application")
	b.userFails("object not found", "--read-object", "--type", "data", "--label", "open", "--output-file", "none")
}

// TestPKCS11ToolReadsOnlyWhatIsNotSensitive: secret keys, that is; 0.23 reads
// no private keys ("not (yet) supported").
func TestPKCS11ToolReadsOnlyWhatIsNotSensitive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.secret("AES", "01", pattern(32), "--extractable")
	b.secret("AES", "02", pattern(32), "--extractable", "--sensitive")
	b.secret("AES", "03", pattern(32))
	b.generate("AES:32", "04", "--extractable")
	b.generate("AES:32", "05", "--sensitive")

	b.user("--read-object", "--type", "secrkey", "--id", "01", "--output-file", "again")
	b.same("again", "key-01")
	b.user("--read-object", "--type", "secrkey", "--id", "04", "--output-file", "again")
	if got, listed := hex.EncodeToString(b.read("again")), b.object("secrkey", "04").field["VALUE"]; got != listed || len(got) != 64 {
		t.Errorf("read %s, listed %s", got, listed)
	}
	for _, id := range []string{"02", "03", "05"} {
		b.userFails("CKR_ATTRIBUTE_SENSITIVE", "--read-object", "--type", "secrkey", "--id", id, "--output-file", "none")
	}
	for id, want := range map[string]string{
		"01": "extractable",
		"02": "sensitive, extractable",
		"04": "extractable, local",
		"05": "sensitive, always sensitive, never extractable, local",
	} {
		if got := b.object("secrkey", id).field["Access"]; got != want {
			t.Errorf("key %s: access %q, want %q", id, got, want)
		}
	}
}

// TestPKCS11ToolSeesPublicObjectsWithoutLogin, and after a login all.
func TestPKCS11ToolSeesPublicObjectsWithoutLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("EC:prime256v1", "01")
	b.generate("AES:32", "02", "--private")
	b.generate("AES:16", "03")
	visible := func(args ...string) string {
		var all []string
		for _, e := range entries(b.tool(append(args, "--list-objects")...)) {
			if title, _, _ := strings.Cut(e.title, ";"); !strings.HasPrefix(title, "Profile object") {
				all = append(all, e.field["ID"]+" "+title)
			}
		}
		slices.Sort(all) // the order of a search is not defined
		return strings.Join(all, ", ")
	}
	if got, want := visible(), "01 Public Key Object, 03 Secret Key Object"; got != want {
		t.Errorf("without login: %s, want %s", got, want)
	}
	if got, want := visible("--login", "--pin", pin), "01 Private Key Object, 01 Public Key Object, 02 Secret Key Object, 03 Secret Key Object"; got != want {
		t.Errorf("after login: %s, want %s", got, want)
	}
}

func TestPKCS11ToolRenamesAndDeletes(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	b.generate("EC:prime256v1", "01")
	for _, class := range []string{"privkey", "pubkey"} {
		b.user("--type", class, "--id", "01", "--set-id", "aabb")
		if got := b.object(class, "aabb").field["label"]; got != "EC:prime256v1" {
			t.Errorf("the %s is called %q", class, got)
		}
	}
	b.messages()
	b.sign("ECDSA-SHA1", "aabb", "short")
	b.user("--delete-object", "--type", "privkey", "--label", "EC:prime256v1")
	b.userFails("Private key not found", "--sign", "--mechanism", "ECDSA-SHA1", "--id", "aabb", "--input-file", "short", "--output-file", "none")
	b.user("--delete-object", "--type", "pubkey", "--id", "aabb")
	b.userFails("object not found", "--delete-object", "--type", "pubkey", "--id", "aabb")
}

// TestPKCS11ToolNeedsALoginForEachUse of a key with CKA_ALWAYS_AUTHENTICATE:
// 0.23 logs in as CKU_CONTEXT_SPECIFIC after C_SignInit and C_DecryptInit.
func TestPKCS11ToolNeedsALoginForEachUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("rsa:2048", "01", "--always-auth")
	if got := b.object("privkey", "01").field["Access"]; !strings.HasPrefix(got, "always authenticate") {
		t.Errorf("access %q", got)
	}
	b.messages()
	key := b.public("01")
	s := b.sign("SHA256-RSA-PKCS", "01", "short")
	b.verified("dgst", "-sha256", "-verify", key, "-signature", s, "short")
	b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", "short", "-out", "cipher")
	b.user("--decrypt", "--mechanism", "RSA-PKCS", "--id", "01", "--input-file", "cipher", "--output-file", "again")
	b.same("again", "short")
}
