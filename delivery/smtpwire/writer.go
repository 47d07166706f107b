package smtpwire

import (
	"errors"
	"io"
)

// ErrArgument is the error of a command with an argument that could break out of its line.
var ErrArgument = errors.New("command argument has a control character")

// maxCommand bounds a command line. RFC 5321 §4.5.3.1.4 grants 512, extensions add to it, and an AUTH initial response
// may need far more (RFC 4954 §4: 12288).
const maxCommand = 12288

// ErrLength is the error of a command line that no server need take.
var ErrLength = errors.New("command line too long")

// bufferSize is one TLS record: what a body is written in.
const bufferSize = 16 << 10

// Writer collects commands and body octets and writes them in as few writes as it can. An error is kept.
type Writer struct {
	w   io.Writer
	buf []byte
	err error
}

// NewWriter makes a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Reset drops what is buffered and writes to w from now on.
func (w *Writer) Reset(dst io.Writer) { *w = Writer{w: dst, buf: w.buf[:0]} }

// Command appends a line made of parts as they are, and CRLF. If a part has a control character, nothing is appended
// and the error is ErrArgument: whatever is in an address, it never becomes a second command.
func (w *Writer) Command(parts ...string) error {
	n := 0
	for _, p := range parts {
		n += len(p)
		for i := range len(p) {
			if p[i] < ' ' || p[i] == 0x7f {
				return ErrArgument
			}
		}
	}
	if n > maxCommand {
		return ErrLength
	}
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
	w.buf = append(w.buf, '\r', '\n')
	return nil
}

// Flush writes what is buffered.
func (w *Writer) Flush() error {
	_, err := w.flush()
	return err
}

func (w *Writer) flush() (int, error) {
	if w.err != nil || len(w.buf) == 0 {
		return 0, w.err
	}
	n, err := w.w.Write(w.buf)
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	w.buf, w.err = w.buf[:0], err
	return n, err
}
