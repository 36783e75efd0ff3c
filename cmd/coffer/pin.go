package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"coffer/p11"
)

// A pin is a PIN. Whoever got it wipes it. It does not print itself.
type pin []byte

func (p pin) wipe() { clear(p) }

// Format writes what it is, for every verb, in place of its bytes.
func (pin) Format(f fmt.State, _ rune) { io.WriteString(f, "(a PIN)") }

// A pinSource is where one of the two PINs comes from: the file of a flag, a
// variable, or the terminal, in this order.
type pinSource struct {
	who, flag, env string
	file           string
}

func userPIN() *pinSource { return &pinSource{who: "user", flag: "pin-file", env: "COFFER_PIN"} }
func soPIN() *pinSource   { return &pinSource{who: "SO", flag: "so-pin-file", env: "COFFER_SO_PIN"} }

func (s *pinSource) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, s.flag, "", fmt.Sprintf("`file` with the %s PIN in it; else %s, else it is asked for", s.who, s.env))
}

// given reports whether the PIN can be had without asking.
func (s *pinSource) given() bool {
	_, ok := os.LookupEnv(s.env)
	return ok || s.file != ""
}

// A question is how a PIN is asked for.
type question uint8

const (
	knownPIN question = iota + 1 // it is set already
	newPIN                       // it is being chosen, and asked for twice
)

// read returns the PIN. It asks on a terminal only.
func (s *pinSource) read(a *app, q question) (pin, error) {
	if s.file != "" {
		p, err := readPINFile(s.file)
		if err != nil {
			return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "reading the %s PIN: %w", s.who, err)
		}
		return p, nil
	}
	if v, ok := os.LookupEnv(s.env); ok {
		if v == "" {
			return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "%s is set but empty", s.env)
		}
		return pin(v), nil
	}
	if !a.interactive() {
		return nil, usage("the %s PIN is needed: give --%s or set %s, or use a terminal", s.who, s.flag, s.env)
	}
	if q == knownPIN {
		return a.askPIN(fmt.Sprintf("%s PIN: ", capital(s.who)))
	}
	p, err := a.askPIN(fmt.Sprintf("New %s PIN: ", s.who))
	if err != nil {
		return nil, err
	}
	again, err := a.askPIN(fmt.Sprintf("New %s PIN again: ", s.who))
	defer again.wipe()
	if err == nil && !bytes.Equal(p, again) {
		err = p11.Errorf(p11.CKR_PIN_INVALID, "the two %s PINs differ", s.who)
	}
	if err != nil {
		p.wipe()
		return nil, err
	}
	return p, nil
}

func capital(s string) string { return string(s[0]&^0x20) + s[1:] }

// readPINFile returns the one line that a file has, without its end.
func readPINFile(name string) (pin, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, maxLine)
	n, err := io.ReadFull(f, buf)
	switch {
	case err == nil:
		err = errors.New("too long for a PIN")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		line := bytes.TrimSuffix(bytes.TrimSuffix(buf[:n], []byte("\n")), []byte("\r"))
		switch {
		case len(line) == 0:
			err = errors.New("it is empty")
		case bytes.ContainsAny(line, "\n\x00"):
			err = errors.New("it is not one line of text")
		default:
			return line, nil
		}
	}
	clear(buf)
	return nil, fmt.Errorf("%s: %w", name, err)
}
