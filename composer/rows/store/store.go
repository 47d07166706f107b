// Package store keeps the rows of a list in a file that nobody else can read:
//
//  1. New makes the file, and takes its name away at once where the system allows it;
//  2. Columns are named, and Add appends rows; one that cannot be used is kept with its fault; columns may be added
//     while rows are, and the rows before have NULL there;
//  3. Finish hands over the Store, which nothing changes any more;
//  4. Each and At read rows back, in order or by reference, from any number of goroutines.
//
// Memory does not grow with the number of rows.
package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/mailblast/mailblast/composer"
)

// Store is a list as it was read. It implements composer.Rows and is safe for concurrent use.
type Store struct {
	f       *os.File
	name    string // to be removed by Close; empty: removed already
	cols    []composer.Column
	n       int
	size    int64
	sum     uint64
	buffers sync.Pool // *[]byte, for At
}

var _ composer.Rows = (*Store)(nil)

// Columns gives the list's columns in their order.
func (s *Store) Columns() []composer.Column { return s.cols }

// Len gives the count of rows, faulty ones included.
func (s *Store) Len() int { return s.n }

// Sum changes when any row does, or their order.
func (s *Store) Sum() uint64 { return s.sum }

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
		if err := decodeRow(string(body[:n]), &r, len(s.cols)); err != nil {
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
	return r, decodeRow(string(body[:n]), r, len(s.cols))
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
