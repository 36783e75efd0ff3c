package crash

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/tests/built"
)

// The changes that a loss of power must not take back once they were
// acknowledged, as orders to a servant.
var changes = []string{
	"data first", "key second", "pair third", "set second fourth", "destroy first",
	"setpin 0 " + pin + " another-pin",
	"inittoken 1 " + soPIN + " one", "login 1 SO " + soPIN, "initpin 1 user-pin", "setpin 1 " + soPIN + " another-so", "close 1",
	"inittoken 1 another-so two",
}

// noChanges are the orders among them that change nothing durable.
var noChanges = []string{"close 1"}

// TestAcknowledgedMeansSynced: before a call that changes a token returns, a
// sync of a file in the store has succeeded that was not yet over when the
// call began.
func TestAcknowledgedMeansSynced(t *testing.T) {
	t.Parallel()
	strace := built.Need(t, "strace", "strace")
	b := newToken(t)
	p := b.start("obey", nil, strace, "-f", "-qq", "-y", "-s", "64", "-o", b.path("strace"),
		"-e", "trace=fsync,fdatasync,msync,write", "-e", "signal=none")
	p.want("CKR_OK", "initialize")
	p.want("CKR_OK", "login 0 user %s", pin)
	for _, order := range changes {
		p.want("CKR_OK", "%s", order)
	}
	p.wait()
	record, err := os.ReadFile(b.path("strace"))
	if err != nil {
		t.Fatal(err)
	}
	synced := syncsBetweenMarks(t, record, b.store)
	for i, order := range changes {
		if slices.Contains(noChanges, order) {
			continue
		}
		if n := synced[2+i]; n == 0 { // after initialize and login
			t.Errorf("%s was acknowledged and not synced", strings.Fields(order)[0])
		}
	}
	if t.Failed() {
		t.Logf("%s", record)
	}
}

var (
	marked   = regexp.MustCompile(`write\(-1, "(begin|end) (\w+)"`)
	syncCall = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(fsync|fdatasync|msync)(\(| resumed)(.*)$`)
)

// syncsBetweenMarks counts for each order the syncs that began and succeeded
// while it was carried out.
func syncsBetweenMarks(t *testing.T, record []byte, dir string) []int {
	t.Helper()
	var counts []int
	inside := false
	began := map[string]bool{} // threads in a sync of the store
	for in := bufio.NewScanner(bytes.NewReader(record)); in.Scan(); {
		line := in.Text()
		if m := marked.FindStringSubmatch(line); m != nil {
			if inside = m[1] == "begin"; inside {
				counts = append(counts, 0)
				clear(began)
			}
			continue
		}
		m := syncCall.FindStringSubmatch(line)
		if m == nil || !inside {
			continue
		}
		thread, begins, rest := m[1], m[3] == "(", m[4]
		if begins {
			began[thread] = m[2] == "msync" || strings.Contains(rest, "<"+dir)
		}
		if began[thread] && strings.HasSuffix(rest, " = 0") {
			counts[len(counts)-1]++
		}
	}
	return counts
}

// TestASyncThatFailsIsNotAcknowledged: nor is anything after it, for which it
// would be too early to say what it rests on. A process that opens the store
// anew finds what was acknowledged.
func TestASyncThatFailsIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	strace := built.Need(t, "strace", "strace")
	b := newToken(t)
	p := b.start("obey", nil)
	p.want("CKR_OK", "initialize")
	p.want("CKR_OK", "login 0 user %s", pin)
	p.want("CKR_OK", "key before")
	detach := b.fail(p, strace, "fsync,fdatasync,msync", "EIO")
	p.want("CKR_DEVICE_ERROR", "key during")
	b.oneLine("C_CreateObject", b.store, "input/output error")
	p.want("CKR_DEVICE_ERROR", "setpin 0 %s next-1357", pin)
	b.oneLine("C_SetPIN", b.store, "input/output error")
	p.want("CKR_OK", "use before")
	detach()
	p.want("CKR_DEVICE_ERROR", "key after")
	b.oneLine("C_CreateObject", b.store, "input/output error")
	p.kill()

	p = b.start("obey", nil)
	p.want("CKR_OK", "initialize")
	p.want("CKR_OK", "login 0 user %s", pin)
	p.right("before")
	if got := p.want("CKR_OK", "use during"); got != "absent" && !strings.HasPrefix(got, "right") {
		t.Errorf("what was not acknowledged is %s", got)
	}
	if got := p.want("CKR_OK", "use after"); got != "absent" {
		t.Errorf("what was refused is %s", got)
	}
	p.want("CKR_OK", "key again")
	p.want("CKR_OK", "finalize")
	p.wait()
	b.silent()
	b.clean()
}

// fail makes system calls of a process fail until the function that it returns
// is called.
func (b *bench) fail(p *process, strace, calls, errno string) (detach func()) {
	b.t.Helper()
	c := exec.Command(strace, "-f", "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+calls+":error="+errno,
		"-p", strconv.Itoa(p.cmd.Process.Pid))
	errs, err := c.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	stop := func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
	}
	b.t.Cleanup(func() { c.Process.Kill() })
	timer := time.AfterFunc(patience, func() { c.Process.Kill() })
	defer timer.Stop()
	if line, err := bufio.NewReader(errs).ReadString('\n'); !strings.Contains(line, "attached") {
		built.Missing(b.t, "strace cannot attach to a process: "+line+err.Error())
	}
	go func() { // what it goes on to say
		for buf := make([]byte, 4096); ; {
			if _, err := errs.Read(buf); err != nil {
				return
			}
		}
	}()
	return stop
}
