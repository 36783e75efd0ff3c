package remote

import (
	"errors"
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// A host that loads the library has SIGPIPE as it likes it, which by default
// is fatal.
func TestTheOtherSideGoneIsAnErrorAndNoSignal(t *testing.T) {
	a, b := pair(t)
	b.Close()
	got := make(chan os.Signal, 8)
	signal.Notify(got, unix.SIGPIPE, unix.SIGTERM)
	defer signal.Stop(got)
	for range 3 {
		if _, err := (quiet{a}).Write(make([]byte, 100)); !errors.Is(err, unix.EPIPE) {
			t.Fatalf("the write said %v, want EPIPE", err)
		}
	}
	// SIGPIPE comes before the write returns, and is handed on in front of this.
	if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != unix.SIGTERM {
		t.Errorf("the process got %v", s)
	}
}
