package badger

import (
	"fmt"
	"io"
	"log"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"coffer/store"
)

// panicked is a panic of Badger's, or an exit that it attempted. The database
// must not be touched any more.
type panicked struct{ cause any }

func (p *panicked) Error() string { return fmt.Sprintf("badger panicked: %v", p.cause) }

// guard turns a panic into an error that breaks the store. A fault in a
// memory map (a read error of the disk, a file cut short, no space left) is a
// panic as well while it is in force. Use: defer s.guard(&err)
func (s *Store) guard(err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	if e, ok := cause.(error); ok && isRuntimeFault(e) {
		cause = fmt.Sprintf("%v (in a memory-mapped file)", e)
	}
	*err = fmt.Errorf("%w: %s: %w", store.ErrFailed, s.dir, &panicked{cause})
	s.fail(*err)
}

// faults makes faults panics until the function that is returned is called.
// Use: defer faults()()
func faults() func() {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

func isRuntimeFault(err error) bool {
	_, ok := err.(interface{ Addr() uintptr })
	return ok
}

// fail breaks the store for writing. The first reason is kept.
func (s *Store) fail(err error) { s.broken.CompareAndSwap(nil, &err) }

// failed returns why the store is broken, if it is.
func (s *Store) failed() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	if err := fatal.last(); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrFailed, s.dir, &panicked{err})
	}
	return nil
}

// fatal remembers an exit of Badger's in a goroutine of its own. It is no
// store's in particular: Badger's assertions do not say whose they are.
var fatal errorLog

// interceptFatal keeps log.Fatal, which Badger's assertions call, from ending
// the process. log.Fatal writes to the standard logger before it exits; in
// the writer there is still time to leave by another way.
func interceptFatal() {
	fatalOnce.Lock()
	defer fatalOnce.Unlock()
	if _, ok := log.Writer().(*fatalWriter); !ok {
		log.SetOutput(&fatalWriter{next: log.Writer()})
	}
}

var fatalOnce sync.Mutex

// fatalWriter passes on what anyone but Badger logs.
type fatalWriter struct{ next io.Writer }

func (w *fatalWriter) Write(line []byte) (int, error) {
	asserted, ours := whoseFatal()
	if !asserted {
		return w.next.Write(line)
	}
	cause := strings.TrimSpace(string(line))
	if ours {
		panic(cause) // for guard to recover
	}
	// The goroutine ends here, with whatever it holds locked; calls that need
	// it run into their timeouts and into failed.
	fatal.Errorf("%s", cause)
	runtime.Goexit()
	return 0, nil
}

// whoseFatal reports whether an assertion of Badger's is on the stack, and
// whether below it a function of this package is, which recovers.
func whoseFatal() (asserted, ours bool) {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, "github.com/dgraph-io/badger/v4/y.Check"),
			strings.HasPrefix(f.Function, "github.com/dgraph-io/badger/v4/y.Assert"):
			asserted = true
		case asserted && strings.HasPrefix(f.Function, packagePath):
			ours = true
		}
		if !more {
			return asserted, ours
		}
	}
}

const packagePath = "coffer/store/badger."
