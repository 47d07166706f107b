package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"os"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer"
)

const (
	maxRecord     = 16 << 20 // octets of one row
	progressEvery = 1 << 10  // rows
)

var polynomial = crc64.MakeTable(crc64.ECMA)

// maxBody bounds a record's body: a row of maxRecord and what encoding adds.
const maxBody = 2 * maxRecord

// Options of New.
type Options struct {
	Dir      string      // folder of the file; made when it is not there
	Max      int64       // octets the file may take
	Progress func(n int) // told now and then how many rows there are; may be nil
}

// Error says that the file cannot be written, or has reached its limit.
type Error struct {
	Text, Hint string
	Err        error // nil: the limit
}

func (e *Error) Error() string { return "row store: " + e.Text }
func (e *Error) Unwrap() error { return e.Err }

// Writer appends rows to a store that nobody reads yet.
type Writer struct {
	s    *Store
	out  *bufio.Writer
	body []byte
	o    Options
	row  composer.Row
}

// New makes a file without rows. Call Finish, or Discard.
func New(o Options) (*Writer, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, unwritable(err)
	}
	f, err := os.CreateTemp(o.Dir, "rows-*") // mode 0600
	if err != nil {
		return nil, unwritable(err)
	}
	s := &Store{f: f, name: f.Name()}
	if os.Remove(s.name) == nil { // gone even when the process is killed, where the system allows it
		s.name = ""
	}
	return &Writer{s: s, out: bufio.NewWriterSize(f, 1<<18), o: o}, nil
}

func unwritable(err error) *Error {
	return &Error{Text: err.Error(), Err: err}
}

// Add appends one row. Values are not kept. A row that is too large or not UTF-8 is kept as a faulty one.
func (w *Writer) Add(line int, values []any, fault string) error {
	w.row = composer.Row{Number: w.s.n + 1, Line: line, Values: values, Fault: fault}
	if fault == "" {
		if w.row.Fault = w.unfit(values); w.row.Fault != "" {
			w.row.Values = nil
		}
	}
	body, err := appendRow(w.body[:0], &w.row)
	if err != nil {
		return err
	}
	w.body = body
	var lead [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(lead[:], uint64(len(body)))
	if w.s.size += int64(n + len(body)); w.s.size > w.o.Max {
		return &Error{Text: fmt.Sprintf(
			"the list takes more than %d octets at row %d, the limit of a row store (MaxStore)", w.o.Max, w.row.Number),
			Hint: "select fewer or shorter columns, or fewer rows"}
	}
	if _, err := w.out.Write(lead[:n]); err != nil {
		return unwritable(err)
	}
	if _, err := w.out.Write(body); err != nil {
		return unwritable(err)
	}
	w.s.n++
	w.s.sum = crc64.Update(w.s.sum, polynomial, body)
	if w.o.Progress != nil && w.s.n%progressEvery == 0 {
		w.o.Progress(w.s.n)
	}
	return nil
}

// unfit says why the values cannot be used.
func (w *Writer) unfit(values []any) string {
	total := 0
	for i, v := range values {
		size, ok := measure(v)
		if total += size; total > maxRecord {
			return fmt.Sprintf("the row is larger than %d MiB", maxRecord>>20)
		}
		if !ok {
			return fmt.Sprintf("column %s is not valid UTF-8", w.s.cols[i].Name)
		}
	}
	return ""
}

// measure gives how many octets the texts of a value take, and whether all of them are UTF-8.
func measure(v any) (size int, ok bool) {
	ok = true
	add := func(n int, fine bool) { size, ok = size+n, ok && fine }
	switch v := v.(type) {
	case string:
		return len(v), utf8.ValidString(v)
	case []any:
		for _, item := range v {
			add(measure(item))
			size += 2
		}
	case map[string]any:
		for key, item := range v {
			add(measure(key))
			add(measure(item))
		}
	}
	return size, ok
}

// Columns names the columns, before the first row; again to add some behind them.
func (w *Writer) Columns(cols []composer.Column) { w.s.cols = cols }

// Len gives the count of rows so far.
func (w *Writer) Len() int { return w.s.n }

// Discard throws the file away.
func (w *Writer) Discard() { _ = w.s.Close() }

// Finish gives the store. It must be closed.
func (w *Writer) Finish() (*Store, error) {
	if err := w.out.Flush(); err != nil {
		return nil, unwritable(err)
	}
	w.out = nil
	if w.o.Progress != nil {
		w.o.Progress(w.s.n)
	}
	return w.s, nil
}
