package main

// #include "write.h"
import "C"

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"coffer/p11"
	"coffer/token/settings"
)

// discard is the log before C_Initialize has read the settings, and unless
// they ask for one: a library writes nothing unasked.
var discard = slog.New(slog.DiscardHandler)

// opened is the log that the settings ask for, nil for none.
var opened atomic.Pointer[slog.Logger]

// logFile is what opened writes to.
var logFile *descriptor // guarded by lifeMu

func currentLog() *slog.Logger {
	if l := opened.Load(); l != nil {
		return l
	}
	return discard
}

var levels = map[settings.LogLevel]slog.Level{
	settings.LogError: slog.LevelError,
	settings.LogInfo:  slog.LevelInfo,
	settings.LogDebug: slog.LevelDebug,
}

// openLog begins logging to the file, or to stderr if it has no name.
func openLog(level settings.LogLevel, file string) (*slog.Logger, error) {
	closeLog()
	least, isOn := levels[level]
	if !isOn {
		return discard, nil
	}
	fd := &descriptor{fd: 2}
	if file != "" {
		n, err := syscall.Open(file, syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, p11.Errorf(p11.CKR_GENERAL_ERROR, "opening the log %s: %w", file, err)
		}
		fd.fd, fd.own = n, true
	}
	logFile = fd
	l := slog.New(&lines{out: fd, least: least})
	opened.Store(l)
	threshold.Store(uint32(level))
	return l, nil
}

// openLogForError logs at least that the settings are bad, if the two
// variables of the log are good by themselves.
func openLogForError() {
	only := func(name string) (string, bool) {
		switch name {
		case "COFFER_LOG", "COFFER_LOG_FILE":
			return getenv(name)
		case "COFFER_STORE":
			return "mem:", true // never opened
		}
		return "", false
	}
	if set, err := settings.Load(settings.Source{Getenv: only}); err == nil {
		openLog(set.LogLevel, set.LogFile)
	}
}

func closeLog() {
	threshold.Store(0)
	opened.Store(nil)
	if logFile != nil {
		logFile.close()
		logFile = nil
	}
}

// descriptor writes to a file descriptor. It is not an os.File: that would
// raise SIGPIPE, and end the host, when stderr is a pipe that nobody reads.
type descriptor struct {
	mu  sync.Mutex // guards what follows
	fd  int
	own bool
}

func (d *descriptor) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd >= 0 {
		C.write_quietly(C.int(d.fd), unsafe.Pointer(unsafe.SliceData(p)), C.size_t(len(p)))
	}
	return len(p), nil // there is nobody to tell
}

// close makes later writes, of calls that are still under way, no-ops.
func (d *descriptor) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.own {
		syscall.Close(d.fd)
	}
	d.fd = -1
}

// lines is a slog.Handler that writes one line a record, with one write, so
// that the lines of several processes do not mix:
//
//	2026-01-02T03:04:05.678901Z coffer[1234] DEBUG C_Logout(session 1) = CKR_OK
type lines struct {
	out   io.Writer
	least slog.Level
	attrs []byte // of With, ready to be appended
	group string
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.least }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	line := make([]byte, 0, 256)
	line = r.Time.UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z")
	line = strconv.AppendInt(append(line, " coffer["...), int64(os.Getpid()), 10)
	line = append(append(append(line, "] "...), r.Level.String()...), ' ')
	line = appendSafe(line, r.Message)
	line = append(line, l.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line = appendAttr(line, l.group, a)
		return true
	})
	_, err := l.out.Write(append(line, '\n'))
	return err
}

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *l
	next.attrs = append([]byte(nil), l.attrs...)
	for _, a := range attrs {
		next.attrs = appendAttr(next.attrs, l.group, a)
	}
	return &next
}

func (l *lines) WithGroup(name string) slog.Handler {
	next := *l
	next.group = l.group + name + "."
	return &next
}

func appendAttr(line []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	line = append(append(append(append(line, ' '), group...), a.Key...), '=')
	if v.Kind() == slog.KindTime {
		return v.Time().UTC().AppendFormat(line, time.RFC3339Nano)
	}
	return strconv.AppendQuote(line, v.String())
}

// appendSafe keeps a line one line, whatever a label or a file name has in it.
func appendSafe(line []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		line = append(line, c)
	}
	return line
}
