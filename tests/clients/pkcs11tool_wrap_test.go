package clients

import (
	"bytes"
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"testing"
)

// Mechanisms that pkcs11-tool 0.23 has no name for; it takes them as numbers
// and gives no parameter.
const (
	keyWrap    = "0x2109" // CKM_AES_KEY_WRAP
	keyWrapKWP = "0x210B" // CKM_AES_KEY_WRAP_KWP
)

// TestPKCS11ToolWrapsForOpenSSL: what comes out opens to the key that is known
// to be in the token, and goes back in as a key that works like it.
func TestPKCS11ToolWrapsForOpenSSL(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wrapping, key := pattern(32), pattern(64)[32:]
	value := hex.EncodeToString(wrapping)
	b.secret("AES", "01", wrapping, "--usage-wrap")
	b.secret("AES", "02", key, "--extractable")
	b.write("plain", pattern(64))
	b.openssl("enc", "-aes-256-cbc", "-K", hex.EncodeToString(key), "-iv", iv, "-in", "plain", "-out", "cipher")

	for i, c := range []struct {
		mechanism string
		iv        []string
		open      []string
		size      int
	}{
		{"AES-CBC-PAD", []string{"--iv", iv}, []string{"-aes-256-cbc", "-iv", iv}, 48},
		{"AES-CBC", []string{"--iv", iv}, []string{"-aes-256-cbc", "-nopad", "-iv", iv}, 32},
		{"AES-ECB", nil, []string{"-aes-256-ecb", "-nopad"}, 32},
		{keyWrap, nil, []string{"-id-aes256-wrap", "-iv", "a6a6a6a6a6a6a6a6"}, 40},
		{keyWrapKWP, nil, []string{"-id-aes256-wrap-pad", "-iv", "a65959a6"}, 40},
	} {
		t.Run(c.mechanism, func(t *testing.T) {
			b := b.in(t)
			args := append([]string{"--mechanism", c.mechanism, "--id", "01"}, c.iv...)
			b.user(append([]string{"--wrap", "--application-id", "02", "--output-file", "wrapped"}, args...)...)
			wrapped := b.read("wrapped")
			if len(wrapped) != c.size {
				t.Errorf("wrapped to %d bytes, want %d", len(wrapped), c.size)
			}
			b.openssl(append([]string{"enc", "-d", "-K", value, "-in", "wrapped", "-out", "opened"}, c.open...)...)
			b.same("opened", "key-02")

			id := hex.EncodeToString([]byte{byte(0x10 + i)})
			b.user(append([]string{"--unwrap", "--input-file", "wrapped", "--key-type", "AES:", "--application-id", id}, args...)...)
			b.user("--decrypt", "--mechanism", "AES-CBC-PAD", "--iv", iv, "--id", id, "--input-file", "cipher", "--output-file", "again")
			b.same("again", "plain")

			if c.mechanism == keyWrap || c.mechanism == keyWrapKWP {
				wrapped[5] ^= 1
				b.write("wrapped", wrapped)
				b.userFails("CKR_WRAPPED_KEY_INVALID", append([]string{"--unwrap", "--input-file", "wrapped", "--key-type", "AES:"}, args...)...)
			}
		})
	}
	t.Run("a generic secret of 13 bytes by KWP", func(t *testing.T) {
		b := b.in(t)
		b.secret("GENERIC", "03", pattern(13), "--extractable")
		b.user("--wrap", "--mechanism", keyWrapKWP, "--id", "01", "--application-id", "03", "--output-file", "wrapped")
		b.openssl("enc", "-d", "-K", value, "-id-aes256-wrap-pad", "-iv", "a65959a6", "-in", "wrapped", "-out", "opened")
		b.same("opened", "key-03")
		b.user("--unwrap", "--mechanism", keyWrapKWP, "--id", "01", "--input-file", "wrapped", "--key-type", "GENERIC:",
			"--application-id", "30", "--extractable")
		b.user("--read-object", "--type", "secrkey", "--id", "30", "--output-file", "again")
		b.same("again", "key-03")
	})
	t.Run("a key that is not extractable stays", func(t *testing.T) {
		b := b.in(t)
		b.secret("AES", "04", pattern(16))
		b.userFails("CKR_KEY_UNEXTRACTABLE", "--wrap", "--mechanism", keyWrapKWP, "--id", "01", "--application-id", "04", "--output-file", "none")
	})
}

// TestPKCS11ToolWrapsWithRSA in both directions: to OpenSSL's private key, and
// from OpenSSL to the token's.
func TestPKCS11ToolWrapsWithRSA(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("rsa:2048", "01", "--usage-wrap")
	mine := b.public("01")
	b.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "their.pem")
	b.openssl("pkey", "-in", "their.pem", "-pubout", "-outform", "DER", "-out", "their.der")
	b.user("--write-object", "their.der", "--type", "pubkey", "--id", "02", "--usage-wrap")
	b.secret("AES", "03", pattern(32), "--extractable")

	b.user("--wrap", "--mechanism", "RSA-PKCS", "--id", "02", "--application-id", "03", "--output-file", "wrapped")
	b.openssl("pkeyutl", "-decrypt", "-inkey", "their.pem", "-in", "wrapped", "-out", "opened")
	b.same("opened", "key-03")

	b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", mine, "-in", "key-03", "-out", "wrapped")
	b.user("--unwrap", "--mechanism", "RSA-PKCS", "--id", "01", "--input-file", "wrapped", "--key-type", "AES:",
		"--application-id", "04", "--extractable")
	b.user("--read-object", "--type", "secrkey", "--id", "04", "--output-file", "again")
	b.same("again", "key-03")

	// 0.23 gives OAEP no parameters, which must fail and not be guessed.
	b.userFails("CKR_MECHANISM_PARAM_INVALID", "--wrap", "--mechanism", "RSA-PKCS-OAEP", "--id", "02", "--application-id", "03", "--output-file", "none")
	b.userFails("CKR_MECHANISM_PARAM_INVALID", "--unwrap", "--mechanism", "RSA-PKCS-OAEP", "--id", "01", "--input-file", "wrapped", "--key-type", "AES:")
}

// TestPKCS11ToolKeysAreNotInTheStoreInTheClear: neither values nor labels of
// private objects, nor PINs.
func TestPKCS11ToolKeysAreNotInTheStoreInTheClear(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	value := pattern(32)
	b.secret("AES", "5eed5eed5eed", value, "--private", "--sensitive", "--label", "a label nobody sees")
	b.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "a label that is public")
	files, err := exec.Command("find", b.store, "-type", "f").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, file := range bytes.Fields(files) {
		rel, _ := filepath.Rel(b.dir, string(file))
		data := b.read(rel)
		for _, secret := range [][]byte{value, value[:16], []byte("nobody sees"), {0x5e, 0xed, 0x5e, 0xed}, []byte(soPIN), []byte(pin)} {
			if bytes.Contains(data, secret) {
				t.Errorf("%s holds %q", rel, secret)
			}
		}
		seen = seen || bytes.Contains(data, []byte("a label that is public"))
	}
	if !seen {
		t.Error("not even what is public is there: this is not the store")
	}
}
