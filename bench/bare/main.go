// Command bare measures what Go's standard library does with a kept key: the price that a module written
// in Go pays in any case. It speaks the protocol of p11bench's serve command:
//
//	bare FOLDER MEASURE ARGUMENT...
//
// RSA keys are kept in FOLDER, so that nobody waits twice for their making. Each line of standard input is a number of milliseconds; the answer is what was done in that time.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"runtime"
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
		what := "error"
		if errors.As(err, new(absent)) {
			what = "absent"
		}
		out.Encode(map[string]string{what: err.Error()})
		os.Exit(1)
	}
}

func serve(args []string, out *json.Encoder) error {
	if len(args) < 2 {
		return errors.New("usage: bare FOLDER MEASURE [ARGUMENT]")
	}
	op, err := prepare(args[0], args[1:])
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
	runtime.KeepAlive(result)
	return in.Err()
}

// slice is what was done between two lines of standard input.
type slice struct {
	Ops  int   `json:"ops"`
	Wall int64 `json:"wall_ns"`
	CPU  int64 `json:"cpu_ns"`
}

// runSlice repeats op for length; batch is how often between readings of the clock, and is kept.
func runSlice(op operation, length time.Duration, batch *int) (slice, error) {
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

// An operation is what is repeated, with its key made ready, as a caller of the library would keep it.
type operation func() error

// absent says that the standard library has no such thing, which is no fault.
type absent string

func (a absent) Error() string { return string(a) }

// measures makes an operation ready from its arguments.
var measures = map[string]func(folder string, args []string) (operation, error){
	"encrypt":     cipherOperation(true),
	"decrypt":     cipherOperation(false),
	"message":     func(folder string, args []string) (operation, error) { return seal("aes-gcm", args, true) },
	"digest":      digest,
	"mac":         mac,
	"random":      random,
	"sign":        sign,
	"verify":      verify,
	"oaep":        oaep,
	"derive":      derive,
	"encapsulate": encapsulate,
	"decapsulate": decapsulate,
	"generate":    generate,
}

func prepare(folder string, args []string) (operation, error) {
	make, ok := measures[strings.TrimSuffix(args[0], "-many")]
	if !ok {
		return nil, absent(args[0])
	}
	return make(folder, args[1:])
}
