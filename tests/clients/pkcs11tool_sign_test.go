package clients

import (
	"bytes"
	"crypto"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// hashes are the digests in pkcs11-tool's, OpenSSL's and Go's words.
var hashes = []struct {
	tool, openssl string
	sum           crypto.Hash
}{
	{"SHA1", "sha1", crypto.SHA1},
	{"SHA224", "sha224", crypto.SHA224},
	{"SHA256", "sha256", crypto.SHA256},
	{"SHA384", "sha384", crypto.SHA384},
	{"SHA512", "sha512", crypto.SHA512},
	{"SHA3-224", "sha3-224", crypto.SHA3_224},
	{"SHA3-256", "sha3-256", crypto.SHA3_256},
	{"SHA3-384", "sha3-384", crypto.SHA3_384},
	{"SHA3-512", "sha3-512", crypto.SHA3_512},
}

// sign signs a file with pkcs11-tool and lets it verify what it made. OpenSSL's
// verdict is the caller's to ask.
func (b *bench) sign(mechanism, id, input string, more ...string) (signature string) {
	b.t.Helper()
	args := append([]string{"--mechanism", mechanism, "--id", id, "--input-file", input}, more...)
	b.user(append([]string{"--sign", "--output-file", "signature"}, args...)...)
	check := append([]string{"--verify", "--signature-file", "signature"}, args...)
	if out := b.tool(check...); !strings.Contains(out, "Signature is valid") {
		b.t.Errorf("%s: %s", mechanism, out)
	}
	return "signature"
}

// verified asks OpenSSL about a signature.
func (b *bench) verified(args ...string) {
	b.t.Helper()
	out := b.openssl(args...)
	if !strings.Contains(out, "Verified OK") && !strings.Contains(out, "Signature Verified Successfully") {
		b.t.Errorf("openssl %s: %s", strings.Join(args, " "), out)
	}
}

// messages writes a short message, and a long one that pkcs11-tool 0.23 signs
// in parts of 1025 bytes.
func (b *bench) messages() []string {
	b.t.Helper()
	b.write("short", []byte("what is signed\n"))
	b.write("long", pattern(5000))
	return []string{"short", "long"}
}

func (b *bench) hash(h crypto.Hash, file string) []byte {
	b.t.Helper()
	sum := h.New()
	sum.Write(b.read(file))
	return sum.Sum(nil)
}

func TestPKCS11ToolSignsWithRSA(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	b.generate("rsa:2048", "01")
	key := b.public("01")
	messages := b.messages()

	for i, h := range hashes {
		t.Run(h.tool+"-RSA-PKCS", func(t *testing.T) {
			b, m := b.in(t), messages[i%2]
			s := b.sign(h.tool+"-RSA-PKCS", "01", m)
			b.verified("dgst", "-"+h.openssl, "-verify", key, "-signature", s, m)
		})
		t.Run(h.tool+"-RSA-PKCS-PSS", func(t *testing.T) {
			b, m := b.in(t), messages[1-i%2]
			s := b.sign(h.tool+"-RSA-PKCS-PSS", "01", m)
			b.verified("dgst", "-"+h.openssl, "-verify", key, "-signature", s,
				"-sigopt", "rsa_padding_mode:pss", "-sigopt", fmt.Sprintf("rsa_pss_saltlen:%d", h.sum.Size()), m)
		})
	}

	// The client hands over a DigestInfo; libp11, OpenSSH, NSS and GnuTLS do so
	// too.
	t.Run("RSA-PKCS of a DigestInfo", func(t *testing.T) {
		b := b.in(t)
		sum := b.hash(crypto.SHA256, "short")
		prefix, _ := hex.DecodeString("3031300d060960864801650304020105000420")
		b.write("info", append(prefix, sum...))
		s := b.sign("RSA-PKCS", "01", "info")
		b.verified("dgst", "-sha256", "-verify", key, "-signature", s, "short")
	})
	t.Run("RSA-PKCS of 245 bytes, one too many", func(t *testing.T) {
		b := b.in(t)
		b.write("most", pattern(245))
		s := b.sign("RSA-PKCS", "01", "most")
		b.openssl("pkeyutl", "-verifyrecover", "-pubin", "-inkey", key, "-in", s, "-out", "recovered")
		if got := b.read("recovered"); !bytes.Equal(got, pattern(245)) {
			t.Errorf("recovered %x", got)
		}
		// 0.23 tries C_SignUpdate after C_Sign has refused, and tells of that.
		b.write("more", pattern(246))
		b.userFails("C_SignUpdate failed: rv = CKR_FUNCTION_NOT_SUPPORTED", "--sign", "--mechanism", "RSA-PKCS", "--id", "01", "--input-file", "more", "--output-file", "none")
	})
	t.Run("RSA-X-509", func(t *testing.T) {
		b := b.in(t)
		block := pattern(256)
		block[0] = 0
		b.write("block", block)
		s := b.sign("RSA-X-509", "01", "block")
		b.openssl("pkeyutl", "-verifyrecover", "-pubin", "-inkey", key, "-in", s, "-out", "recovered", "-pkeyopt", "rsa_padding_mode:none")
		if got := b.read("recovered"); !bytes.Equal(got, block) {
			t.Errorf("recovered %x", got)
		}
	})
}

// TestPKCS11ToolSignsWithPSSParameters: RSA-PKCS-PSS takes a digest, and the
// hash, the mask and the length of the salt apart.
func TestPKCS11ToolSignsWithPSSParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	b.generate("rsa:2048", "01")
	key := b.public("01")
	b.messages()
	for _, c := range []struct {
		hash, mask int // of hashes
		salt, want int // as pkcs11-tool has it, and in bytes
	}{
		{0, 0, -1, 20}, {1, 1, 28, 28}, {2, 2, -1, 32}, {3, 3, -1, 48}, {4, 4, -1, 64},
		{2, 2, 0, 0}, {2, 2, 20, 20}, {2, 2, 222, 222}, // none, shorter, all there is room for
		{2, 0, 32, 32}, {4, 2, 64, 64}, {0, 4, 20, 20}, // another mask
		{6, 2, 32, 32}, {8, 4, 64, 64}, // of SHA-3 0.23 has no names for masks
	} {
		h, mask := hashes[c.hash], hashes[c.mask]
		t.Run(fmt.Sprintf("%s, mask %s, salt %d", h.tool, mask.tool, c.salt), func(t *testing.T) {
			b := b.in(t)
			algorithm := h.tool
			if algorithm == "SHA1" {
				algorithm = "SHA-1"
			}
			b.write("digest", b.hash(h.sum, "short"))
			s := b.sign("RSA-PKCS-PSS", "01", "digest", "--hash-algorithm", algorithm,
				"--mgf", "MGF1-"+mask.tool, "--salt-len", fmt.Sprint(c.salt))
			b.verified("pkeyutl", "-verify", "-pubin", "-inkey", key, "-in", "digest", "-sigfile", s,
				"-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "digest:"+h.openssl,
				"-pkeyopt", "rsa_mgf1_md:"+mask.openssl, "-pkeyopt", fmt.Sprintf("rsa_pss_saltlen:%d", c.want))
		})
	}
	t.Run("a salt of 223 bytes is too long", func(t *testing.T) {
		b := b.in(t)
		b.write("digest", b.hash(crypto.SHA256, "short"))
		b.userFails("CKR", "--sign", "--mechanism", "RSA-PKCS-PSS", "--id", "01", "--input-file", "digest", "--output-file", "none",
			"--hash-algorithm", "SHA256", "--salt-len", "223")
	})
}

func TestPKCS11ToolSignsWithEC(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	messages := b.messages()
	for i, curve := range []string{"secp224r1", "prime256v1", "secp384r1", "secp521r1"} {
		id := fmt.Sprintf("%02x", i+1)
		b.generate("EC:"+curve, id)
		key := b.public(id)
		for j, h := range hashes {
			// All hashes with one curve, each with another one.
			if curve != "prime256v1" && j%4 != i {
				continue
			}
			t.Run(curve+", ECDSA-"+h.tool, func(t *testing.T) {
				b, m := b.in(t), messages[j%2]
				s := b.sign("ECDSA-"+h.tool, id, m, "--signature-format", "openssl")
				b.verified("dgst", "-"+h.openssl, "-verify", key, "-signature", s, m)
			})
		}
		// A digest longer than the order is cut, a shorter one is not padded.
		for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA512} {
			t.Run(fmt.Sprintf("%s, ECDSA of %d bytes", curve, h.Size()), func(t *testing.T) {
				b := b.in(t)
				b.write("digest", b.hash(h, "short"))
				s := b.sign("ECDSA", id, "digest", "--signature-format", "openssl")
				b.verified("pkeyutl", "-verify", "-pubin", "-inkey", key, "-in", "digest", "-sigfile", s)
			})
		}
		t.Run(curve+", r and s side by side", func(t *testing.T) {
			b := b.in(t)
			s := b.sign("ECDSA-SHA256", id, "short")
			if got, want := len(b.read(s)), []int{56, 64, 96, 132}[i]; got != want {
				t.Errorf("%d bytes, want %d", got, want)
			}
		})
	}
}

func TestPKCS11ToolSignsWithEd25519(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("EC:edwards25519", "01")
	key := b.public("01")
	for _, m := range b.messages() {
		s := b.sign("EDDSA", "01", m)
		if got := len(b.read(s)); got != 64 {
			t.Errorf("%d bytes, want 64", got)
		}
		b.verified("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-in", m, "-sigfile", s)
	}
}

// TestPKCS11ToolSignsWithHMAC with keys shorter and longer than the digest.
// SoftHSM2 2.6.1 refuses the short ones.
func TestPKCS11ToolSignsWithHMAC(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.messages()
	for i, size := range []int{5, 32, 200} {
		id := fmt.Sprintf("%02x", i+1)
		b.write("key", pattern(size))
		b.user("--write-object", "key", "--type", "secrkey", "--id", id, "--usage-sign")
		for j, h := range hashes {
			if size != 5 && j%2 != i%2 {
				continue
			}
			mechanism := strings.Replace(h.tool, "SHA1", "SHA-1", 1) + "-HMAC"
			t.Run(fmt.Sprintf("%s, key of %d bytes", mechanism, size), func(t *testing.T) {
				b := b.in(t)
				m := []string{"short", "long", "short"}[i]
				b.user("--sign", "--mechanism", mechanism, "--id", id, "--input-file", m, "--output-file", "mac")
				out := b.openssl("dgst", "-"+h.openssl, "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(pattern(size)), m)
				_, want, _ := strings.Cut(strings.TrimSpace(out), "= ")
				if got := hex.EncodeToString(b.read("mac")); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestPKCS11ToolFindsChangedDataAndSignatures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("rsa:2048", "01")
	b.generate("EC:prime256v1", "02")
	b.generate("EC:edwards25519", "03")
	b.messages()
	b.write("other", []byte("what was not signed\n"))
	for _, c := range []struct{ mechanism, id string }{
		{"RSA-PKCS", "01"}, {"SHA256-RSA-PKCS", "01"}, {"SHA256-RSA-PKCS-PSS", "01"}, {"ECDSA-SHA256", "02"}, {"EDDSA", "03"},
	} {
		t.Run(c.mechanism, func(t *testing.T) {
			b := b.in(t)
			s := b.sign(c.mechanism, c.id, "short")
			changed := b.read(s)
			changed[len(changed)-1] ^= 1
			b.write("changed", changed)
			for _, f := range [][2]string{{"other", s}, {"short", "changed"}} {
				out := b.tool("--verify", "--mechanism", c.mechanism, "--id", c.id, "--input-file", f[0], "--signature-file", f[1])
				if !strings.Contains(out, "Invalid signature") {
					t.Errorf("%v: %s", f, out)
				}
			}
		})
	}
}

func TestPKCS11ToolHashes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("empty", nil)
	files := append(b.messages(), "empty")
	for i, h := range hashes {
		for _, m := range []string{files[i%3], files[(i+1)%3]} {
			b.tool("--hash", "--mechanism", strings.Replace(h.tool, "SHA1", "SHA-1", 1), "--input-file", m, "--output-file", "digest")
			out := b.openssl("dgst", "-"+h.openssl, m)
			_, want, _ := strings.Cut(strings.TrimSpace(out), "= ")
			if got := hex.EncodeToString(b.read("digest")); got != want {
				t.Errorf("%s of %s: got %s, want %s", h.tool, m, got, want)
			}
		}
	}
}
