// Command scale measures a token with very many keys: how quickly they are made,
// how long the slowest caller waits meanwhile, what they cost on disk, and what
// opening the token, finding a key and using it then cost.
//
//	go run ./bench/scale -n 1000000 -threads 8 -store /var/tmp/scale
//
// The folder must be new. It works on package token, without the C face, which
// would add 0.1 microseconds to each call.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store/stores"
	"coffer/token"
)

var (
	count   = flag.Int("n", 100_000, "keys to make")
	threads = flag.Int("threads", 8, "sessions that make them, each in a thread of its own")
	dir     = flag.String("store", "", "folder of the new store")
	look    = flag.Bool("look", false, "only look at what an earlier run has made")
	profile = flag.String("cpuprofile", "", "file for a profile of making the keys")
)

var (
	soPIN = []byte("so-87654321")
	pin   = []byte("user-2468")
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open() *token.Module {
	b, err := stores.Open(*dir, stores.Options{})
	must(err)
	m, err := token.Open(token.Config{Store: b})
	must(err)
	return m
}

func session(m *token.Module) p11.SessionHandle {
	h, err := m.OpenSession(0, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	must(err)
	return h
}

// idOf is the CKA_ID of the nth key.
func idOf(n int) attr.Value {
	return attr.NewBytes(p11.CKA_ID, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func make1(m *token.Module, h p11.SessionHandle, n int) {
	_, err := m.CreateObject(h, attr.Values{
		attr.NewULong(p11.CKA_CLASS, uint64(p11.CKO_SECRET_KEY)),
		attr.NewULong(p11.CKA_KEY_TYPE, uint64(p11.CKK_AES)),
		attr.NewBool(p11.CKA_TOKEN, true),
		attr.NewBool(p11.CKA_ENCRYPT, true),
		attr.NewBytes(p11.CKA_VALUE, make([]byte, 32)),
		attr.NewString(p11.CKA_LABEL, fmt.Sprint("key ", n)),
		idOf(n),
	})
	must(err)
}

func find(m *token.Module, h p11.SessionHandle, n int) p11.ObjectHandle {
	must(m.FindObjectsInit(h, attr.Values{idOf(n)}))
	var found [2]p11.ObjectHandle
	got, err := m.FindObjects(h, found[:])
	must(err)
	must(m.FindObjectsFinal(h))
	if got != 1 {
		log.Fatalf("key %d: found %d", n, got)
	}
	return found[0]
}

// resident returns the process's memory in MiB: all, and what is its own.
func resident() string {
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	var out []string
	for line := range strings.Lines(string(status)) {
		if name, rest, _ := strings.Cut(line, ":"); name == "VmRSS" || name == "RssAnon" {
			out = append(out, name+" "+strings.TrimSpace(rest))
		}
	}
	return strings.Join(out, ", ")
}

// onDisk returns how many bytes the store takes, and how many files it has.
func onDisk() (bytes int64, files int) {
	must(filepath.WalkDir(*dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes, files = bytes+blocks(info), files+1
		}
		return nil
	}))
	return bytes, files
}

// say prints a measure.
func say(what string, format string, args ...any) {
	fmt.Printf("%-44s %s\n", what, fmt.Sprintf(format, args...))
}

// quantiles of durations, which it sorts.
func quantiles(d []time.Duration) string {
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[min(int(q*float64(len(d))), len(d)-1)].Round(time.Microsecond) }
	return fmt.Sprintf("median %v, 99%% %v, 99.9%% %v, most %v", at(.5), at(.99), at(.999), at(1))
}

func main() {
	flag.Parse()
	if *dir == "" {
		log.Fatal("-store names the folder of a new store")
	}
	if *look {
		lookAt()
		return
	}
	fill()
	// Another process: this one has handles of all the keys.
	c := exec.Command(os.Args[0], append(os.Args[1:], "-look")...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	must(c.Run())
}

// fill makes the token and its keys.
func fill() {
	m := open()
	must(m.InitToken(0, soPIN, "scale"))
	h := session(m)
	must(m.Login(h, p11.CKU_SO, soPIN))
	must(m.InitPIN(h, pin))
	must(m.Logout(h))
	must(m.Login(h, p11.CKU_USER, pin))
	say("memory, no keys", "%s", resident())

	if *profile != "" {
		f, err := os.Create(*profile)
		must(err)
		must(pprof.StartCPUProfile(f))
	}
	took := make([]time.Duration, *count)
	var next atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range *threads {
		all.Go(func() {
			h := session(m)
			for {
				n := int(next.Add(1)) - 1
				if n >= *count {
					return
				}
				at := time.Now()
				make1(m, h, n)
				took[n] = time.Since(at)
			}
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	pprof.StopCPUProfile()
	say(fmt.Sprintf("%d keys by %d threads", *count, *threads), "%.0f a second", float64(*count)/elapsed.Seconds())
	say("one of them", "%s", quantiles(took))
	say("memory after that", "%s", resident())

	const few = 2000
	took = took[:0]
	for n := range few {
		at := time.Now()
		make1(m, h, *count+n)
		took = append(took, time.Since(at))
	}
	total := time.Duration(0)
	for _, d := range took {
		total += d
	}
	say("keys by one thread", "%.0f a second; %s", few/total.Seconds(), quantiles(took))

	at := time.Now()
	must(m.Close())
	say("closing", "%v", time.Since(at).Round(time.Millisecond))
	bytes, files := onDisk()
	say("on disk", "%d bytes a key, in %d files", bytes/int64(*count+few), files)

}

// lookAt opens the token, finds keys and uses one.
func lookAt() {
	at := time.Now()
	m := open()
	say("opening", "%v", time.Since(at).Round(time.Millisecond/10))
	say("memory after that", "%s", resident())
	h := session(m)
	must(m.Login(h, p11.CKU_USER, pin))
	at = time.Now()
	k := find(m, h, *count/2)
	must(m.EncryptInit(h, &p11.Mechanism{Type: p11.CKM_AES_ECB}, k))
	must(m.Encrypt(h, make([]byte, 16), &p11.Out{Buf: make([]byte, 16)}))
	say("finding and using a key, the first time", "%v", time.Since(at).Round(time.Microsecond))
	say("memory after that", "%s", resident())
	var took []time.Duration
	for i := range 2000 {
		n := int(uint64(i) * 7919 * 104729 % uint64(*count))
		at := time.Now()
		find(m, h, n)
		took = append(took, time.Since(at))
	}
	say("finding others", "%s", quantiles(took))
	say("memory after that", "%s", resident())
	must(m.Close())
}
