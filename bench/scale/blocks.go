package main

import (
	"io/fs"
	"syscall"
)

// blocks returns how many bytes of disk a file takes; Badger's logs have holes.
func blocks(info fs.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks * 512 }
