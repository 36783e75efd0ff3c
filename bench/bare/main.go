// Command bare measures what Go's standard library does with a kept key: the price that a module written
// in Go pays in any case. It speaks the protocol of p11bench's serve command:
//
//	bare gcm SIZE | sign p256|ed25519|rsa2048
//
// Each line of standard input is a number of milliseconds; the answer is what was done in that time.
package main

import (
	"bufio"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// minBatch is the least time between two readings of the clocks, so that reading them does not count.
const minBatch = 200 * time.Microsecond

func main() {
	out := json.NewEncoder(os.Stdout)
	if err := serve(os.Args[1:], out); err != nil {
		out.Encode(map[string]string{"error": err.Error()})
		os.Exit(1)
	}
}

func serve(args []string, out *json.Encoder) error {
	op, err := operation(args)
	if err != nil {
		return err
	}
	if err := out.Encode(map[string]bool{"ready": true}); err != nil {
		return err
	}
	batch := 1
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		ms, err := strconv.Atoi(strings.TrimSpace(in.Text()))
		if err != nil {
			return err
		}
		s, err := runSlice(op, time.Duration(ms)*time.Millisecond, &batch)
		if err != nil {
			return err
		}
		if err := out.Encode(s); err != nil {
			return err
		}
	}
	return in.Err()
}

// slice is what was done between two lines of standard input.
type slice struct {
	Ops  int   `json:"ops"`
	Wall int64 `json:"wall_ns"`
	CPU  int64 `json:"cpu_ns"`
}

// runSlice repeats op for length; batch is how often between readings of the clock, and is kept.
func runSlice(op func() error, length time.Duration, batch *int) (slice, error) {
	var s slice
	cpu, start := cpuTime(), time.Now()
	for last := time.Duration(0); ; {
		for range *batch {
			if err := op(); err != nil {
				return s, err
			}
		}
		s.Ops += *batch
		now := time.Since(start)
		if now >= length {
			s.Wall, s.CPU = int64(now), cpuTime()-cpu
			return s, nil
		}
		if now-last < minBatch {
			*batch *= 2
		}
		last = now
	}
}

// cpuTime is the CPU time of this process in nanoseconds, its collector's included.
func cpuTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// operation returns one operation with its key made ready, as a caller of the library would keep it.
func operation(args []string) (func() error, error) {
	if len(args) != 2 {
		return nil, errors.New("usage: bare gcm SIZE | sign p256|ed25519|rsa2048")
	}
	switch args[0] {
	case "gcm":
		size, err := strconv.Atoi(args[1])
		if err != nil {
			return nil, err
		}
		return sealer(size)
	case "sign":
		return signer(args[1])
	}
	return nil, fmt.Errorf("unknown measure %s", args[0])
}

func sealer(size int) (func() error, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	var (
		iv    = make([]byte, aead.NonceSize())
		src   = make([]byte, size)
		dst   = make([]byte, 0, size+aead.Overhead())
		count uint64
	)
	rand.Read(src) // else every page of it is the kernel's one page of zeros
	return func() error {
		count++
		binary.LittleEndian.PutUint64(iv, count)
		aead.Seal(dst, iv, src, nil)
		return nil
	}, nil
}

func signer(kind string) (func() error, error) {
	digest := make([]byte, 32)
	rand.Read(digest)
	switch kind {
	case "p256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return func() error {
			_, err := ecdsa.SignASN1(rand.Reader, key, digest)
			return err
		}, err
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return func() error {
			ed25519.Sign(key, digest)
			return nil
		}, err
	case "rsa2048":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		return func() error {
			_, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
			return err
		}, err
	}
	return nil, fmt.Errorf("unknown kind of key %s", kind)
}
