package hotpath

import (
	"testing"

	"coffer/p11"
)

// BenchmarkInit is what BenchmarkHotPath leaves out: C_SignInit alone, ended by
// a NULL mechanism, and C_EncryptInit with C_Encrypt, which has a key schedule.
func BenchmarkInit(b *testing.B) {
	m := open(b)
	encrypt, sign := m.encrypt(), m.sign(p11.CKM_ECDSA, m.pair(p11.CKM_EC_KEY_PAIR_GEN, p256))
	for name, c := range map[string]call{
		"encrypt-gcm": encrypt,
		"sign-p256":   {sign.begin, func() error { return m.module.SignInit(m.handle, nil, 0) }},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if err := c.begin(); err != nil {
					b.Fatal(err)
				}
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
