package rows

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer"
)

// Store is a list as it was read. It implements composer.Rows and is safe for concurrent use.
type Store struct {
	f       *os.File
	name    string // to be removed by Close; empty: removed already
	cols    []composer.Column
	n       int
	size    int64
	buffers sync.Pool // *[]byte, for At
}

var _ composer.Rows = (*Store)(nil)

// Columns gives the list's columns in their order.
func (s *Store) Columns() []composer.Column { return s.cols }

// Len gives the count of rows, faulty ones included.
func (s *Store) Len() int { return s.n }

// Close removes the store's file.
func (s *Store) Close() error {
	err := s.f.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	return err
}

// Each calls f with every row in order until f returns an error, which it returns. A Row is valid during the call only.
func (s *Store) Each(ctx context.Context, f func(*composer.Row) error) error {
	in := bufio.NewReaderSize(io.NewSectionReader(s.f, 0, s.size), 1<<16)
	var r composer.Row
	var body []byte
	for at, i := int64(0), 0; i < s.n; i++ {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := binary.ReadUvarint(in)
		if err != nil || n > maxBody {
			return damaged(err)
		}
		if uint64(cap(body)) < n {
			body = make([]byte, n+n/2)
		}
		if _, err := io.ReadFull(in, body[:n]); err != nil {
			return damaged(err)
		}
		if err := decodeRow(string(body[:n]), &r); err != nil {
			return err
		}
		r.Ref = at
		if err := f(&r); err != nil {
			return err
		}
		at += int64(uvarintLen(n)) + int64(n)
	}
	return nil
}

// At reads the row with that Ref.
func (s *Store) At(ref int64) (*composer.Row, error) {
	if ref < 0 || ref >= s.size {
		return nil, fmt.Errorf("no row at %d: %w", ref, errRecord)
	}
	buf, _ := s.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
		*buf = make([]byte, 4<<10)
	}
	defer s.buffers.Put(buf)
	got, err := s.f.ReadAt((*buf)[:min(int64(len(*buf)), s.size-ref)], ref)
	if err != nil {
		return nil, damaged(err)
	}
	n, lead := binary.Uvarint((*buf)[:got])
	if lead <= 0 || n > maxBody || ref+int64(lead)+int64(n) > s.size {
		return nil, errRecord
	}
	body := (*buf)[lead:got]
	if uint64(len(body)) < n { // a long row is read on its own, so that the pool stays small
		body = make([]byte, n)
		if _, err := s.f.ReadAt(body, ref+int64(lead)); err != nil {
			return nil, damaged(err)
		}
	}
	r := &composer.Row{Ref: ref}
	return r, decodeRow(string(body[:n]), r)
}

func damaged(err error) error {
	if err == nil {
		return errRecord
	}
	return fmt.Errorf("%w: %w", errRecord, err)
}

func uvarintLen(n uint64) int {
	l := 1
	for ; n >= 0x80; n >>= 7 {
		l++
	}
	return l
}

// maxBody bounds a record's body: a row of maxRecord and what encoding adds.
const maxBody = 2 * maxRecord

// writer appends rows to a store that nobody reads yet.
type writer struct {
	s    *Store
	out  *bufio.Writer
	body []byte
	o    Options
	row  composer.Row
}

func newWriter(o Options) (*writer, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, storeError(err)
	}
	f, err := os.CreateTemp(o.Dir, "rows-*") // mode 0600
	if err != nil {
		return nil, storeError(err)
	}
	s := &Store{f: f, name: f.Name()}
	if os.Remove(s.name) == nil { // gone even when the process is killed, where the system allows it
		s.name = ""
	}
	return &writer{s: s, out: bufio.NewWriterSize(f, 1<<18), o: o}, nil
}

func storeError(err error) *Error {
	return &Error{Kind: Full, Source: "row store", Text: err.Error(), Err: err}
}

// add appends one row. Values are not kept. A row that is too large or not UTF-8 is kept as a faulty one.
func (w *writer) add(line int, values []any, fault string) error {
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
	if w.s.size += int64(n + len(body)); w.s.size > w.o.MaxStore {
		return &Error{Kind: Full, Source: "row store", Text: fmt.Sprintf(
			"the list takes more than %d octets at row %d, the limit of a row store (MaxStore)", w.o.MaxStore, w.row.Number),
			Hint: "select fewer or shorter columns, or fewer rows"}
	}
	if _, err := w.out.Write(lead[:n]); err != nil {
		return storeError(err)
	}
	if _, err := w.out.Write(body); err != nil {
		return storeError(err)
	}
	w.s.n++
	if w.o.Progress != nil && w.s.n%progressEvery == 0 {
		w.o.Progress(w.s.n)
	}
	return nil
}

// unfit says why the values cannot be used.
func (w *writer) unfit(values []any) string {
	total := 0
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			continue
		}
		if total += len(s); total > maxRecord {
			return fmt.Sprintf("the row is larger than %d MiB", maxRecord>>20)
		}
		if !utf8.ValidString(s) {
			return fmt.Sprintf("column %s is not valid UTF-8", w.s.cols[i].Name)
		}
	}
	return ""
}

func (w *writer) finish() error {
	if err := w.out.Flush(); err != nil {
		return storeError(err)
	}
	w.out = nil
	if w.o.Progress != nil {
		w.o.Progress(w.s.n)
	}
	return nil
}
