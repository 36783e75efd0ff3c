package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"coffer/p11"
)

// interactive reports whether there is someone to ask.
func (a *app) interactive() bool { return term.IsTerminal(int(a.in.Fd())) }

// askPIN asks for a PIN, which the terminal does not show.
func (a *app) askPIN(prompt string) (pin, error) {
	show, err := a.hideInput()
	if err != nil {
		return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "preparing the terminal: %w", err)
	}
	defer show()
	fmt.Fprint(a.err, prompt)
	p, err := a.readLine()
	fmt.Fprintln(a.err)
	if err == nil && len(p) == 0 {
		err = p11.Errorf(p11.CKR_FUNCTION_CANCELED, "no PIN was entered")
	}
	return p, err
}

// hideInput makes the terminal not show what is typed, until show is called or
// a signal ends coffer.
func (a *app) hideInput() (show func(), err error) {
	fd := int(a.in.Fd())
	a.terminal.Lock()
	defer a.terminal.Unlock()
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	settings.Lflag &^= unix.ECHO
	settings.Lflag |= unix.ICANON | unix.ISIG
	settings.Iflag |= unix.ICRNL
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, settings); err != nil {
		signal.Stop(signals)
		return nil, err
	}
	go func() {
		select {
		case s := <-signals:
			a.terminal.Lock() // for good: nobody hides anything any more
			_ = term.Restore(fd, before)
			fmt.Fprintln(a.err)
			os.Exit(statusSignal + int(s.(syscall.Signal)))
		case <-done:
		}
	}()
	show = func() {
		a.terminal.Lock()
		defer a.terminal.Unlock()
		signal.Stop(signals)
		close(done)
		_ = term.Restore(fd, before) // if that fails, there is no terminal
	}
	return show, nil
}

// confirm asks whether to do what cannot be undone.
func (a *app) confirm(what string) error {
	if !a.interactive() {
		return usage("%s: give --yes if that is wanted", what)
	}
	fmt.Fprintf(a.err, "%s. Type yes to go on: ", printable(what))
	answer, err := a.readLine()
	if err != nil {
		return err
	}
	if string(answer) != "yes" {
		return p11.Errorf(p11.CKR_FUNCTION_CANCELED, "nothing was done")
	}
	return nil
}

// maxLine is how much is read of a line.
const maxLine = 4096

// readLine reads a line and nothing behind it, where a PIN may wait.
func (a *app) readLine() ([]byte, error) {
	line := make([]byte, 0, maxLine) // never copied: it may be a PIN
	for len(line) < maxLine {
		n, err := a.in.Read(line[len(line) : len(line)+1])
		line = line[:len(line)+n]
		switch {
		case n == 1 && line[len(line)-1] == '\n':
			return line[:len(line)-1], nil
		case errors.Is(err, io.EOF):
			return line, nil
		case err != nil:
			clear(line)
			return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "reading the answer: %w", err)
		}
	}
	clear(line)
	return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "the answer is too long")
}
