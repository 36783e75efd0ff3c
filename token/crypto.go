package token

import (
	"coffer/p11"
)

// EncryptInit begins an encryption (PKCS #11 v3.2, 5.8.1).
func (m *Module) EncryptInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, encrypt, mm, key)
}

// Encrypt encrypts in one part.
func (m *Module) Encrypt(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.final(h, encrypt, oneShot, data, out)
}

// EncryptUpdate encrypts a further part.
func (m *Module) EncryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error {
	return m.update(h, encrypt, part, out)
}

// EncryptFinal finishes a multi-part encryption.
func (m *Module) EncryptFinal(h p11.SessionHandle, out *p11.Out) error {
	return m.final(h, encrypt, lastOne, nil, out)
}

// DecryptInit begins a decryption (PKCS #11 v3.2, 5.10.1).
func (m *Module) DecryptInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, decrypt, mm, key)
}

// Decrypt decrypts in one part.
func (m *Module) Decrypt(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.final(h, decrypt, oneShot, data, out)
}

// DecryptUpdate decrypts a further part.
func (m *Module) DecryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error {
	return m.update(h, decrypt, part, out)
}

// DecryptFinal finishes a multi-part decryption.
func (m *Module) DecryptFinal(h p11.SessionHandle, out *p11.Out) error {
	return m.final(h, decrypt, lastOne, nil, out)
}

// DigestInit begins a digest (PKCS #11 v3.2, 5.12.1).
func (m *Module) DigestInit(h p11.SessionHandle, mm *p11.Mechanism) error {
	return m.begin(h, digest, mm, 0)
}

// Digest digests in one part.
func (m *Module) Digest(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.final(h, digest, oneShot, data, out)
}

// DigestUpdate digests a further part.
func (m *Module) DigestUpdate(h p11.SessionHandle, part []byte) error {
	return m.feedPart(h, digest, part)
}

// DigestKey digests the value of a secret key as a further part (PKCS #11
// v3.2, 5.12.4). No attribute of the key permits or forbids it but
// CKA_ALLOWED_MECHANISMS; a hidden secret that could be found by trying is
// refused. Every error ends the digest, as those of C_DigestUpdate do.
func (m *Module) DigestKey(h p11.SessionHandle, key p11.ObjectHandle) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o, err := s.part(digest)
	if err != nil {
		return err
	}
	obj, err := m.key(s, key)
	if err != nil {
		o.end()
		return err
	}
	defer obj.Release()
	o.hasKey = true
	value, err := digestible(obj, o.row.Type)
	if err != nil {
		o.end()
		return err
	}
	return o.feed(value)
}

// digestible returns the value of a secret key that a mechanism may digest.
func digestible(obj *snapshot, t p11.MechanismType) ([]byte, error) {
	switch {
	case obj.Class() != p11.CKO_SECRET_KEY:
		return nil, p11.Errorf(p11.CKR_KEY_INDIGESTIBLE, "only a secret key can be digested")
	case !obj.AllowsMechanism(t):
		return nil, p11.Errorf(p11.CKR_KEY_INDIGESTIBLE, "CKA_ALLOWED_MECHANISMS of the key lacks %v", t)
	}
	material, err := obj.Material()
	if err != nil {
		return nil, err
	}
	if obj.Guessable() {
		return nil, p11.Errorf(p11.CKR_KEY_INDIGESTIBLE, "the key is so short that its digest would give it away")
	}
	value, ok := material.([]byte)
	if !ok {
		return nil, p11.CKR_KEY_INDIGESTIBLE
	}
	return value, nil
}

// DigestFinal finishes a multi-part digest.
func (m *Module) DigestFinal(h p11.SessionHandle, out *p11.Out) error {
	return m.final(h, digest, lastOne, nil, out)
}

// SignInit begins a signature or MAC (PKCS #11 v3.2, 5.13.1).
func (m *Module) SignInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, sign, mm, key)
}

// Sign signs in one part.
func (m *Module) Sign(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.final(h, sign, oneShot, data, out)
}

// SignUpdate adds a part to what is signed.
func (m *Module) SignUpdate(h p11.SessionHandle, part []byte) error {
	return m.feedPart(h, sign, part)
}

// SignFinal finishes a multi-part signature.
func (m *Module) SignFinal(h p11.SessionHandle, out *p11.Out) error {
	return m.final(h, sign, lastOne, nil, out)
}

// VerifyInit begins a verification (PKCS #11 v3.2, 5.15.1).
func (m *Module) VerifyInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, verify, mm, key)
}

// Verify verifies in one part.
func (m *Module) Verify(h p11.SessionHandle, data, signature []byte) error {
	return m.compare(h, oneShot, data, signature)
}

// VerifyUpdate adds a part to what is verified.
func (m *Module) VerifyUpdate(h p11.SessionHandle, part []byte) error {
	return m.feedPart(h, verify, part)
}

// VerifyFinal finishes a multi-part verification.
func (m *Module) VerifyFinal(h p11.SessionHandle, signature []byte) error {
	return m.compare(h, lastOne, nil, signature)
}

// SignRecoverInit begins a signature from which the data can be recovered
// (PKCS #11 v3.2, 5.13.5).
func (m *Module) SignRecoverInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, signRecover, mm, key)
}

// SignRecover signs in one part, the only way there is.
func (m *Module) SignRecover(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.final(h, signRecover, oneShot, data, out)
}

// VerifyRecoverInit begins the recovery of data from a signature (PKCS #11
// v3.2, 5.15.5).
func (m *Module) VerifyRecoverInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, verifyRecover, mm, key)
}

// VerifyRecover gives the data of a signature that is valid. One that is not
// goes before a buffer that is too small.
func (m *Module) VerifyRecover(h p11.SessionHandle, signature []byte, out *p11.Out) error {
	return m.final(h, verifyRecover, oneShot, signature, out)
}

// DigestEncryptUpdate digests and encrypts a part (PKCS #11 v3.2, 5.16.1).
func (m *Module) DigestEncryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error {
	return m.feedAndEncrypt(h, digest, part, out)
}

// SignEncryptUpdate signs and encrypts a part (PKCS #11 v3.2, 5.16.3).
func (m *Module) SignEncryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error {
	return m.feedAndEncrypt(h, sign, part, out)
}

// DecryptDigestUpdate decrypts a part and digests the plaintext (PKCS #11
// v3.2, 5.16.2).
func (m *Module) DecryptDigestUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error {
	return m.decryptAndFeed(h, digest, part, out)
}

// DecryptVerifyUpdate decrypts a part and adds the plaintext to what is
// verified (PKCS #11 v3.2, 5.16.4).
func (m *Module) DecryptVerifyUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error {
	return m.decryptAndFeed(h, verify, part, out)
}

// both runs f on two running operations of one session.
func (m *Module) both(h p11.SessionHandle, a, b purpose, f func(a, b *operation) error) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	oa, err := s.part(a)
	if err != nil {
		return err
	}
	ob, err := s.part(b)
	if err != nil {
		return err
	}
	return f(oa, ob)
}

func (m *Module) feedAndEncrypt(h p11.SessionHandle, p purpose, part []byte, out *p11.Out) error {
	return m.both(h, encrypt, p, func(enc, other *operation) error {
		// Encryption in place overwrites what is to be fed afterwards.
		plain := append([]byte(nil), part...)
		defer clear(plain)
		consumed, err := enc.update(plain, out)
		if err != nil || !consumed {
			return err
		}
		return other.feed(plain)
	})
}

func (m *Module) decryptAndFeed(h p11.SessionHandle, p purpose, part []byte, out *p11.Out) error {
	return m.both(h, decrypt, p, func(dec, other *operation) error {
		consumed, err := dec.update(part, out)
		if err != nil || !consumed {
			return err
		}
		return other.feed(out.Buf[:out.N])
	})
}

// SeedRandom mixes bytes into the system's generator (PKCS #11 v3.2, 5.19.1).
func (m *Module) SeedRandom(h p11.SessionHandle, seed []byte) error {
	if _, err := m.session(h); err != nil {
		return err
	}
	if err := seedSystem(seed); err != nil {
		return p11.Errorf(p11.CKR_RANDOM_SEED_NOT_SUPPORTED, "mixing the seed in: %w", err)
	}
	return nil
}

// GenerateRandom fills dst with random bytes (PKCS #11 v3.2, 5.19.2).
func (m *Module) GenerateRandom(h p11.SessionHandle, dst []byte) error {
	if _, err := m.session(h); err != nil {
		return err
	}
	if _, err := m.random.Read(dst); err != nil {
		return p11.Errorf(p11.CKR_FUNCTION_FAILED, "the system's random generator: %w", err)
	}
	return nil
}
