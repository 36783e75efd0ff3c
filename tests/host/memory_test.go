package host

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// knownKeys writes the keys that memory.c looks for, in its order, each part
// with its length before it and every bit inverted.
func knownKeys(t *testing.T) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := curve.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	add := func(b []byte) {
		file = binary.BigEndian.AppendUint16(file, uint16(len(b)))
		for _, c := range b {
			file = append(file, ^c)
		}
	}
	crt := private.Precomputed
	for _, n := range []*big.Int{private.N, big.NewInt(int64(private.E)), private.D, private.Primes[0], private.Primes[1], crt.Dp, crt.Dq, crt.Qinv} {
		add(n.Bytes())
	}
	add(d)
	for _, n := range []int{32, 48, 24, 32, 32, 32} { // AES, generic, DES3, ChaCha20, Ed25519, X25519
		secret := make([]byte, n)
		rand.Read(secret)
		if n == 24 { // the lowest bit of each byte makes the parity odd
			for i, b := range secret {
				secret[i] = b&^1 | byte(bits.OnesCount8(b>>1)+1)&1
			}
		}
		add(secret)
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// copies is how often a key was found: in locked memory, on the Go heap, and
// elsewhere.
type copies struct{ locked, heap, other int }

// searched runs memory.c and returns what it found at each stage for each key.
func searched(t *testing.T, env ...string) map[string]copies {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, compile(t, "memory"), copyOfLib(t), "", knownKeys(t))
	cmd.Env = append(append(os.Environ(), "COFFER_LOG=off", "COFFER_POLICY=legacy"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	t.Logf("\n%s%s", out, &stderr)
	found := map[string]copies{}
	for line := range strings.Lines(string(out)) {
		var stage, key string
		var c copies
		if _, err := fmt.Sscanf(line, "%s %s locked=%d heap=%d other=%d", &stage, &key, &c.locked, &c.heap, &c.other); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		found[stage+" "+key] = c
	}
	return found
}

// What the Go library keeps of private keys is on its heap while they are in
// use, and until the collector has been there. SECURITY.md says so.
const (
	mostOfLibrary   = 100
	mostAtTheEnd    = 2 // a stack may have something left
	endsOfEachValue = 2 // memory.c looks for the first and for the last bytes
)

func TestKeysInMemory(t *testing.T) {
	for name, store := range map[string]string{"mem": "mem:", "folder": filepath.Join(t.TempDir(), "store")} {
		t.Run(name, func(t *testing.T) {
			found := searched(t, "COFFER_STORE="+store)
			for _, stage := range []struct {
				name   string
				locked int
				heap   int // of private keys; there is never anything of a secret key
			}{
				{"before", 0, 0},
				{"imported", endsOfEachValue, mostOfLibrary},
				{"used", endsOfEachValue, mostOfLibrary},
				{"child", 0, mostOfLibrary},
				{"loggedout", 0, mostOfLibrary},
				{"stored", 0, mostOfLibrary},
				{"opened", endsOfEachValue, mostOfLibrary},
				{"destroyed", 0, mostOfLibrary},
				{"finalized", 0, mostAtTheEnd},
			} {
				for _, key := range []string{"aes", "generic", "des3", "chacha20", "rsa-d", "rsa-p", "ec", "ed25519", "x25519"} {
					heap := stage.heap
					if key == "aes" || key == "generic" || key == "des3" || key == "chacha20" {
						heap = 0
					}
					got, ok := found[stage.name+" "+key]
					if !ok || got.locked != stage.locked || got.heap > heap || got.other != 0 {
						t.Errorf("%s, %s: got %+v, want %d locked and at most %d on the heap", stage.name, key, got, stage.locked, heap)
					}
				}
			}
		})
	}
}
