package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"coffer/p11"
)

// signals are those that are passed on to the command. The terminal's stop
// signals are left to the kernel, which sends them to both.
type signals chan os.Signal

// catchSignals begins to keep the signals, from before the token's folder is
// made, so that none of them leaves it behind. One that coffer was told to
// ignore, as nohup does, stays ignored.
func catchSignals() signals {
	c := make(signals, 16)
	for _, s := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
	} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c
}

func (c signals) release() { signal.Stop(c) }

// A child is the command that coffer exec runs.
type child struct{ *exec.Cmd }

// newChild finds the command, so that a wrong name costs no token.
func newChild(command []string, a *app) (child, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	return child{cmd}, notRunnable(cmd.Err)
}

// notRunnable gives an error of starting a command its status.
func notRunnable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return &failure{err, statusNotFound}
	default:
		return &failure{err, statusNotRunnable}
	}
}

// run runs the command to its end and returns a failure with its status
// unless that is 0.
func (c child) run(pending signals) error {
	select {
	case s := <-pending: // nobody wants the command any more
		return &failure{status: statusSignal + int(s.(syscall.Signal))}
	default:
	}
	if err := c.Start(); err != nil {
		return notRunnable(err)
	}
	ended := make(chan struct{})
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		for {
			select {
			case s := <-pending:
				c.pass(s)
			case <-ended:
				return
			}
		}
	}()
	err := c.Wait()
	close(ended)
	<-passed
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return p11.Errorf(p11.CKR_GENERAL_ERROR, "waiting for the command: %w", err)
	}
	if status := exitStatus(c.ProcessState); status != 0 {
		return &failure{status: status}
	}
	return nil
}

// pass hands a signal on. What comes from the keyboard the kernel has sent to
// the command too; it is not to come twice.
func (c child) pass(s os.Signal) {
	if (s == syscall.SIGINT || s == syscall.SIGQUIT) && inForeground() {
		return
	}
	_ = c.Process.Signal(s) // it may have ended
}

// inForeground reports whether the keyboard's signals reach this process.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// exitStatus is the status of a command as a shell gives it.
func exitStatus(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return statusSignal + int(ws.Signal())
	}
	return s.ExitCode()
}
