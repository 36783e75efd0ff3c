package interop

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coffer/tests/built"
)

// openssl is OpenSSL's command in a folder of its own.
type openssl struct {
	program string
	dir     string
}

func newOpenSSL(t *testing.T) *openssl {
	return &openssl{program: built.Need(t, "openssl", "openssl"), dir: t.TempDir()}
}

// file writes a file and returns its path.
func (o *openssl) file(name string, data []byte) string {
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		panic(err)
	}
	return path
}

func (o *openssl) pem(name, typ string, der []byte) string {
	return o.file(name, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

// run gives the command its input and returns what it wrote.
func (o *openssl) run(in []byte, args ...string) ([]byte, error) {
	c := exec.Command(o.program, args...)
	c.Dir, c.Stdin = o.dir, bytes.NewReader(in)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("openssl %s: %w\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// java is a virtual machine that does what it is told, line by line.
type java struct {
	in  io.Writer
	out *bufio.Reader
}

func newJava(t *testing.T) *java {
	program := built.Need(t, "java", "default-jdk-headless")
	built.Need(t, "javac", "default-jdk-headless")
	c := exec.Command(program, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "testdata/Partner.java")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("java: %v", err)
		}
	})
	return &java{in, bufio.NewReader(out)}
}

// do sends a line; a []byte among the words goes as hexadecimal digits.
func (j *java) do(words ...any) ([]byte, error) {
	var line []string
	for _, w := range words {
		if b, ok := w.([]byte); ok {
			w = hex.EncodeToString(b)
		}
		line = append(line, fmt.Sprint(w))
	}
	if _, err := fmt.Fprintln(j.in, strings.Join(line, "\t")); err != nil {
		return nil, err
	}
	answer, err := j.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	answer = strings.TrimSuffix(answer, "\n")
	if why, failed := strings.CutPrefix(answer, "!"); failed {
		return nil, errors.New("java: " + why)
	}
	return hex.DecodeString(answer)
}
