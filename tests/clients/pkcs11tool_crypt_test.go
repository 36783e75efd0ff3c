package clients

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
)

const iv = "000102030405060708090a0b0c0d0e0f"

// secret writes a key of a known value into the token.
func (b *bench) secret(typ, id string, value []byte, more ...string) {
	b.t.Helper()
	b.write("key-"+id, value)
	args := []string{"--write-object", "key-" + id, "--type", "secrkey", "--id", id}
	if typ != "GENERIC" { // which 0.23 takes by default and does not know by name
		args = append(args, "--key-type", typ+":")
	}
	b.user(append(args, more...)...)
}

// same compares two files.
func (b *bench) same(got, want string) {
	b.t.Helper()
	if g, w := b.read(got), b.read(want); !bytes.Equal(g, w) {
		b.t.Errorf("%s, %d bytes, is not %s, %d bytes: %.64x… and %.64x…", got, len(g), want, len(w), g, w)
	}
}

func TestPKCS11ToolDecryptsWhatOpenSSLEncryptedWithRSA(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("rsa:2048", "01")
	key := b.public("01")

	decrypt := func(mechanism string, more ...string) []string {
		return append([]string{"--decrypt", "--mechanism", mechanism, "--id", "01", "--input-file", "cipher", "--output-file", "again"}, more...)
	}
	b.write("plain", pattern(100))
	b.write("raw", append([]byte{0}, pattern(255)...))
	t.Run("RSA-PKCS", func(t *testing.T) {
		b := b.in(t)
		b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", "plain", "-out", "cipher")
		b.user(decrypt("RSA-PKCS")...)
		b.same("again", "plain")
	})
	t.Run("RSA-X-509", func(t *testing.T) {
		b := b.in(t)
		b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", "raw", "-out", "cipher", "-pkeyopt", "rsa_padding_mode:none")
		b.user(decrypt("RSA-X-509")...)
		b.same("again", "raw")
	})

	// 0.23 gives CKZ_DATA_SPECIFIED as 0 when there is no label. SoftHSM2 2.6.1
	// knows no hash but SHA-1.
	for _, c := range []struct{ hash, mask int }{
		{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {6, 2},
		{0, 2}, {2, 0}, {3, 0}, {4, 2}, // two hashes
	} {
		h, mask := hashes[c.hash], hashes[c.mask]
		t.Run(fmt.Sprintf("RSA-PKCS-OAEP, %s, mask %s", h.tool, mask.tool), func(t *testing.T) {
			b := b.in(t)
			algorithm := h.tool
			if algorithm == "SHA1" {
				algorithm = "SHA-1"
			}
			b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", "plain", "-out", "cipher", "-pkeyopt", "rsa_padding_mode:oaep",
				"-pkeyopt", "rsa_oaep_md:"+h.openssl, "-pkeyopt", "rsa_mgf1_md:"+mask.openssl)
			b.user(decrypt("RSA-PKCS-OAEP", "--hash-algorithm", algorithm, "--mgf", "MGF1-"+mask.tool)...)
			b.same("again", "plain")
		})
	}
	t.Run("RSA-PKCS-OAEP refuses another hash, and padding of another kind", func(t *testing.T) {
		b := b.in(t)
		b.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", "plain", "-out", "cipher", "-pkeyopt", "rsa_padding_mode:oaep")
		// 0.23 tries C_DecryptUpdate after C_Decrypt has refused.
		b.userFails("CKR_FUNCTION_NOT_SUPPORTED", decrypt("RSA-PKCS-OAEP", "--hash-algorithm", "SHA256")...)
		b.userFails("CKR_FUNCTION_NOT_SUPPORTED", decrypt("RSA-PKCS")...)
	})
}

func TestPKCS11ToolEncryptsWithAES(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, size := range []int{16, 24, 32} {
		id := fmt.Sprint(size)
		b.secret("AES", id, pattern(size))
		bits, value := size*8, hex.EncodeToString(pattern(size))
		for _, c := range []struct {
			mechanism string
			openssl   []string
			iv        []string
			lengths   []int
		}{
			// 1024 bytes and more go through in parts.
			{"AES-ECB", []string{fmt.Sprintf("-aes-%d-ecb", bits), "-nopad"}, nil, []int{16, 4096}},
			{"AES-CBC", []string{fmt.Sprintf("-aes-%d-cbc", bits), "-nopad", "-iv", iv}, []string{"--iv", iv}, []int{48, 5120}},
			{"AES-CBC-PAD", []string{fmt.Sprintf("-aes-%d-cbc", bits), "-iv", iv}, []string{"--iv", iv}, []int{0, 15, 16, 5001}},
		} {
			for _, n := range c.lengths {
				t.Run(fmt.Sprintf("%s, %d bits, %d bytes", c.mechanism, bits, n), func(t *testing.T) {
					b := b.in(t)
					b.write("plain", pattern(n))
					args := append([]string{"--mechanism", c.mechanism, "--id", id}, c.iv...)
					b.user(append([]string{"--encrypt", "--input-file", "plain", "--output-file", "cipher"}, args...)...)
					b.openssl(append([]string{"enc", "-K", value, "-in", "plain", "-out", "want"}, c.openssl...)...)
					b.same("cipher", "want")
					b.user(append([]string{"--decrypt", "--input-file", "want", "--output-file", "again"}, args...)...)
					b.same("again", "plain")
				})
			}
		}
	}

	t.Run("lengths and paddings that are wrong", func(t *testing.T) {
		b := b.in(t)
		b.write("odd", pattern(1))
		b.write("noise", pattern(32))
		for _, mechanism := range []string{"AES-ECB", "AES-CBC"} {
			b.userFails("CKR_DATA_LEN_RANGE", "--encrypt", "--mechanism", mechanism, "--iv", iv, "--id", "16", "--input-file", "odd", "--output-file", "none")
			b.userFails("CKR_ENCRYPTED_DATA_LEN_RANGE", "--decrypt", "--mechanism", mechanism, "--iv", iv, "--id", "16", "--input-file", "odd", "--output-file", "none")
		}
		b.userFails("CKR_ENCRYPTED_DATA_INVALID", "--decrypt", "--mechanism", "AES-CBC-PAD", "--iv", iv, "--id", "16", "--input-file", "noise", "--output-file", "none")
	})
	t.Run("a key for another mechanism", func(t *testing.T) {
		b := b.in(t)
		b.generate("AES:16", "ab", "--allowed-mechanisms", "AES-CMAC,AES-CBC")
		b.write("plain", pattern(16))
		b.userFails("CKR_MECHANISM_INVALID", "--encrypt", "--mechanism", "AES-ECB", "--id", "ab", "--input-file", "plain", "--output-file", "none")
		b.user("--encrypt", "--mechanism", "AES-CBC", "--iv", iv, "--id", "ab", "--input-file", "plain", "--output-file", "cipher")
	})
}

// TestPKCS11ToolDerivesWithECDH: 0.23 knows the four curves, but not X25519
// ("Failed to parse other EC key").
func TestPKCS11ToolDerivesWithECDH(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, curve := range []string{"secp224r1", "prime256v1", "secp384r1", "secp521r1"} {
		t.Run(curve, func(t *testing.T) {
			b := b.in(t)
			id := fmt.Sprintf("%02x", i+1)
			b.generate("EC:"+curve, id)
			key := b.public(id)
			b.openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", "peer.pem")
			b.openssl("pkey", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der")
			b.openssl("pkeyutl", "-derive", "-inkey", "peer.pem", "-peerkey", key, "-out", "want")
			for _, mechanism := range []string{"ECDH1-DERIVE", "ECDH1-COFACTOR-DERIVE"} {
				b.user("--derive", "--mechanism", mechanism, "--id", id, "--input-file", "peer.der", "--output-file", "shared")
				b.same("shared", "want")
			}
		})
	}
	t.Run("a point of another curve", func(t *testing.T) {
		b := b.in(t)
		b.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "peer.pem")
		b.openssl("pkey", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der")
		b.userFails("CKR_MECHANISM_PARAM_INVALID", "--derive", "--mechanism", "ECDH1-DERIVE", "--id", "03", "--input-file", "peer.der", "--output-file", "none")
	})
}
