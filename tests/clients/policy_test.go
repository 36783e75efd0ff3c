package clients

import "testing"

// TestPKCS11ToolUnderPolicies: what the default policy refuses, and that it
// lets what was signed before be verified.
func TestPKCS11ToolUnderPolicies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.generate("rsa:2048", "01")
	b.userFails("CKR_ATTRIBUTE_VALUE_INVALID", "--keypairgen", "--key-type", "rsa:1024", "--id", "02")
	b.write("message", []byte("message"))
	sha1 := []string{"--mechanism", "SHA1-RSA-PKCS", "--id", "01", "--input-file", "message"}
	b.userFails("CKR_MECHANISM_INVALID", append([]string{"--sign", "--output-file", "none"}, sha1...)...)
	old := b.in(t)
	old.env = append(old.env[:len(old.env):len(old.env)], everything)
	old.user(append([]string{"--sign", "--output-file", "signature"}, sha1...)...)
	b.user(append([]string{"--verify", "--signature-file", "signature"}, sha1...)...)
	b.tool("--list-mechanisms")

	strict := b.in(t)
	strict.env = append(strict.env[:len(strict.env):len(strict.env)], "COFFER_POLICY=strict")
	strict.generate("EC:prime256v1", "03")
	strict.user("--sign", "--mechanism", "ECDSA-SHA256", "--id", "03", "--input-file", "message", "--output-file", "signature")

}
