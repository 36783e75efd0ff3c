package remote

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

var (
	encoding = must(cbor.EncOptions{}.UserBufferEncMode())
	decoding = must(cbor.DecOptions{
		MaxNestedLevels:  8,
		MaxArrayElements: 1 << 16,
		MaxMapPairs:      32,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	}.DecMode())
)

// must is for options that do not change.
func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

// buffers are for encoding. Large ones are not kept.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBuffer = 64 << 10

// writeFrame writes one message and returns the length of its frame. Writing
// is one call, so that the caller may serialise writers with a lock.
func writeFrame(w io.Writer, message any) (int, error) {
	frame, err := encodeFrame(message)
	if err != nil {
		return 0, err
	}
	defer frame.free()
	return frame.writeTo(w)
}

// frame is an encoded message with its length before it.
type frame struct{ buf *bytes.Buffer }

func encodeFrame(message any) (frame, error) {
	f := frame{buffers.Get().(*bytes.Buffer)}
	f.buf.Reset()
	f.buf.Write(make([]byte, 4))
	if err := encoding.MarshalToBuffer(message, f.buf); err != nil {
		return f, err
	}
	n := f.len()
	if n > maxFrame {
		f.free()
		return frame{}, fmt.Errorf("%w: message of %d bytes", errProtocol, n)
	}
	binary.BigEndian.PutUint32(f.buf.Bytes(), uint32(n))
	return f, nil
}

func (f frame) len() int { return f.buf.Len() - 4 }

func (f frame) writeTo(w io.Writer) (int, error) {
	_, err := w.Write(f.buf.Bytes())
	return f.len(), err
}

func (f frame) free() {
	if f.buf.Cap() <= keepBuffer {
		buffers.Put(f.buf)
	}
}

// frameReader reads the frames of a connection.
type frameReader struct {
	r   *bufio.Reader
	buf []byte
}

func newFrameReader(r io.Reader) *frameReader { return &frameReader{r: bufio.NewReader(r)} }

// next decodes the next frame into message, a pointer to its zero value, and
// returns the frame's length. What is in message does not refer to the
// reader. At the end between two frames the error is io.EOF.
func (fr *frameReader) next(message any) (int, error) {
	var header [4]byte
	if _, err := io.ReadFull(fr.r, header[:]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint32(header[:]))
	if n > maxFrame {
		return 0, fmt.Errorf("%w: %d bytes announced", errProtocol, n)
	}
	if n > cap(fr.buf) || cap(fr.buf) > keepBuffer {
		fr.buf = make([]byte, n)
	}
	b := fr.buf[:n]
	if _, err := io.ReadFull(fr.r, b); err != nil {
		return 0, err
	}
	if err := decoding.Unmarshal(b, message); err != nil {
		return 0, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return n, nil
}
