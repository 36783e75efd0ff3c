package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"coffer/p11"
	"coffer/tests/built"
)

// refused expects that the library and the command do not open the store, and
// say why.
func (b *bench) refused(reason string) {
	b.t.Helper()
	p := b.start("obey", nil)
	for range 2 { // it is as good a refusal the second time
		p.want("CKR_GENERAL_ERROR", "initialize")
		b.oneLine("C_Initialize() = CKR_DEVICE_ERROR: opening the store", b.store, reason)
	}
	p.wait()
	out, err := b.coffer("store", "check")
	if err == nil {
		b.t.Errorf("coffer store check is content:\n%s", out)
	}
	for _, part := range []string{"CKR_DEVICE_ERROR", b.store, reason} {
		b.contains(out, part)
	}
}

func (b *bench) contains(text, part string) {
	b.t.Helper()
	if !strings.Contains(text, part) {
		b.t.Errorf("%q does not say %q", text, part)
	}
}

// TestAFolderThatIsNone: no store is made where there is no place for one, or
// where something else is.
func TestAFolderThatIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.path("file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.at(file).refused("not a folder")
	b.at(filepath.Join(file, "store")).refused("not a directory")
	b.at(b.path("absent/store")).refused("no such file or directory")
	if data, err := os.ReadFile(file); err != nil || string(data) != "mine" {
		t.Errorf("the file has %q, %v", data, err)
	}
	if _, err := os.Stat(b.path("absent")); !os.IsNotExist(err) {
		t.Errorf("the folder above: %v", err)
	}
}

// TestAReadOnlyFileSystem: it is refused, and as good as before when it can be
// written again.
func TestAReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	b := onDisk(t, 80)
	b.initToken()
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", filepath.Dir(b.store), "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY)
	b.refused("read-only file system")
	b.at(b.store + "2").refused("read-only file system")
	remount(0)
	b.clean()
}

// nobody returns the bench for processes of a user who owns nothing.
func (b *bench) nobody() *bench {
	b.t.Helper()
	if os.Geteuid() != 0 {
		built.Missing(b.t, "only root can start another user's process")
	}
	c := *b
	c.user = &syscall.Credential{Uid: 65534, Gid: 65534}
	return &c
}

// everyone lets the processes of others have what the tests have: the library,
// the command, this binary, and the folder of the log.
func (b *bench) everyone() *bench {
	b.t.Helper()
	c := *b
	for _, name := range []*string{&c.lib, &c.cmd, &c.self} {
		data, err := os.ReadFile(*name)
		if err != nil {
			b.t.Fatal(err)
		}
		*name = b.path(filepath.Base(*name))
		if err := os.WriteFile(*name, data, 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	// And of the checkout the table of functions, which p11test reads.
	root, err := built.Root()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "p11/spec/functions.tsv"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(b.path(name), data, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := os.Chmod(b.dir, 0o777); err != nil {
		b.t.Fatal(err)
	}
	log, err := os.OpenFile(b.log, os.O_CREATE, 0o666)
	if err != nil {
		b.t.Fatal(err)
	}
	log.Chmod(0o666)
	log.Close()
	return c.at(c.store)
}

// files lists the files of the store.
func (b *bench) files() string {
	b.t.Helper()
	entries, err := os.ReadDir(b.store)
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			b.t.Fatal(err)
		}
		fmt.Fprintln(&out, e.Name(), info.Size(), info.Mode(), info.ModTime())
	}
	return out.String()
}

// TestAFolderOfOthers: whoever may not write it does not get in, and leaves no
// trace.
func TestAFolderOfOthers(t *testing.T) {
	t.Parallel()
	b := newToken(t).everyone().nobody()
	before := b.files()
	b.refused("permission denied")
	// One may look into the folder, and nothing else.
	if err := os.Chmod(b.store, 0o755); err != nil {
		t.Fatal(err)
	}
	b.refused("permission denied")
	if after := b.files(); after != before {
		t.Errorf("the store's files are\n%s and were\n%s", after, before)
	}
	b.user = nil
	b.clean()
}

// acknowledged returns what a process in the role write has made, until it
// fails or has made so many.
func (p *process) acknowledged(most int) (labels []string) {
	p.b.t.Helper()
	for len(labels) < most && p.lines.Scan() {
		var m made
		if err := json.Unmarshal(p.lines.Bytes(), &m); err != nil {
			p.b.t.Fatalf("%v: %q", err, p.lines.Text())
		}
		if m.RV != p11.CKR_OK {
			p.b.t.Logf("after %d: %v", len(labels), m.RV)
			break
		}
		labels = append(labels, m.Label)
	}
	return labels
}

// TestAFolderThatBecomesReadOnly while its owner's process works in it: what is
// acknowledged stays, and the service goes on when it may.
func TestAFolderThatBecomesReadOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t).everyone().nobody()
	b.initToken()
	p := b.start("write", nil)
	labels := p.acknowledged(5)
	if err := os.Chmod(b.store, 0o500); err != nil {
		t.Fatal(err)
	}
	labels = append(labels, p.acknowledged(400)...)
	if err := os.Chmod(b.store, 0o700); err != nil {
		t.Fatal(err)
	}
	p.kill()
	b.start("readback", labels).wait()
	b.clean()
}

// TestAFolderThatIsTakenAway under a running process: nothing is acknowledged
// that would be gone with it, and what is in memory is of use. When the folder
// comes back, so does the service.
func TestAFolderThatIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(store string) error{
		"moved":   func(store string) error { return os.Rename(store, store+".away") },
		"removed": os.RemoveAll,
		"emptied": func(store string) error {
			files, err := filepath.Glob(filepath.Join(store, "*"))
			for _, f := range files {
				if err := os.Remove(f); err != nil {
					return err
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newToken(t)
			p := b.start("obey", nil)
			p.want("CKR_OK", "initialize")
			p.want("CKR_OK", "login 0 user %s", pin)
			p.want("CKR_OK", "key before")
			if err := away(b.store); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				p.want("CKR_DEVICE_ERROR", "key during")
				b.oneLine("C_CreateObject", b.store)
			}
			p.want("CKR_DEVICE_ERROR", "setpin 0 %s next-1357", pin)
			b.oneLine("C_SetPIN", b.store)
			p.right("before")
			if name == "moved" {
				if err := os.Rename(b.store+".away", b.store); err != nil {
					t.Fatal(err)
				}
				p.want("CKR_OK", "key after")
				p.right("before", "after")
			}
			switch name {
			case "moved":
				p.want("CKR_OK", "finalize")
				p.want("CKR_OK", "initialize")
				p.want("CKR_OK", "login 0 user %s", pin)
				p.right("before", "after")
			default:
				p.want("CKR_GENERAL_ERROR", "finalize")
				b.oneLine("C_Finalize", b.store)
				p.want("CKR_OK", "initialize")
				p.want("CKR_OK", "inittoken 0 %s new", soPIN)
			}
			p.want("CKR_OK", "finalize")
			p.wait()
			b.silent()
		})
	}
}
