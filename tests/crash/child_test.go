package crash

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"coffer/p11"
	"coffer/tests/p11test"
)

// The test binary is also the processes that the tests start: these name its
// role and what it is told.
const (
	roleVar = "COFFER_CRASH_ROLE"
	argVar  = "COFFER_CRASH_ARG"
)

// roles are what a process can be.
var roles map[string]func(*child)

func init() {
	roles = map[string]func(*child){
		"work":     work,  // change by change, for ever
		"look":     look,  // tell what there is
		"obey":     obey,  // do what one is told
		"write":    write, // fill the disk up
		"readback": readback,
		"survive":  survive, // make an object that outlives its token
	}
}

// A child is a process in a role, as it sees itself.
type child struct {
	*testing.T
	say *os.File // lines to whoever started the process
	in  *bufio.Scanner
}

// arg decodes the argument.
func (c *child) arg(v any) {
	c.Helper()
	if err := json.Unmarshal([]byte(os.Getenv(argVar)), v); err != nil {
		c.Fatal(err)
	}
}

// line says v in a line, with one write: what is written before a kill can be
// read after it.
func (c *child) line(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	c.say.Write(append(data, '\n'))
}

// open initialises the library.
func (c *child) open() *p11test.Host {
	c.Helper()
	d, err := p11test.OpenC(c.T, "")
	if err != nil {
		c.Fatal(err)
	}
	return &p11test.Host{T: c.T, Driver: d}
}

// login opens an R/W session and logs in, unless somebody is.
func (c *child) login(h *p11test.Host, slot p11.SlotID, user p11.UserType, pin string) p11.SessionHandle {
	c.Helper()
	s, err := h.OpenSession(slot, p11test.RW)
	h.Must(err)
	h.Must(h.Login(s, user, []byte(pin)))
	return s
}

// TestChild is where a process begins that another test has started.
func TestChild(t *testing.T) {
	role := roles[os.Getenv(roleVar)]
	if role == nil {
		t.Skip("this is for the other tests to start")
	}
	role(&child{T: t, say: os.NewFile(3, "said"), in: bufio.NewScanner(os.Stdin)})
}
