package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// The figures of the file lie between these lines; the rest of it is written by hand.
var (
	figuresBegin = []byte("<!-- figures: written by bench -accept -->\n")
	figuresEnd   = []byte("<!-- end of figures -->\n")
)

// accept replaces the figures in the file, and the plots in the folder plots beside it.
func (rep report) accept(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err = replaceFigures(text, rep.figures())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	return rep.write(filepath.Join(filepath.Dir(file), "plots"))
}

func replaceFigures(text, figures []byte) ([]byte, error) {
	before, rest, begins := bytes.Cut(text, figuresBegin)
	_, after, ends := bytes.Cut(rest, figuresEnd)
	if !begins || !ends {
		return nil, fmt.Errorf("no lines %q and %q", bytes.TrimSpace(figuresBegin), bytes.TrimSpace(figuresEnd))
	}
	return bytes.Join([][]byte{before, figuresBegin, figures, figuresEnd, after}, nil), nil
}

// figures is what the program prints, and the plots.
func (rep report) figures() []byte {
	var out bytes.Buffer
	fmt.Fprintln(&out, "\n```")
	rep.print(&out)
	fmt.Fprint(&out, "```\n\n")
	for _, group := range rep.groups() {
		if len(rep.bars(group)) > 0 {
			fmt.Fprintf(&out, "![%s](plots/%s.svg)\n", group, fileName(group))
		}
	}
	fmt.Fprintln(&out)
	return out.Bytes()
}
