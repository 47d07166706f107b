// Package unpack reads what may be compressed:
//
//  1. the first octets tell gzip (RFC 1952) and Zstandard (RFC 8878), whatever the file is called;
//  2. what is neither is passed through; other archives are refused by name;
//  3. an archive that is cut or damaged ends in an error, never in fewer octets;
//  4. no more than so many octets come out of an archive, whatever it holds.
package unpack

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

// Error says why an archive cannot be read.
type Error struct {
	Text, Hint string
	Full       bool  // the limit was reached
	Err        error // of the library or the reader below; may be nil
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// maxWindow is how much memory a Zstandard archive may ask for: what zstd --long=27 makes, the most that zstd unpacks
// unasked.
const maxWindow = 128 << 20

// other are archives that are not unpacked here, by their first octets.
var other = []struct{ magic, name string }{
	{"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"}, {"7z\xbc\xaf\x27\x1c", "7-Zip"}, {"Rar!\x1a\x07", "RAR"}, {"\x1f\x9d", "compress"}, {"\x04\x22\x4d\x18", "lz4"},
}

// Reader reads what is unpacked. Close frees the memory, and leaves the reader below open.
type Reader struct {
	Packed string // "gzip", "zstd", or empty
	in     io.Reader
	below  *below
	left   int64
	limit  int64
	free   func()
}

// below is the packed side. It keeps the error that is not the archive's.
type below struct {
	in  io.Reader
	err error
}

func (b *below) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// New looks at the first octets. At most limit octets come out of an archive. The error is an *Error when the archive is at fault.
func New(in io.Reader, limit int64) (*Reader, error) {
	src := &below{in: in}
	b := bufio.NewReaderSize(src, 1<<16)
	head, err := b.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	r := &Reader{in: b, below: src, left: limit, limit: limit, free: func() {}}
	for _, o := range other {
		if bytes.HasPrefix(head, []byte(o.magic)) {
			return nil, &Error{Text: "the file is compressed with " + o.name, Hint: "unpack it first, or compress it with gzip or zstd"}
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		r.Packed = "gzip"
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, r.judge(err)
		}
		z.Multistream(false)
		r.in = &members{z, b}
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		r.Packed = "zstd"
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, r.judge(err)
		}
		r.in, r.free = z, z.Close
	default:
		r.left = math.MaxInt64 - 1
	}
	return r, nil
}

// Close frees what unpacking took.
func (r *Reader) Close() { r.free() }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > r.left+1 {
		p = p[:r.left+1] // one more than may be, to see that there is more
	}
	n, err := r.in.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, &Error{Full: true, Text: fmt.Sprintf("the list is larger than %d octets, the limit of a row store (MaxStore)", r.limit),
			Hint: "split the list"}
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, r.judge(err)
}

// errBehind is the fault of an archive that something else follows.
var errBehind = errors.New("there is something behind its end that is no gzip")

// members reads one gzip member after the other. What follows them is told from a member that is cut short.
type members struct {
	z  *gzip.Reader
	in *bufio.Reader
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	head, err := m.in.Peek(2)
	switch {
	case len(head) == 0:
		return n, err // io.EOF, or of the reader below
	case string(head) != "\x1f\x8b":
		return n, errBehind
	}
	if err := m.z.Reset(m.in); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	m.z.Multistream(false)
	return n, nil
}

// judge tells a damaged archive from trouble with the reader below.
func (r *Reader) judge(err error) error {
	e := &Error{Text: "the " + r.Packed + " archive is damaged: " + err.Error(), Err: err,
		Hint: "make or fetch the archive again; nothing of it is used"}
	switch {
	case r.below.err != nil:
		return r.below.err
	case r.Packed == "":
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Text = "the " + r.Packed + " archive is cut short"
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		e.Text, e.Hint = "the zstd archive asks for more than 128 MiB of memory", "compress it without --ultra and --long"
	}
	return e
}
