package files

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"github.com/mailblast/mailblast/composer/letter/mime"
)

// inMemory is the largest file, encoded, in octets, that is kept in memory: a letter in the writing holds it there.
const inMemory = 96 << 10

// File is a file as letters carry it: base64 lines. Many letters may write it at the same time.
type File struct {
	folder *Folder
	name   string
	info   fs.FileInfo // of when it was looked at
	size   int64

	ready chan struct{} // closed when all of these are set
	err   error
	sum   [sha256.Size]byte
	data  []byte
	at    int64 // where it lies in the temporary file; -1: it does not

	use // guarded by the cache
}

// Size is how many octets WriteTo writes.
func (f *File) Size() int64 { return f.size }

// WriteTo writes the content.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.at < 0 {
		if int64(len(f.data)) != f.size {
			return 0, errors.New("it is not in use any more")
		}
		n, err := w.Write(f.data)
		return int64(n), err
	}
	return io.Copy(w, io.NewSectionReader(f.folder.spill.file, f.at, f.size))
}

// Sum is the SHA-256 of what the file holds.
func (f *File) Sum() []byte { return f.sum[:] }

// Close ends one use of the file.
func (f *File) Close() { f.folder.cache.give(f) }

// spilled tells where it lies, or will.
func (f *File) spilled() bool { return f.size > inMemory }

func (f *File) encode(r io.Reader) (err error) {
	n := f.info.Size()
	if !f.spilled() {
		mem := bytes.NewBuffer(make([]byte, 0, f.size))
		err = mime.Encode(mem, r, n)
		f.data = mem.Bytes()
		return err
	}
	at, err := f.folder.spill.take(f.size)
	if err != nil {
		return err
	}
	if err := mime.Encode(f.folder.spill.writer(at), r, n); err != nil {
		f.folder.spill.give(at, f.size)
		return err
	}
	f.at = at
	return nil
}

// free gives back what the file takes, after its last use.
func (f *File) free() {
	if f.at >= 0 {
		f.folder.spill.give(f.at, f.size)
	}
	f.data, f.at = nil, -1
}
