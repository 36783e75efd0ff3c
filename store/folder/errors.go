package folder

import (
	"errors"
	"fmt"
	"syscall"

	"coffer/store"
)

// Reasons are the system's errors that say more than that something failed.
var Reasons = []struct {
	Errno syscall.Errno
	Is    error
}{
	{syscall.ENOSPC, store.ErrFull},
	{syscall.EDQUOT, store.ErrFull},
	{syscall.EROFS, store.ErrReadOnly},
	{syscall.EACCES, store.ErrReadOnly},
	{syscall.EPERM, store.ErrReadOnly},
	{syscall.ENOENT, store.ErrNotFound},
	{syscall.ENOTDIR, store.ErrNotFound},
	{syscall.EMFILE, store.ErrFailed},
	{syscall.ENFILE, store.ErrFailed},
	{syscall.ENOMEM, store.ErrFailed},
	{syscall.EIO, store.ErrFailed},
}

// FileError gives an error of a file operation, which names its path, its
// sentinel. Nil stays nil.
func FileError(err error) error {
	if err == nil {
		return nil
	}
	for _, r := range Reasons {
		if errors.Is(err, r.Errno) {
			return fmt.Errorf("%w: %w", r.Is, err)
		}
	}
	return fmt.Errorf("%w: %w", store.ErrFailed, err)
}
