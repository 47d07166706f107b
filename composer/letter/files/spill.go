package files

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
)

// spill is one temporary file for all large files, so that they take one open file together.
type spill struct {
	dir  string
	mu   sync.Mutex
	file *os.File
	end  int64
	free []extent // in order, none beside another, none at the end
}

type extent struct{ at, size int64 }

// block is what room is given out in, in octets.
const block = 4096

func blocks(n int64) int64 { return (n + block - 1) / block * block }

// take finds room for n octets.
func (s *spill) take(n int64) (at int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if s.file, err = unnamed(s.dir, "attachments-*"); err != nil {
			return 0, err
		}
	}
	n = blocks(n)
	for i := range s.free {
		e := &s.free[i]
		if e.size < n {
			continue
		}
		at = e.at
		e.at, e.size = e.at+n, e.size-n
		if e.size == 0 {
			s.free = slices.Delete(s.free, i, i+1)
		}
		return at, nil
	}
	at = s.end
	s.end += n
	return at, nil
}

// give takes room back. What is free at the end is given back to the disk.
func (s *spill) give(at, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := extent{at, blocks(n)}
	i, _ := slices.BinarySearchFunc(s.free, e.at, func(f extent, at int64) int { return int(min(max(f.at-at, -1), 1)) })
	if i < len(s.free) && e.at+e.size == s.free[i].at {
		e.size += s.free[i].size
		s.free = slices.Delete(s.free, i, i+1)
	}
	if i > 0 && s.free[i-1].at+s.free[i-1].size == e.at {
		i--
		e.at, e.size = s.free[i].at, e.size+s.free[i].size
		s.free = slices.Delete(s.free, i, i+1)
	}
	if e.at+e.size < s.end {
		s.free = slices.Insert(s.free, i, e)
		return
	}
	s.end = e.at
	_ = s.file.Truncate(s.end) // a disk that cannot do that stays as full as it is
}

func (s *spill) writer(at int64) io.Writer { return spillWriter{io.NewOffsetWriter(s.file, at)} }

// spillWriter tells its own errors from those of the file that is read.
type spillWriter struct{ w io.Writer }

func (w spillWriter) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	if err != nil {
		err = tempError{err}
	}
	return n, err
}

func (s *spill) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// unnamed makes a file that has no name any more, so it vanishes with the process.
func unnamed(dir, pattern string) (*os.File, error) {
	f, err := os.CreateTemp(dir, pattern) // mode 0600
	if err != nil {
		return nil, tempError{err}
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, tempError{errors.Join(err, f.Close())}
	}
	return f, nil
}
