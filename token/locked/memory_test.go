package locked

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vmFlags returns the kernel's flags of the mapping that holds b (proc_pid_smaps(5)).
func vmFlags(t *testing.T, b []byte) []string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip("no smaps: ", err)
	}
	defer f.Close()
	at := uintptr(unsafe.Pointer(&b[0]))
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var low, high uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &low, &high); n == 2 {
			inside = low <= at && at < high
		}
		if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && inside {
			return strings.Fields(flags)
		}
	}
	t.Skip("the kernel shows no flags of this mapping")
	return nil
}

func TestSecretsAreOutOfDumpsForksAndSwap(t *testing.T) {
	for _, n := range []int{32, 1000, 128 << 10} {
		s := newSecret(t, make([]byte, n))
		flags := vmFlags(t, s.Bytes())
		for flag, meaning := range map[string]string{"dd": "MADV_DONTDUMP", "wf": "MADV_WIPEONFORK"} {
			if !slices.Contains(flags, flag) {
				t.Errorf("%d bytes: no %s in %v", n, meaning, flags)
			}
		}
		if lockable(t) && !slices.Contains(flags, "lo") {
			t.Errorf("%d bytes: not locked: %v", n, flags)
		}
		s.Wipe()
		if n >= 1<<largeBits && slices.Contains(vmFlags(t, s.slot.b), "lo") {
			t.Errorf("%d bytes: locked after Wipe", n)
		}
	}
}

func lockable(t *testing.T) bool {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	return unix.Mlock(page) == nil
}

func TestForkedChildSeesZeros(t *testing.T) {
	s := newSecret(t, []byte{42})
	first := &s.Bytes()[0]
	// The child makes system calls only: it has no runtime.
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		t.Skip("no fork: ", errno)
	}
	if pid == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(*first), 0, 0)
		}
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(int(pid), &status, 0, nil); err != unix.EINTR {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		t.Errorf("got status %#x, want 0", status)
	}
}

func TestSecretsWorkWithoutLockedMemory(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old)
	if lockable(t) {
		t.Skip("this user may lock memory without a limit (CAP_IPC_LOCK)")
	}
	for _, n := range []int{32, 8 << 10, 200 << 10} {
		for range 20 {
			s := newSecret(t, make([]byte, n))
			s.Bytes()[n-1] = 1
		}
	}
}

func TestSlotsAreReused(t *testing.T) {
	for _, n := range []int{40, 300, 100 << 10} {
		a := newSecret(t, make([]byte, n))
		a.Wipe()
		m := &memory[a.slot.class]
		before := m.slabs
		for range 5000 {
			s, err := New(n)
			if err != nil {
				t.Fatal(err)
			}
			s.Wipe()
		}
		if m.slabs != before {
			t.Errorf("%d bytes: %d new slabs for one Secret at a time", n, m.slabs-before)
		}
	}
}

func TestSlotsAreSeparate(t *testing.T) {
	const count = 2000 // some slabs of 64 bytes' slots
	all := make([]*Secret, count)
	for i := range all {
		all[i] = newSecret(t, fmt.Appendf(nil, "%050d", i))
	}
	for i, s := range all {
		if got, want := string(s.Bytes()), fmt.Sprintf("%050d", i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}
