package image

import (
	"io"
	"io/fs"
	"time"
)

// Name is how the file is called in the file system that an Image is.
const Name = "image"

// Open gives the one file there is, for SQLite.
func (m *Image) Open(name string) (fs.File, error) {
	if name != Name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{m: m, in: io.NewSectionReader((*reader)(m), 0, int64(m.pages)*m.size)}, nil
}

type reader Image

// ReadAt reads what SQLite asks for. The first page says that there is no write-ahead log, which SQLite would look for.
func (r *reader) ReadAt(p []byte, at int64) (n int, err error) {
	m := (*Image)(r)
	page := make([]byte, m.size)
	for n < len(p) {
		k := uint32((at+int64(n))/m.size) + 1
		if k > m.pages {
			return n, io.EOF
		}
		if err := m.page(k, page); err != nil {
			return n, err
		}
		if k == 1 && page[18] == 2 && page[19] == 2 {
			page[18], page[19] = 1, 1
		}
		n += copy(p[n:], page[(at+int64(n))%m.size:])
	}
	return n, nil
}

type file struct {
	m  *Image
	in *io.SectionReader
}

func (f *file) Read(p []byte) (int, error)               { return f.in.Read(p) }
func (f *file) Seek(at int64, whence int) (int64, error) { return f.in.Seek(at, whence) }
func (f *file) Close() error                             { return nil }
func (f *file) Stat() (fs.FileInfo, error)               { return f, nil }
func (f *file) Name() string                             { return Name }
func (f *file) Size() int64                              { return f.in.Size() }
func (f *file) Mode() fs.FileMode                        { return 0o400 }
func (f *file) ModTime() time.Time                       { return f.m.seen[0].when }
func (f *file) IsDir() bool                              { return false }
func (f *file) Sys() any                                 { return nil }
