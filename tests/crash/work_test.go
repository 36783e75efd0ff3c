package crash

import (
	"crypto/aes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/tests/p11test"
)

// What a process at work is told.
type workArg struct {
	Seed    uint64
	Round   int
	State   state
	Workers []int
}

// Two workers change objects of the token in slot 0 at the same time; one more
// changes its user PIN, and one is the SO of the token in slot 1. Others change
// objects of their own in a second process.
var steps = []func(*worker) error{
	(*worker).changeObject, (*worker).changeObject, (*worker).changePIN, (*worker).changeToken,
	(*worker).changeObject, (*worker).changeObject,
}

// mostObjects is how many things a worker lets there be.
const mostObjects = 10

// A worker makes changes, each announced before and acknowledged after.
type worker struct {
	*child
	h     *p11test.Host
	who   int
	round int
	n     int // of changes begun
	r     *rand.Rand
	s     p11.SessionHandle
	own   state // what it knows of what there is; right of what is its own
}

// work makes changes until it is killed.
func work(c *child) {
	var arg workArg
	c.arg(&arg)
	h := c.open()
	c.login(h, 0, p11.CKU_USER, arg.State["slot 0 user PIN"])
	var all sync.WaitGroup
	for _, who := range arg.Workers {
		w := &worker{child: c, h: h, who: who, round: arg.Round, own: maps.Clone(arg.State),
			r: rand.New(rand.NewPCG(arg.Seed, uint64(arg.Round)<<8|uint64(who)))}
		all.Go(func() {
			for {
				if err := steps[who](w); err != nil {
					c.line(change{Who: who, Failed: err.Error()})
					return
				}
			}
		})
	}
	all.Wait()
}

// do announces a change, has it made and acknowledges it. What it could not
// know beforehand, call adds to the change.
func (w *worker) do(c change, call func(*change) error) error {
	c.Who = w.who
	w.line(c)
	if err := call(&c); err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	c.Done = true
	w.line(c)
	c.apply(w.own)
	return nil
}

// session opens the worker's own session, once.
func (w *worker) session() (err error) {
	if w.s == 0 {
		w.s, err = w.h.OpenSession(0, p11test.RW)
	}
	return err
}

func (w *worker) changeObject() error {
	if err := w.session(); err != nil {
		return err
	}
	w.n++
	mine := fmt.Sprintf("object %d ", w.who)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(w.own)), func(name string) bool { return !strings.HasPrefix(name, mine) })
	name := fmt.Sprintf("%s%d-%d", mine, w.round, w.n)
	if len(names) > 0 && (len(names) >= mostObjects || w.r.IntN(3) > 0) {
		name = names[w.r.IntN(len(names))]
		if len(names) >= mostObjects || w.r.IntN(3) == 0 {
			return w.destroy(name)
		}
		return w.set(name)
	}
	switch w.r.IntN(4) {
	case 0:
		return w.generate(name)
	case 1:
		return w.generatePair(name)
	case 2:
		return w.importKey(name)
	}
	return w.createData(name)
}

// version is a label that is used once.
func (w *worker) version() string { return fmt.Sprintf("v%d.%d.%d", w.who, w.round, w.n) }

// names is how an object has its name: data objects have no CKA_ID.
func named(class p11.ObjectClass, name string) attr.Value {
	if class == p11.CKO_DATA {
		return attr.NewString(p11.CKA_APPLICATION, name)
	}
	return attr.NewString(p11.CKA_ID, name)
}

// content is the value of a data object, larger from time to time so that the
// store's log fills up.
func content(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return []byte(strings.Repeat(hex.EncodeToString(sum[:]), 1+int(sum[0])*int(sum[1])/50))
}

func describeData(version string) string { return "data " + version }

// keyOf is the value of the keys that are imported.
func keyOf(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// proofOf is a block of zeros, encrypted.
func proofOf(key []byte) string {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	var out [16]byte
	block.Encrypt(out[:], out[:])
	return hex.EncodeToString(out[:])
}

func (w *worker) create(name, after string, template attr.Values) error {
	return w.do(change{After: state{name: after}, Before: state{name: ""}}, func(*change) error {
		_, err := w.h.CreateObject(w.s, template)
		return err
	})
}

func (w *worker) createData(name string) error {
	v := w.version()
	private := attr.NewBool(p11.CKA_PRIVATE, w.r.IntN(2) == 0)
	return w.create(name, describeData(v), p11test.Join(p11test.Yes(p11.CKA_TOKEN),
		attr.Values{p11test.Class(p11.CKO_DATA), p11test.Label(v), named(p11.CKO_DATA, name), p11test.Value(content(name)), private}))
}

func (w *worker) importKey(name string) error {
	v := w.version()
	return w.create(name, "AES "+v+" "+proofOf(keyOf(name)), p11test.Join(p11test.Yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT),
		p11test.Secret(p11.CKK_AES, keyOf(name)), attr.Values{p11test.Label(v), derives(v), named(p11.CKO_SECRET_KEY, name)}))
}

func (w *worker) generate(name string) error {
	v := w.version()
	return w.do(change{After: state{name: "AES " + v + " ?"}, Before: state{name: ""}}, func(c *change) error {
		k, err := w.h.GenerateKey(w.s, p11test.Mech(p11.CKM_AES_KEY_GEN), p11test.Join(p11test.Yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT),
			attr.Values{p11test.Length(32), p11test.Label(v), derives(v), named(p11.CKO_SECRET_KEY, name)}))
		if err != nil {
			return err
		}
		proof, err := prove(w.h, w.s, k)
		c.After[name] = "AES " + v + " " + proof
		return err
	})
}

// prove has a key encrypt a block of zeros.
func prove(h *p11test.Host, s p11.SessionHandle, k p11.ObjectHandle) (string, error) {
	if err := h.EncryptInit(s, p11test.Mech(p11.CKM_AES_ECB), k); err != nil {
		return "", err
	}
	out := &p11.Out{Buf: make([]byte, 16)}
	if err := h.Encrypt(s, make([]byte, 16), out); err != nil {
		return "", err
	}
	return hex.EncodeToString(out.Buf), nil
}

// A pair is one thing with one name: both halves or none.
func (w *worker) generatePair(name string) error {
	v := w.version()
	return w.do(change{After: state{name: "pair " + v + " ?"}, Before: state{name: ""}}, func(c *change) error {
		both := attr.Values{p11test.Label(v), named(p11.CKO_PRIVATE_KEY, name)}
		_, _, err := w.h.GenerateKeyPair(w.s, p11test.Mech(p11.CKM_EC_KEY_PAIR_GEN),
			p11test.Join(attr.Values{p11test.P256}, both, p11test.Yes(p11.CKA_TOKEN, p11.CKA_VERIFY)),
			p11test.Join(both, p11test.Yes(p11.CKA_TOKEN, p11.CKA_SIGN)))
		return err
	})
}

// find returns the objects that have a name.
func (w *worker) find(class p11.ObjectClass, name string) ([]p11.ObjectHandle, error) {
	if err := w.h.FindObjectsInit(w.s, attr.Values{p11test.Class(class), named(class, name)}); err != nil {
		return nil, err
	}
	found := make([]p11.ObjectHandle, 5)
	n, err := w.h.FindObjects(w.s, found)
	if err != nil {
		return nil, err
	}
	if n != 1 {
		return nil, fmt.Errorf("there are %d objects %v of the name %s", n, class, name)
	}
	return found[:n], w.h.FindObjectsFinal(w.s)
}

// classOf returns the classes of a thing's objects.
func classesOf(description string) []p11.ObjectClass {
	switch kind, _, _ := strings.Cut(description, " "); kind {
	case "data":
		return []p11.ObjectClass{p11.CKO_DATA}
	case "AES":
		return []p11.ObjectClass{p11.CKO_SECRET_KEY}
	case "public":
		return []p11.ObjectClass{p11.CKO_PUBLIC_KEY}
	}
	return []p11.ObjectClass{p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY}
}

// destroy removes an object, of a pair the private half first.
func (w *worker) destroy(name string) error {
	was := w.own[name]
	class := classesOf(was)[0]
	found, err := w.find(class, name)
	if err != nil {
		return err
	}
	after := ""
	if class == p11.CKO_PRIVATE_KEY {
		after = "public" + strings.TrimPrefix(was, "pair")
	}
	return w.do(change{After: state{name: after}, Before: state{name: was}}, func(*change) error {
		return w.h.DestroyObject(w.s, found[0])
	})
}

// set changes attributes, of a key two at once: see derives.
func (w *worker) set(name string) error {
	was := w.own[name]
	class := classesOf(was)[0]
	if class == p11.CKO_PRIVATE_KEY { // whose halves would have two labels
		return w.destroy(name)
	}
	found, err := w.find(class, name)
	if err != nil {
		return err
	}
	v := w.version()
	words := strings.SplitN(was, " ", 3)
	words[1] = v
	template := attr.Values{p11test.Label(v)}
	if class == p11.CKO_SECRET_KEY {
		template = append(template, derives(v))
	}
	return w.do(change{After: state{name: strings.Join(words, " ")}, Before: state{name: was}}, func(*change) error {
		return w.h.SetAttributeValue(w.s, found[0], template)
	})
}

// derives is the CKA_DERIVE that goes with a label, so that a change of one
// without the other shows.
func derives(version string) attr.Value {
	return attr.NewBool(p11.CKA_DERIVE, crc32.ChecksumIEEE([]byte(version))%2 == 0)
}
