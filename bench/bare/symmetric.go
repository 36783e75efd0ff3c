package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

var hashes = map[string]func() hash.Hash{
	"sha1":     sha1.New,
	"sha256":   sha256.New,
	"sha384":   sha512.New384,
	"sha512":   sha512.New,
	"sha3-256": func() hash.Hash { return sha3.New256() },
}

// text is so many bytes, every page of them its own, with room for a block more.
func text(size string) ([]byte, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n, n+32)
	rand.Read(b)
	return b, nil
}

func randomKey(length int) []byte {
	key := make([]byte, length)
	rand.Read(key)
	return key
}

func block(name string) (cipher.Block, error) {
	if strings.HasPrefix(name, "des3") {
		return des.NewTripleDESCipher(randomKey(24))
	}
	return aes.NewCipher(randomKey(32))
}

func cipherOperation(encrypt bool) func(string, []string) (operation, error) {
	return func(_ string, args []string) (operation, error) {
		if len(args) != 2 {
			return nil, absent("in parts")
		}
		name := args[0]
		switch name {
		case "aes-gcm", "chacha20-poly1305":
			return seal(name, args[1:], encrypt)
		case "aes-cbc", "aes-cbc-pad", "des3-cbc", "aes-ctr":
		default:
			return nil, absent(name)
		}
		b, err := block(name)
		if err != nil {
			return nil, err
		}
		src, err := text(args[1])
		if err != nil {
			return nil, err
		}
		if name == "aes-cbc-pad" { // a whole block of padding
			src = append(src, make([]byte, b.BlockSize())...)
		}
		dst := make([]byte, len(src))
		iv := make([]byte, b.BlockSize())
		count := uint64(0)
		return func() error {
			count++
			binary.LittleEndian.PutUint64(iv, count)
			switch {
			case name == "aes-ctr":
				cipher.NewCTR(b, iv).XORKeyStream(dst, src)
			case encrypt:
				cipher.NewCBCEncrypter(b, iv).CryptBlocks(dst, src)
			default:
				cipher.NewCBCDecrypter(b, iv).CryptBlocks(dst, src)
			}
			return nil
		}, nil
	}
}

// seal is an AEAD without additional data.
func seal(name string, args []string, encrypt bool) (operation, error) {
	var aead cipher.AEAD
	var err error
	if name == "aes-gcm" {
		b, berr := block(name)
		if berr != nil {
			return nil, berr
		}
		aead, err = cipher.NewGCM(b)
	} else {
		aead, err = chacha20poly1305.New(randomKey(32))
	}
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, absent("in parts")
	}
	src, err := text(args[0])
	if err != nil {
		return nil, err
	}
	iv := make([]byte, aead.NonceSize())
	dst := make([]byte, 0, len(src)+aead.Overhead())
	if !encrypt {
		sealed := aead.Seal(nil, iv, src, nil)
		return func() error {
			_, err := aead.Open(dst, iv, sealed, nil)
			return err
		}, nil
	}
	count := uint64(0)
	return func() error {
		count++
		binary.LittleEndian.PutUint64(iv, count)
		aead.Seal(dst, iv, src, nil)
		return nil
	}, nil
}

func digest(_ string, args []string) (operation, error) {
	if len(args) != 2 || hashes[args[0]] == nil {
		return nil, absent(fmt.Sprint(args))
	}
	return hashing(hashes[args[0]](), args[1])
}

func mac(_ string, args []string) (operation, error) {
	if len(args) != 2 {
		return nil, absent("in parts")
	}
	h := hashes[strings.TrimPrefix(args[0], "hmac-")]
	if h == nil {
		return nil, absent(args[0])
	}
	return hashing(hmac.New(h, randomKey(32)), args[1])
}

func hashing(h hash.Hash, size string) (operation, error) {
	src, err := text(size)
	dst := make([]byte, 0, h.Size())
	return func() error {
		h.Reset()
		h.Write(src)
		h.Sum(dst)
		return nil
	}, err
}

func random(_ string, args []string) (operation, error) {
	dst, err := text(args[0])
	return func() error {
		_, err := rand.Read(dst)
		return err
	}, err
}
