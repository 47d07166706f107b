// Package image shows the file of a journal as SQLite would, damaged or not, and writes nothing at all: not even the files that
// SQLite makes beside it to read.
//
//  1. Open finds the commits of the write-ahead log that are whole, and lays their pages over the file;
//  2. an Image is a file system with one file, for SQLite to read (modernc.org/sqlite/vfs);
//  3. Cells gives every row of every table's leaf pages without asking SQLite, so that one damaged page hides no other; rows
//     of free pages, which were deleted, are left out;
//  4. Stable tells whether nobody wrote meanwhile.
//
// The format is that of https://sqlite.org/fileformat2.html, whose sections the comments name.
package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Image is one file and its write-ahead log. It is not safe for concurrent use.
type Image struct {
	db, wal *os.File // nil: missing
	path    string
	size    int64            // of a page, in octets
	pages   uint32           // that SQLite would see
	log     map[uint32]int64 // where the log has the latest content of a page
	rest    int64            // octets of the log behind its last commit
	seen    [2]stamp
}

// stamp tells one state of a file from another.
type stamp struct {
	size   int64
	when   time.Time
	header [walHeader]byte
}

const fileHeader = 100 // §1.3

// Open opens the file of a path, and its log. A missing one is not an error: there is nothing in it then.
func Open(path string) (m *Image, err error) {
	m = &Image{path: path, log: map[uint32]int64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if m.db, err = open(path); err != nil {
		return m, err
	}
	if m.wal, err = open(path + "-wal"); err != nil {
		return m, err
	}
	if m.seen, err = m.stamps(path); err != nil {
		return m, err
	}
	if err := m.layOut(); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// Close closes the files.
func (m *Image) Close() error {
	var errs []error
	for _, f := range []*os.File{m.db, m.wal} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	m.db, m.wal = nil, nil
	return errors.Join(errs...)
}

// Missing tells that there is no file, or nothing in it.
func (m *Image) Missing() bool { return m.seen[0].size == 0 }

// Empty tells that there is nothing in the write-ahead log, either.
func (m *Image) Empty() bool { return m.Missing() && m.seen[1].size == 0 }

// Unmade tells that a process ended while it made the file: SQLite takes back what it wrote when it is opened next.
func (m *Image) Unmade() bool {
	info, err := os.Stat(m.path + "-journal")
	return err == nil && info.Size() > 0
}

// Rest gives how many octets of the write-ahead log come behind its last whole commit. A crash leaves some; so does damage.
func (m *Image) Rest() int64 { return m.rest }

// Stable tells whether both files, which now have this path, are what they were at Open.
func (m *Image) Stable(path string) (bool, error) {
	now, err := m.stamps(path)
	return now == m.seen, err
}

func (m *Image) stamps(path string) (s [2]stamp, err error) {
	for i, path := range []string{path, path + "-wal"} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, err
		}
		s[i].size, s[i].when = info.Size(), info.ModTime()
	}
	if m.wal == nil {
		return s, nil
	}
	if _, err := m.wal.ReadAt(s[1].header[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return s, err
	}
	return s, nil
}

// layOut finds out how large a page is, and how many there are.
func (m *Image) layOut() error {
	var head [fileHeader]byte
	if err := readAt(m.db, head[:], 0); err != nil {
		return err
	}
	m.size = pageSize(uint32(binary.BigEndian.Uint16(head[16:])))
	w, err := readLog(m.wal, m.seen[1].size)
	if err != nil {
		return err
	}
	if m.size == 0 || w.size != 0 && m.Missing() {
		m.size = w.size
	}
	if m.size == 0 {
		m.size = 4096
	}
	m.pages = uint32((m.seen[0].size + m.size - 1) / m.size)
	m.rest = w.rest
	if w.size == m.size && w.pages > 0 {
		m.log, m.pages = w.log, w.pages
	}
	return nil
}

// pageSize gives 0 for what cannot be one (§1.3.2).
func pageSize(n uint32) int64 {
	if n == 1 {
		n = 1 << 16
	}
	if n < 512 || n > 1<<16 || n&(n-1) != 0 {
		return 0
	}
	return int64(n)
}

// readAt fills b; what lies behind the end of the file, or of one that is missing, is 0.
func readAt(f *os.File, b []byte, at int64) error {
	n := 0
	if f != nil {
		var err error
		if n, err = f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	clear(b[n:])
	return nil
}

// page reads one page, counted from 1.
func (m *Image) page(n uint32, b []byte) error {
	if at, ok := m.log[n]; ok {
		return readAt(m.wal, b, at)
	}
	return readAt(m.db, b, int64(n-1)*m.size)
}
