package token

import (
	"os"
	"strconv"
)

// seedSystem writes to the kernel's pool. What anybody writes there is mixed
// in and credited with no entropy, so a hostile seed does no harm.
func seedSystem(seed []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(seed)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
