package mime

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// Attachment is a file, encoded once. Many letters may write it at the same time.
type Attachment struct {
	header []byte
	size   int64 // of the encoded octets
	data   []byte
	spill  *os.File // instead of data
}

// inMemory is the largest file, in octets, that is kept in memory.
const inMemory = 256 << 10

// File describes a file to attach.
type File struct {
	Name string // that recipients see
	Type string // such as application/pdf
	Size int64  // in octets
}

// Attach reads and encodes a file. What is large goes to a file in dir that has no name any more, so it vanishes with the
// process.
func Attach(r io.Reader, file File, dir string) (a *Attachment, err error) {
	var h Header
	n := file.Size
	kind, disposition := named(file.Type, file.Name)
	h.Structured("Content-Type", kind...)
	h.Structured("Content-Disposition", disposition...)
	h.Structured("Content-Transfer-Encoding", "base64")
	if h.Err() != nil {
		return nil, h.Err()
	}
	a = &Attachment{header: append(h.Bytes(), '\r', '\n'), size: int64(base64Len(int(n)))}
	if n <= inMemory {
		var mem bytes.Buffer
		mem.Grow(int(a.size))
		err = encodeAll(&mem, r, n)
		a.data = mem.Bytes()
	} else if a.spill, err = unnamed(dir); err == nil {
		err = encodeAll(a.spill, r, n)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// unnamed makes a file that is gone when it is closed.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "attachment-*") // mode 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// encodeAll writes exactly n octets of r as base64 lines. More or fewer mean that the file changed while it was read.
func encodeAll(w io.Writer, r io.Reader, n int64) error {
	raw := make([]byte, base64Line*256)
	var line []byte
	r = io.LimitReader(r, n+1)
	for total := int64(0); ; {
		k, err := io.ReadFull(r, raw)
		if total += int64(k); total > n {
			return errChanged
		}
		line = appendBase64(line[:0], raw[:k])
		if _, err := w.Write(line); err != nil {
			return err
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			if total != n {
				return errChanged
			}
			return nil
		case err != nil:
			return err
		}
	}
}

var errChanged = errors.New("it changed while it was read")

func (a *Attachment) writeTo(w io.Writer) (int64, error) {
	if a.spill == nil {
		n, err := w.Write(a.data)
		return int64(n), err
	}
	return io.Copy(w, io.NewSectionReader(a.spill, 0, a.size))
}

// Size is how many octets of a letter it takes.
func (a *Attachment) Size() int64 { return int64(len(a.header)) + a.size }

// Close gives the file back.
func (a *Attachment) Close() error {
	if a.spill == nil {
		return nil
	}
	return a.spill.Close()
}
