package crash

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"coffer/tests/built"
)

// onDisk returns a bench on a file system of its own, of so many megabytes.
func onDisk(t *testing.T, megabytes int) *bench {
	t.Helper()
	b := newBench(t)
	disk := b.path("disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "mode=755,size="+strconv.Itoa(megabytes)+"m"); err != nil {
		built.Missing(t, "mounting a small file system: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	return b.at(filepath.Join(disk, "store"))
}

// fill fills the file system up but for some megabytes, and returns what
// empties it again.
func (b *bench) fill(leave int) (empty func()) {
	b.t.Helper()
	name := filepath.Join(filepath.Dir(b.store), "filler")
	f, err := os.Create(name)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, unix.ENOSPC) {
		b.t.Fatalf("filling the disk: %v", err)
	}
	if leave > 0 {
		end, _ := f.Seek(0, io.SeekEnd)
		if err := f.Truncate(end - int64(leave)<<20); err != nil {
			b.t.Fatal(err)
		}
	}
	return func() { os.Remove(name) }
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestAFullDisk: what is to be written is refused as long as there is no room,
// what is there is used, and everything goes on when there is room again.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]int{"to the last byte": 0, "nearly": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := onDisk(t, 80)
			b.initToken()
			p := b.start("obey", nil)
			p.want("CKR_OK", "initialize")
			p.want("CKR_OK", "login 0 user %s", pin)
			p.want("CKR_OK", "key before")
			p.want("CKR_OK", "data kept")
			b.silent()

			empty := b.fill(leave)
			for order, function := range map[string]string{
				"key during": "C_CreateObject", "pair during": "C_GenerateKeyPair", "destroy kept": "C_DestroyObject",
				"set kept other": "C_SetAttributeValue", "setpin 0 " + pin + " next-1357": "C_SetPIN", "inittoken 1 " + soPIN + " one": "C_InitToken",
			} {
				p.want("CKR_DEVICE_MEMORY", "%s", order)
				b.oneLine(function, "CKR_DEVICE_MEMORY", b.store, "no space left")
			}
			p.right("before", "kept")
			b.silent()

			empty()
			p.want("CKR_OK", "key after")
			p.right("before", "kept", "after")

			// A process that begins, or ends, when the disk is full.
			empty = b.fill(leave)
			p.want("CKR_GENERAL_ERROR", "finalize")
			b.oneLine("C_Finalize", "CKR_DEVICE_MEMORY", b.store, "no space left")
			p.wait()
			// What it held to write with is enough to open the store.
			p = b.start("obey", nil)
			p.want("CKR_OK", "initialize")
			p.want("CKR_DEVICE_MEMORY", "login 0 user %s", pin) // which is counted
			b.oneLine("C_Login", "CKR_DEVICE_MEMORY", b.store, "no space left")
			p.kill()
			empty()
			if err := os.RemoveAll(filepath.Join(b.store, "BALLAST")); err != nil {
				t.Fatal(err)
			}
			empty = b.fill(leave)
			p = b.start("obey", nil)
			p.want("CKR_GENERAL_ERROR", "initialize")
			b.oneLine("C_Initialize", b.store, "no space left")
			empty()
			p.want("CKR_OK", "initialize")
			p.want("CKR_OK", "login 0 user %s", pin)
			p.right("before", "kept", "after")
			if got := p.want("CKR_OK", "use during"); got != "absent" {
				t.Errorf("what was refused is %s", got)
			}
			p.want("CKR_OK", "finalize")
			p.wait()
			b.silent()
			b.clean()
		})
	}
}
