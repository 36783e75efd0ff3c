// Package remote speaks the contract of package store over a unix stream
// socket: a Server has a store.Backend, a Client is one.
//
// It does not know where stores are, who may serve one, or what becomes of a
// client whose server is gone: that is package shared.
//
// # Design
//
// A frame is a length of four bytes and one CBOR item, a request or a
// response (message.go). Requests have numbers and are answered in any order,
// so that a connection carries any number of calls at once. What could be
// large is cut: a Range is asked for and answered in parts of bounded size, at
// one revision, and a Watch may only be so many bytes ahead of its consumer;
// it then waits where it costs nothing, at its position in the engine. So
// neither side holds much for the other, however slow that is.
//
// The first frame in each direction is a greeting with the version of the
// protocol. The server's also names the server, anew for each, so that a
// client can tell a server that came back from another one.
//
// Each side asks the kernel who the other is (credentials.go). Frames are
// bounded before they are read and checked as they are decoded; what is
// malformed ends the connection, and nothing else.
//
// The newest revision does not travel: the client has to know it without
// asking, from memory that it shares with the server.
package remote

import (
	"errors"
	"fmt"
	"time"

	"coffer/store"
)

// version is the protocol's. A change that an older side would misunderstand
// changes it.
const version = 1

// What the sides may demand of each other.
const (
	// maxFrame bounds a frame: a transaction of store.MaxBytes with
	// store.MaxOps deletions of spans fits twice.
	maxFrame = 4 << 20
	// maxCalls is how many calls of a connection are worked on at once. More
	// wait in the socket.
	maxCalls = 32
	// maxWatches is how many watches a connection may have.
	maxWatches = 4096
	// window is how many bytes a watch may be ahead of its consumer.
	window = 256 << 10
	// partBytes is where an answer to a Range is cut.
	partBytes = 256 << 10
	// partKeys bounds the keys of a part.
	partKeys = 4096
)

// DefaultTimeout is how long a client waits for an answer.
const DefaultTimeout = 5 * time.Second

// Errors beyond those of package store. Both are store.ErrUnavailable.
var (
	// ErrLost means that the connection ended before the answer came.
	ErrLost = fmt.Errorf("%w: the connection is lost", store.ErrUnavailable)
	// ErrRefused means that the other side is not one to speak to.
	ErrRefused = fmt.Errorf("%w: refused", store.ErrUnavailable)
)

// errProtocol means that the other side broke the protocol.
var errProtocol = errors.New("malformed message")
