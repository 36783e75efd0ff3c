package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// A sample is one answer of a measuring program: numbers by name.
type sample map[string]float64

// perOp is a time of the sample, in nanoseconds for each operation.
func (s sample) perOp(name string) float64 {
	if ops, ok := s["ops"]; ok {
		return s[name] / ops
	}
	return s[name]
}

// A runner gives one sample a round.
type runner interface {
	sample(ctx context.Context) (sample, error)
	close() error
}

// errAbsent says that a contender has no such thing, which is no fault.
type errAbsent string

func (e errAbsent) Error() string { return string(e) }

// decode reads an answer into v, or the error it holds.
func decode(line []byte, v any) error {
	var failed struct{ Error, Absent string }
	if err := json.Unmarshal(line, &failed); err != nil {
		return fmt.Errorf("answer %q: %w", line, err)
	}
	switch {
	case failed.Error != "":
		return errors.New(failed.Error)
	case failed.Absent != "":
		return errAbsent(failed.Absent)
	}
	return json.Unmarshal(line, v)
}

// answerTimeout bounds the wait for one answer of a worker; a module that hangs costs one measure.
const answerTimeout = 2 * time.Minute

// A command is a program with its arguments, in a place.
type command struct {
	place
	program string
	args    []string
}

func (c command) make(ctx context.Context) *exec.Cmd {
	line := append(append(append([]string{}, c.prefix...), c.program), c.args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = c.env
	cmd.Stderr = os.Stderr
	return cmd
}

// ask runs the command to its end and decodes its one answer into v.
func (c command) ask(ctx context.Context, v any) error {
	out, err := c.make(ctx).Output()
	if len(out) > 0 {
		if derr := decode(out, v); derr != nil {
			return derr
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.args, err)
	}
	return nil
}

// A process is a runner that starts a program anew for each sample.
type process command

func (p process) sample(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// The answer holds numbers only.
	var s sample
	err := command(p).ask(ctx, &s)
	return s, err
}

func (process) close() error { return nil }

// A worker is a runner that keeps a program alive and asks it for one slice a sample.
type worker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	slice time.Duration
}

// start returns when the program is ready.
func (c command) start(ctx context.Context, slice time.Duration) (*worker, error) {
	cmd := c.make(ctx)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &worker{cmd: cmd, in: in, out: bufio.NewReader(out), slice: slice}
	var ready struct{ Ready bool }
	if err := w.answer(&ready); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *worker) sample(context.Context) (sample, error) {
	if _, err := fmt.Fprintln(w.in, w.slice.Milliseconds()); err != nil {
		return nil, err
	}
	var s sample
	err := w.answer(&s)
	if err == nil && s["ops"] == 0 {
		err = errors.New("nothing was done in a slice")
	}
	return s, err
}

func (w *worker) answer(v any) error {
	timer := time.AfterFunc(answerTimeout, func() { w.cmd.Process.Kill() })
	defer timer.Stop()
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return decode(line, v)
}

// close ends the program by closing its input, and waits for it.
func (w *worker) close() error {
	w.in.Close()
	timer := time.AfterFunc(answerTimeout, func() { w.cmd.Process.Kill() })
	defer timer.Stop()
	return w.cmd.Wait()
}

// A crowd is workers that have their slices at the same time.
type crowd []*worker

// startCrowd starts n of them, one after the other: all use one token.
func (c command) startCrowd(ctx context.Context, slice time.Duration, n int) (crowd, error) {
	var all crowd
	for range n {
		w, err := c.start(ctx, slice)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// sample adds up what all did; the time that passed is the longest of theirs.
func (all crowd) sample(ctx context.Context) (sample, error) {
	type answer struct {
		sample sample
		err    error
	}
	answers := make(chan answer)
	for _, w := range all {
		go func() {
			s, err := w.sample(ctx)
			answers <- answer{s, err}
		}()
	}
	sum := sample{}
	var err error
	for range all {
		a := <-answers
		err = errors.Join(err, a.err)
		sum["ops"] += a.sample["ops"]
		sum["cpu_ns"] += a.sample["cpu_ns"]
		sum["wall_ns"] = max(sum["wall_ns"], a.sample["wall_ns"])
	}
	return sum, err
}

func (all crowd) close() error {
	var err error
	for i := len(all) - 1; i >= 0; i-- {
		err = errors.Join(err, all[i].close())
	}
	return err
}
