package store

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// segment is one append-only file. It goes when nothing in it is kept and nobody reads it.
type segment struct {
	f    *os.File
	refs int // entries, readers, and being written
	size int64
	n    int
}

const (
	segmentBytes = 64 << 20
	segmentShare = 4 // a segment has at most this part of Keep, so that dropping frees disk in time
	bufferSize   = 256 << 10
)

// room makes sure that there is a file to write to.
func (s *Store[N]) room() error {
	if s.cur != nil && s.cur.size < segmentBytes && s.cur.n <= s.keep/segmentShare {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.retire()
	s.files++
	f, err := os.OpenFile(filepath.Join(s.dir, strconv.Itoa(s.files)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	// Without a name the mail is gone with the process, however that ends. Where an open file cannot be removed, the
	// directory is at Close.
	_ = os.Remove(f.Name())
	s.cur = &segment{f: f, refs: 1}
	s.w = bufio.NewWriterSize(f, bufferSize)
	return nil
}

func (s *Store[N]) retire() {
	if s.cur != nil {
		s.cur.release()
		s.cur, s.w = nil, nil
	}
}

func (s *Store[N]) flush() error {
	if s.w == nil {
		return nil
	}
	if err := s.w.Flush(); err != nil {
		s.retire()
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (g *segment) release() {
	g.refs--
	if g.refs == 0 {
		_ = g.f.Close() // it has no name any more: nothing can be lost by it
	}
}
