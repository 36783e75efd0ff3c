package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// An image is the files of a store, to make damaged copies of.
type image struct {
	names []string
	files map[string]*imageFile
}

// Badger's files are large and nearly empty: only what is not zero is kept.
type imageFile struct {
	size   int64
	blocks map[int64][]byte
	places []int64 // of bytes that are not zero
}

const blockSize = 4096

// imageOf reads a store that nobody has open.
func imageOf(t *testing.T, dir string) *image {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	im := &image{files: map[string]*imageFile{}}
	for _, e := range entries {
		if !e.Type().IsRegular() { // a dead process's socket
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		f := &imageFile{size: int64(len(data)), blocks: map[int64][]byte{}}
		for at := int64(0); at < f.size; at += blockSize {
			block := data[at:min(at+blockSize, f.size)]
			had := len(f.places)
			for i, b := range block {
				if b != 0 {
					f.places = append(f.places, at+int64(i))
				}
			}
			if len(f.places) > had {
				f.blocks[at] = slices.Clone(block)
			}
		}
		im.names = append(im.names, e.Name())
		im.files[e.Name()] = f
	}
	return im
}

// write makes a copy of the store.
func (im *image) write(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, f := range im.files {
		out, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for at, block := range f.blocks {
			if _, err := out.WriteAt(block, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Truncate(f.size); err != nil {
			t.Fatal(err)
		}
		out.Close()
	}
}

// A damage is what happens to one file.
type damage struct {
	file string
	what string
	do   func(f *os.File) error
}

func (d damage) String() string { return d.file + ": " + d.what }

// inflict damages a copy.
func (d damage) inflict(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, d.file), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.do(f); err != nil {
		t.Fatal(err)
	}
}

// damages returns random damages to each file that has anything in it.
func (im *image) damages(r *rand.Rand, flips, cuts int) []damage {
	var out []damage
	for _, name := range im.names {
		f := im.files[name]
		if len(f.places) == 0 {
			continue
		}
		place := func() int64 { return f.places[r.IntN(len(f.places))] }
		for n := range flips {
			at := make([]int64, 1)
			if n == 0 {
				at = make([]int64, 8) // to find that one is not taken for all
			}
			for i := range at {
				at[i] = place()
			}
			out = append(out, damage{name, fmt.Sprintf("a bit flipped in bytes %d", at), func(f *os.File) error {
				for _, at := range at {
					var b [1]byte
					if _, err := f.ReadAt(b[:], at); err != nil {
						return err
					}
					b[0] ^= byte(1) << (at % 8)
					if _, err := f.WriteAt(b[:], at); err != nil {
						return err
					}
				}
				return nil
			}})
		}
		for range cuts {
			at := place()
			out = append(out, damage{name, fmt.Sprintf("cut to %d bytes", at), func(f *os.File) error { return f.Truncate(at) }})
		}
		at := place() &^ (blockSize - 1)
		out = append(out, damage{name, fmt.Sprintf("a page of zeros at %d", at), func(f *os.File) error {
			info, err := f.Stat()
			if err != nil {
				return err
			}
			_, err = f.WriteAt(make([]byte, min(blockSize, info.Size()-at)), at)
			return err
		}})
		out = append(out, damage{name, "empty", func(f *os.File) error { return f.Truncate(0) }})
	}
	return out
}
