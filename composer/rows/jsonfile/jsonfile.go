// Package jsonfile reads objects one by one from a text in UTF-8:
//
//  1. a text that begins with [ is one array: each of its elements is a record;
//  2. any other text is JSON lines: each line is a record, empty lines are passed over;
//  3. a record that is no object, or has a fault, costs only itself where its end can still be told.
//
// Every record has the number of the line it began on.
package jsonfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/rows/jsontext"
)

// MaxRecord bounds one record, in octets.
const MaxRecord = 16 << 20

// Reader reads records. It is not safe for concurrent use.
type Reader struct {
	in    *bufio.Reader
	line  int // of what is read next
	begun bool
	array bool
	more  bool // an element has been read: a comma or the end follows
	ended bool
	buf   []byte
}

// Record is one object. Keys and Values are in the object's order, and valid until the next call.
type Record struct {
	Line   int
	Keys   []string
	Values []any
	Fault  string // why it cannot be used; Keys is empty then
}

// Error says that a text cannot be read any further.
type Error struct {
	Line int
	Text string
}

func (e *Error) Error() string { return e.Text }

// New reads from a text without a byte order mark.
func New(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, 1<<16), line: 1} }

// Next gives the next record; io.EOF when there is none. An *Error tells that an array has no sense from here on; any
// other error comes from the reader below.
func (r *Reader) Next() (Record, error) {
	if !r.begun {
		r.begun = true
		c, err := r.sign()
		if err != nil {
			return Record{}, err
		}
		if r.array = c == '['; r.array {
			_, _ = r.in.ReadByte() // it was peeked at
		}
	}
	if r.array {
		return r.element()
	}
	return r.oneLine()
}

// sign looks at the next octet that is no white space; io.EOF when there is none.
func (r *Reader) sign() (byte, error) {
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		default:
			return c, r.in.UnreadByte()
		}
	}
}

func (r *Reader) oneLine() (Record, error) {
	for {
		rec := Record{Line: r.line}
		text, long, err := r.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return Record{}, err
		}
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return Record{}, io.EOF
		}
		r.line++
		text = bytes.TrimRight(text, "\r\n")
		switch {
		case long:
			rec.Fault = fmt.Sprintf("the line is longer than %d MiB", MaxRecord>>20)
			return rec, nil
		case len(bytes.TrimSpace(text)) > 0:
			return parse(rec, text), nil
		}
	}
}

// readLine reads a line with its break. Of a line that is too long only a part is kept.
func (r *Reader) readLine() (text []byte, long bool, err error) {
	r.buf = r.buf[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.buf) <= MaxRecord {
			r.buf = append(r.buf, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return r.buf, len(r.buf) > MaxRecord+2, err
		}
	}
}

func parse(rec Record, text []byte) Record {
	err := jsontext.Object(text, func(key string, v any) {
		rec.Keys = append(rec.Keys, key)
		rec.Values = append(rec.Values, v)
	})
	if bad := (*jsontext.Error)(nil); errors.As(err, &bad) {
		rec.Keys, rec.Values = nil, nil
		before := text[:bad.Offset]
		column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
		rec.Fault = fmt.Sprintf("column %d: %s", column, bad.Text)
		if n := bytes.Count(before, []byte{'\n'}); n > 0 {
			rec.Fault = fmt.Sprintf("line %d, %s", rec.Line+n, rec.Fault)
		}
	}
	return rec
}
