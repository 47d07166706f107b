// Package mark is the journal's second witness: a small file that says how many commits the journal has.
//
//  1. Write notes the number after every commit, in place and without waiting for the disk: as the commit itself is on disk
//     by then, the mark is never ahead of an honest journal, and a mark that is behind says nothing;
//  2. Read gives it back. A journal with fewer commits than its mark has lost its end, which SQLite does not tell: it takes a
//     damaged write-ahead log for a shorter one.
package mark

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/sum"
)

// Name of the file.
const Name = "journal.mark"

// Mark is what the file says.
type Mark struct {
	Journal [16]byte // the journal's number
	Commits uint64
}

// String is the journal's number as it is shown.
func (m Mark) String() string { return hex.EncodeToString(m.Journal[:]) }

// The file: a magic number with the format's version, the journal's number, the number of commits, a CRC-32C.
const (
	magic = "mbmark\x00\x01"
	size  = len(magic) + 16 + 8 + 4
)

// ErrDamaged is the error of Read for a file that is no mark.
var ErrDamaged = errors.New("damaged")

// ErrOther is the error of Open for the mark of another journal that has more than its tables.
var ErrOther = errors.New("it is another journal's")

// Read reads the mark of a directory. The error is fs.ErrNotExist when there is none. It is read anew when it looks damaged:
// another process may be writing it.
func Read(dir string) (m Mark, err error) {
	f, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return m, err
	}
	defer func() { _ = f.Close() }()
	return readAgain(f)
}

func readAgain(f *os.File) (m Mark, err error) {
	for range 10 {
		if m, err = read(f); err == nil {
			return m, nil
		}
	}
	return m, fmt.Errorf("%s: %w", Name, err)
}

func read(f *os.File) (m Mark, err error) {
	var b [size + 1]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return m, err
	}
	return parse(b[:n])
}

func parse(b []byte) (m Mark, err error) {
	if len(b) != size || string(b[:len(magic)]) != magic || binary.BigEndian.Uint32(b[size-4:]) != sum.Of32(b[:size-4]) {
		return m, ErrDamaged
	}
	copy(m.Journal[:], b[len(magic):])
	m.Commits = binary.BigEndian.Uint64(b[len(magic)+16:])
	return m, nil
}

func (m Mark) octets() []byte {
	b := append([]byte(magic), m.Journal[:]...)
	b = binary.BigEndian.AppendUint64(b, m.Commits)
	return binary.BigEndian.AppendUint32(b, sum.Of32(b))
}

// File is a mark that is written again and again. It is safe for concurrent use.
type File struct {
	mu sync.Mutex
	f  *os.File
}

// Open opens the mark of a directory for m's journal, and makes it, or makes it anew, unless it is there and at least as high. A repair
// may put another journal into the place of m's at any moment, with a mark of its own: what is judged is the file that is written.
func Open(dir string, m Mark) (*File, error) {
	f, err := disk.Private(filepath.Join(dir, Name))
	if err != nil {
		return nil, err
	}
	switch old, err := readAgain(f); {
	case err == nil && old.Journal == m.Journal && old.Commits >= m.Commits:
		return &File{f: f}, nil
	case err == nil && old.Journal != m.Journal && old.Commits > 1:
		return nil, errors.Join(fmt.Errorf("%s: %w", Name, ErrOther), f.Close())
	case err != nil && !errors.Is(err, ErrDamaged):
		return nil, errors.Join(err, f.Close())
	}
	err = f.Truncate(int64(size)) // what is behind a mark makes it none
	if err == nil {
		_, err = f.WriteAt(m.octets(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = disk.Sync(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", Name, err), f.Close())
	}
	return &File{f: f}, nil
}

// Write notes a commit, unless another process has noted a later one.
func (f *File) Write(m Mark) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, err := read(f.f); err == nil && old.Journal == m.Journal && old.Commits >= m.Commits {
		return nil
	}
	if _, err := f.f.WriteAt(m.octets(), 0); err != nil {
		return fmt.Errorf("%s: %w", Name, err)
	}
	return nil
}

// Close brings the mark to disk.
func (f *File) Close() error { return errors.Join(f.f.Sync(), f.f.Close()) }
