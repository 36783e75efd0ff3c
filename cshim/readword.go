package main

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readWord returns the word at an address of this process, or that there is
// none. It asks the kernel, which answers where a load would fault.
func readWord(address uintptr) (uint64, bool) {
	var word [8]byte
	local := unix.Iovec{Base: unsafe.SliceData(word[:])}
	local.SetLen(len(word))
	remote := unix.RemoteIovec{Base: address, Len: len(word)}
	n, err := unix.ProcessVMReadv(os.Getpid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	return binary.LittleEndian.Uint64(word[:]), err == nil && n == len(word)
}
