package mech

import (
	"math/big"
	"reflect"
)

// erase sets the state of a cipher to zero: that of crypto/aes and
// crypto/cipher holds the expanded key, whose first words are the key itself,
// and has no method for it. What is behind x is the caller's alone and is not
// used any more. A type that can do it itself has a method wipe.
func erase(x any) {
	if w, ok := x.(interface{ wipe() }); ok {
		w.wipe()
		return
	}
	v := reflect.ValueOf(x)
	if v.Kind() == reflect.Struct { // a wrapper, as that of cipher.NewCTR
		for i := range v.NumField() {
			erasePointer(v.Field(i))
		}
		return
	}
	erasePointer(v)
}

// Erase is erase for those who make a cipher or a hash of a key outside of this
// package.
func Erase(x any) { erase(x) }

// eraseDeep is erase for a pointer to a structure with pointers to further ones.
func eraseDeep(x any) {
	v := reflect.ValueOf(x).Elem()
	for i := range v.NumField() {
		erasePointer(v.Field(i))
	}
	erase(x)
}

// erasePointer clears what v points to, with the write barriers that the
// collector needs.
func erasePointer(v reflect.Value) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		reflect.NewAt(v.Type().Elem(), v.UnsafePointer()).Elem().SetZero()
	}
}

// wipeBig clears the words of a number, which stays in the hands of others.
func wipeBig(ns ...*big.Int) {
	for _, n := range ns {
		if n != nil {
			clear(n.Bits()[:cap(n.Bits())])
		}
	}
}

// wipeEC clears a private key. Of one of crypto/ecdsa that is what it shows; it
// has copies of its own for signing and for ECDH.
func wipeEC(material any) {
	if key, ok := material.(ecPrivate); ok {
		key.wipe()
	}
}

// wipeECX clears the seed or scalar and what was made of it.
func wipeECX(material any) {
	if key, ok := material.(*ecxPrivateKey); ok {
		clear(key.private)
		clear(key.signing)
	}
}

// scrub clears the stack below its caller, where functions that it called
// before have left their variables: crypto/cipher makes a counter mode there,
// expanded key and all, before it has a place on the heap, and a hash, to make
// its sum, copies what it has not hashed yet.
//
//go:noinline
func scrub() {
	var stack [2 << 10]byte
	clearBytes(stack[:])
}

// ScrubDeep is scrub for what goes deeper, such as the parsing of an RSA key.
// It is called before as well, so that the stack grows, and so moves, while
// there is nothing on it.
//
//go:noinline
func ScrubDeep() {
	var stack [16 << 10]byte
	clearBytes(stack[:])
}

// clearBytes keeps the compiler from finding out that nobody reads them.
//
//go:noinline
func clearBytes(b []byte) { clear(b) }
