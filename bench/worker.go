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

// decode reads an answer into v, or the error it holds.
func decode(line []byte, v any) error {
	var failed struct{ Error string }
	if err := json.Unmarshal(line, &failed); err != nil {
		return fmt.Errorf("answer %q: %w", line, err)
	}
	if failed.Error != "" {
		return errors.New(failed.Error)
	}
	return json.Unmarshal(line, v)
}

// answerTimeout bounds the wait for one answer of a worker; a module that hangs costs one measure.
const answerTimeout = 2 * time.Minute

// ask runs a program to its end and decodes its one answer into v.
func ask(ctx context.Context, env []string, v any, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if len(out) > 0 {
		if derr := decode(out, v); derr != nil {
			return derr
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args, err)
	}
	return nil
}

// A process is a runner that starts a program anew for each sample.
type process struct {
	env     []string
	program string
	args    []string
}

func (p *process) sample(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// The answer holds numbers only.
	var s sample
	err := ask(ctx, p.env, &s, p.program, p.args...)
	return s, err
}

func (p *process) close() error { return nil }

// A worker is a runner that keeps a program alive and asks it for one slice a sample.
type worker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	slice time.Duration
}

// startWorker returns when the program is ready.
func startWorker(ctx context.Context, slice time.Duration, env []string, program string, args ...string) (*worker, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
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
