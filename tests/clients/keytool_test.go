package clients

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// keystore is how the tools of the JDK are told to use the token. They run
// too briefly for the optimizing compiler to pay.
func (b *bench) keystore() []string {
	b.write("coffer.cfg", fmt.Appendf(nil, javaConfig, b.lib))
	return []string{"-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-keystore", "NONE", "-storetype", "PKCS11", "-storepass", pin,
		"-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", "coffer.cfg"}
}

func (b *bench) keytool(args ...string) string {
	b.t.Helper()
	return b.run(jdk(b.t, "keytool"), append(args, b.keystore()...)...)
}

func TestKeytool(t *testing.T) {
	t.Parallel()
	jdk(t, "keytool")
	b := newBench(t)
	b.keytool("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-alias", "ec", "-dname", "CN=ec")
	b.keytool("-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-sigalg", "SHA256withRSA", "-alias", "rsa", "-dname", "CN=rsa")
	list := b.keytool("-list")
	for _, want := range []string{"2 entries", "ec, PrivateKeyEntry", "rsa, PrivateKeyEntry"} {
		if !strings.Contains(list, want) {
			t.Errorf("keytool -list does not show %q:\n%s", want, list)
		}
	}
	for _, alias := range []string{"ec", "rsa"} {
		b.keytool("-certreq", "-alias", alias, "-file", alias+".csr")
		chain := issued(t, b.read(alias+".csr"))
		b.write(alias+".pem", chain)
		b.keytool("-importcert", "-noprompt", "-trustcacerts", "-alias", alias, "-file", alias+".pem")
		got := b.keytool("-list", "-rfc", "-alias", alias)
		for _, want := range []string{"chain length: 2", firstLine(chain)} {
			if !strings.Contains(got, want) {
				t.Errorf("the entry %s does not show %q after the CA's reply:\n%s", alias, want, got)
			}
		}
	}
	b.keytool("-delete", "-alias", "ec")
	if list := b.keytool("-list"); !strings.Contains(list, "1 entry") || strings.Contains(list, "ec, ") {
		t.Errorf("keytool -list after -delete:\n%s", list)
	}
	r := b.try(jdk(t, "keytool"), append([]string{"-list", "-alias", "ec"}, b.keystore()...)...)
	if r.err == nil {
		t.Errorf("keytool finds a deleted entry:\n%s", r.all())
	}
}

// issued answers a request as a CA does, with a certificate and its own.
func issued(t *testing.T, request []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(request)
	if block == nil {
		t.Fatalf("no PEM: %s", request)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := csr.CheckSignature(); err != nil {
		t.Fatalf("the request of %s: %v", csr.Subject, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "ca of " + csr.Subject.CommonName},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      csr.Subject,
		NotBefore:    ca.NotBefore,
		NotAfter:     ca.NotAfter,
	}
	var out bytes.Buffer
	for _, c := range []struct {
		template *x509.Certificate
		public   any
	}{{leaf, csr.PublicKey}, {ca, key.Public()}} {
		der, err := x509.CreateCertificate(rand.Reader, c.template, ca, c.public, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// firstLine is the first line of base64 that sets one certificate apart: not
// the first of all, which is the same for many.
func firstLine(chain []byte) string {
	return strings.Split(string(chain), "\n")[4]
}

func TestJarsigner(t *testing.T) {
	t.Parallel()
	jarsigner := jdk(t, "jarsigner")
	b := newBench(t)
	b.keytool("-genkeypair", "-keyalg", "EC", "-groupname", "secp384r1", "-alias", "ec", "-dname", "CN=ec")
	b.keytool("-genkeypair", "-keyalg", "RSA", "-keysize", "3072", "-alias", "rsa", "-dname", "CN=rsa")
	for _, alias := range []string{"ec", "rsa"} {
		b.write("in.jar", jar(t, "what was signed"))
		b.run(jarsigner, append(b.keystore(), "-signedjar", alias+".jar", "in.jar", alias)...)
		out := b.run(jarsigner, "-J-XX:TieredStopAtLevel=1", "-verify", "-verbose", "-certs", alias+".jar")
		if !strings.Contains(out, "jar verified.") || !strings.Contains(out, "CN="+alias) {
			t.Errorf("jarsigner -verify %s.jar:\n%s", alias, out)
		}
		b.write("changed.jar", changed(t, b.read(alias+".jar")))
		r := b.try(jarsigner, "-J-XX:TieredStopAtLevel=1", "-verify", "changed.jar")
		if r.err == nil || !strings.Contains(r.all(), "SecurityException") {
			t.Errorf("jarsigner takes a changed jar: %v\n%s", r.err, r.all())
		}
	}
}

// jar returns an archive of one file.
func jar(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("text")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// changed returns a signed archive with another text in its file.
func changed(t *testing.T, signed []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(signed), int64(len(signed)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		if f.Name != "text" {
			if err := w.Copy(f); err != nil {
				t.Fatal(err)
			}
			continue
		}
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(to, "what was not signed")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
