package object

import (
	"crypto/sha1"
	"crypto/x509"

	"coffer/p11"
	"coffer/p11/attr"
)

// certificateKind finds the table of a certificate template. X.509 public key
// certificates are the only ones that this token takes.
func certificateKind(template attr.Values) (kind, error) {
	t, ok := template.ULong(p11.CKA_CERTIFICATE_TYPE)
	if !ok {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_CERTIFICATE_TYPE is needed")
	}
	if p11.CertificateType(t) != p11.CKC_X_509 {
		return kind{}, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "certificates of type %v are not supported", p11.CertificateType(t))
	}
	table, _ := attr.Lookup(p11.CKO_CERTIFICATE, t)
	return kind{class: p11.CKO_CERTIFICATE, table: table}, nil
}

// completeCertificate fills in CKA_CHECK_VALUE and, as the standard
// recommends, CKA_PUBLIC_KEY_INFO from the certificate ("Certificate
// objects"). A certificate that Go cannot parse is kept without: Cryptoki
// attaches no meaning to it.
func completeCertificate(values attr.Values) (attr.Values, error) {
	der := values.Bytes(p11.CKA_VALUE)
	if len(der) == 0 {
		return values, nil
	}
	sum := sha1.Sum(der)
	values, err := withCheckValue(values, sum[:3])
	if err != nil {
		return nil, err
	}
	if len(values.Bytes(p11.CKA_PUBLIC_KEY_INFO)) > 0 {
		return values, nil
	}
	if cert, err := x509.ParseCertificate(der); err == nil {
		values = values.With(attr.NewBytes(p11.CKA_PUBLIC_KEY_INFO, cert.RawSubjectPublicKeyInfo))
	}
	return values, nil
}

// consistentCertificate applies footnotes 2 to 4 of the table "X.509
// Certificate Object Attributes": the certificate itself or a URL to fetch it
// from, and with a URL the hashes to find it by.
func consistentCertificate(values attr.Values) error {
	url := len(values.Bytes(p11.CKA_URL)) > 0
	if !url && len(values.Bytes(p11.CKA_VALUE)) == 0 {
		return p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "a certificate needs CKA_VALUE or CKA_URL")
	}
	if url && (len(values.Bytes(p11.CKA_HASH_OF_SUBJECT_PUBLIC_KEY)) == 0 || len(values.Bytes(p11.CKA_HASH_OF_ISSUER_PUBLIC_KEY)) == 0) {
		return p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "a certificate with CKA_URL needs CKA_HASH_OF_SUBJECT_PUBLIC_KEY and CKA_HASH_OF_ISSUER_PUBLIC_KEY")
	}
	return nil
}
