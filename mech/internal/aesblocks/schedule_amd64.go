package aesblocks

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/cpu"
)

// kernels, the widest first. Sixteen blocks take the AES instructions on 256
// bits.
var kernels = chooseKernels(cpu.X86.HasAES && cpu.X86.HasSSE41, cpu.X86.HasAVX2 && hasVAES())

func chooseKernels(aes, vaes bool) []kernel {
	switch all := []kernel{
		{16, encrypt16, decrypt16, decryptCBC16},
		{8, encrypt8, decrypt8, decryptCBC8},
		{1, encrypt1, decrypt1, decryptCBC1},
	}; {
	case aes && vaes:
		return all
	case aes:
		return all[1:]
	}
	return nil
}

// expand is the key expansion of FIPS 197, section 5.2, on words whose first
// byte is the lowest. Only the S-box needs the instruction: a table would show
// in the cache what was looked up.
func expand(schedule *[scheduleSize]byte, key []byte, rounds int) {
	n := len(key) / 4
	copy(schedule[:], key)
	rcon := uint32(1)
	for i := n; i < 4*(rounds+1); i++ {
		w := binary.LittleEndian.Uint32(schedule[4*(i-1):])
		switch {
		case i%n == 0:
			w = bits.RotateLeft32(subWord(w), -8) ^ rcon
			if rcon <<= 1; rcon == 0x100 {
				rcon = 0x1b
			}
		case n > 6 && i%n == 4:
			w = subWord(w)
		}
		binary.LittleEndian.PutUint32(schedule[4*i:], w^binary.LittleEndian.Uint32(schedule[4*(i-n):]))
	}
}

// hasVAES reports whether the AES instructions work on 256 bits: CPUID leaf 7,
// ECX bit 9.
//
//go:noescape
func hasVAES() bool

// subWord passes each byte through the S-box.
//
//go:noescape
func subWord(w uint32) uint32

// invert makes the round keys of the equivalent inverse cipher (FIPS 197,
// section 5.3.5), in the order in which decryption uses them.
//
//go:noescape
func invert(decrypt, encrypt *[scheduleSize]byte, rounds int)

//go:noescape
func encrypt16(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)

//go:noescape
func encrypt8(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)

//go:noescape
func encrypt1(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)

//go:noescape
func decrypt16(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)

//go:noescape
func decrypt8(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)

//go:noescape
func decrypt1(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)

//go:noescape
func decryptCBC16(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)

//go:noescape
func decryptCBC8(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)

//go:noescape
func decryptCBC1(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)
