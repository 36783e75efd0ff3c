package clients

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"coffer/tests/built"
)

// pairs and secrets are the keys that pkcs11-tool 0.23 can generate.
var pairs = []string{
	"rsa:1024", "rsa:2048", "rsa:3072", "rsa:4096",
	"EC:secp224r1", "EC:prime256v1", "EC:secp384r1", "EC:secp521r1", "EC:edwards25519", "EC:curve25519",
}
var secrets = []string{"AES:16", "AES:24", "AES:32", "GENERIC:1", "GENERIC:32", "GENERIC:64"}

// complaint is what the self-test of pkcs11-tool prints when it is not content.
var complaint = regexp.MustCompile(`(?i)\b(err|errors?|failed|fails?|warning|not implemented|cannot)\b`)

// TestPKCS11ToolTestsEveryKeyType runs the tests that pkcs11-tool 0.23 has
// built in, with a key of every type in the token. They are meant for RSA;
// the others must not disturb them.
func TestPKCS11ToolTestsEveryKeyType(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	for i, typ := range append(pairs, secrets...) {
		b.generate(typ, fmt.Sprintf("%02x", i+1))
	}
	listing := entries(b.user("--list-objects"))
	for _, want := range []string{
		"Private Key Object; RSA", "Private Key Object; EC", "Private Key Object; EC_EDWARDS", "Private Key Object; EC_MONTGOMERY",
		"Public Key Object; RSA 1024 bits", "Public Key Object; RSA 2048 bits", "Public Key Object; RSA 3072 bits",
		"Public Key Object; RSA 4096 bits", "Public Key Object; EC  EC_POINT 224 bits", "Public Key Object; EC  EC_POINT 256 bits",
		"Public Key Object; EC  EC_POINT 384 bits", "Public Key Object; EC  EC_POINT 528 bits",
		"Public Key Object; EC_EDWARDS  EC_POINT 255 bits", "Public Key Object; EC_MONTGOMERY  EC_POINT 255 bits",
		"Secret Key Object; AES length 16", "Secret Key Object; AES length 24", "Secret Key Object; AES length 32",
		"Secret Key Object; Generic secret length 1", "Secret Key Object; Generic secret length 32", "Secret Key Object; Generic secret length 64",
	} {
		found := false
		for _, e := range listing {
			found = found || strings.TrimSpace(e.title) == want
		}
		if !found {
			t.Errorf("%q is not listed", want)
		}
	}

	// Without --allow-sw 0.23 tests no signatures: it wants mechanisms with
	// CKF_HW for that and says "Signatures: not implemented".
	out := b.user("--test", "--allow-sw")
	for line := range strings.Lines(out) {
		if line != "No errors\n" && complaint.MatchString(line) {
			t.Errorf("pkcs11-tool --test: %s", line)
		}
	}
	for what, times := range map[string]int{
		"C_SeedRandom() and C_GenerateRandom():\n  seems to be OK": 1,
		"all 4 digest functions seem to work":                      1,
		"  SHA-1: OK":                                              1,
		"  SHA256: OK":                                             1,
		"testing signature mechanisms:\n    RSA-X-509: OK\n    RSA-PKCS: OK\n    SHA1-RSA-PKCS: OK\n    SHA256-RSA-PKCS: OK\n": 1,
		// Decryption with each of the four RSA keys, and OAEP with and
		// without a label.
		"    RSA-PKCS: OK\n    RSA-X-509: OK\n    RSA-PKCS-OAEP: mgf not set, defaulting to MGF1-SHA256\nOK\n" +
			"    RSA-PKCS-OAEP: mgf not set, defaulting to MGF1-SHA256\nOK\n": 4,
		"No errors\n": 1,
	} {
		if got := strings.Count(out, what); got != times {
			t.Errorf("%d times, want %d: %q\n", got, times, what)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestPKCS11ToolTestECOfEveryCurve: the test makes a pair, renames it, asks
// for the length of a signature, gives too small a buffer and calls
// C_SignFinal after C_Sign; it needs CKM_ECDSA_SHA1.
func TestPKCS11ToolTestECOfEveryCurve(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	for _, curve := range []string{"secp224r1", "prime256v1", "secp384r1", "secp521r1"} {
		r := b.try(built.Need(t, "pkcs11-tool", "opensc"), "--module", b.lib, "--token-label", label,
			"--session-rw", "--login", "--pin", pin, "--test-ec", "--id", "01", "--key-type", "EC:"+curve)
		if r.err != nil || !strings.Contains(r.stdout, "==> OK") || complaint.MatchString(r.all()) {
			t.Errorf("%s: %v\n%s", curve, r.err, r.all())
		}
	}
	if got := b.user("--list-objects", "--type", "privkey"); got != "" {
		t.Errorf("the test left\n%s", got)
	}
}

// TestPKCS11ToolLoadsTheLibraryAgain: --moz-cert does what Mozilla did to get
// a certificate, and closes the library and opens it again on its way.
func TestPKCS11ToolLoadsTheLibraryAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
		"-subj", "/CN=mozilla", "-out", "cert.pem")
	out := b.user("--session-rw", "--moz-cert", "cert.pem", "--id", "01", "--key-type", "RSA:2048")
	if !strings.Contains(out, "==> OK, successful! Should work with Mozilla") || complaint.MatchString(out) {
		t.Error(out)
	}
}

// TestPKCS11ToolInitializesInAForkedChild: the child has to get CKR_OK from
// C_Initialize (SoftHSM2 2.6.1 says CKR_CRYPTOKI_ALREADY_INITIALIZED), and opens
// the store that its parent has open.
func TestPKCS11ToolInitializesInAForkedChild(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out := b.run("pkcs11-tool", "--module", b.lib, "--token-label", label, "--login", "--pin", pin,
		"--list-objects", "--test-fork")
	if !strings.Contains(out, "*** Calling C_Initialize in forked child process ***") {
		t.Errorf("no fork was tested:\n%s", out)
	}
}

// TestPKCS11ToolSeesSlotsMechanismsAndInfo without logging in.
func TestPKCS11ToolSeesSlotsMechanismsAndInfo(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	b.init("second")
	slots := b.run("pkcs11-tool", "--module", b.lib, "--list-slots")
	for _, want := range []string{
		"Slot 0 (0x0)", "token label        : " + label, "token flags        : login required, rng, token initialized, PIN initialized",
		"pin min/max        : 4/255", "Slot 1 (0x1)", "token label        : second", "Slot 2 (0x2)", "token state:   uninitialized",
	} {
		if !strings.Contains(slots, want) {
			t.Errorf("no %q in\n%s", want, slots)
		}
	}
	// 0.23 has no names for the functions that version 3.0 and 3.2 brought.
	mechanisms := b.tool("--list-mechanisms")
	for _, want := range []string{
		"RSA-PKCS, keySize={1024,16384}, encrypt, decrypt, sign, sign_recover, verify, verify_recover, wrap, unwrap, other flags=",
		"ECDSA-KEY-PAIR-GEN, keySize={224,521}, generate_key_pair, EC F_P, EC OID, EC uncompressed, EC compressed, EC curve name\n",
		"EDDSA, ", "ECDH1-DERIVE, ", "AES-GCM, keySize={16,32}, encrypt, decrypt", "SHA256, digest\n",
	} {
		if !strings.Contains(mechanisms, want) {
			t.Errorf("no %q in\n%s", want, mechanisms)
		}
	}
	info := b.run("pkcs11-tool", "--module", b.lib, "--show-info")
	if !strings.Contains(info, "Cryptoki version 3.2\n") || !strings.Contains(info, "Manufacturer     coffer\n") {
		t.Errorf("--show-info:\n%s", info)
	}
	b.fails("CKR", "pkcs11-tool", "--module", b.lib, "--slot", "77", "--list-objects")
	b.fails(`No slot with token named "unknown" found`, "pkcs11-tool", "--module", b.lib, "--token-label", "unknown", "--list-objects")
	if got := len(b.tool("--generate-random", "1000")); got != 1000 {
		t.Errorf("--generate-random 1000 gave %d bytes", got)
	}
}

// TestPKCS11ToolInterfacesOf3x: 0.23 takes 3.x from C_GetInterface if it is
// there, and lists all only then.
func TestPKCS11ToolInterfacesOf3x(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out := b.tool("--list-interfaces")
	for _, want := range []string{"version: 3.2\n", "version: 3.0\n", "version: 2.40\n", "flags=0x1\n"} {
		if !strings.Contains(out, "Interface 'PKCS 11'") || !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
