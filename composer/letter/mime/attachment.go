package mime

import (
	"encoding/base64"
	"errors"
	"io"
	"sync"
)

// File is a file that goes with letters.
type File struct {
	Name      string      // that recipients see
	Type      string      // such as application/pdf
	ContentID string      // of an inline part, as a cid: URL has it (RFC 2392); "": the file is an attachment
	Content   io.WriterTo // base64 lines as Encode makes them; many letters may write it at the same time
	Size      int64       // of Content, in octets
}

// Attachment is a file with its header fields. Many letters may hold it at the same time.
type Attachment struct {
	header  []byte
	content io.WriterTo
	size    int64
}

// Attach lays out the header of a file, which is an attachment or an inline part (RFC 2183 §2).
func Attach(f File) (*Attachment, error) {
	if err := CheckValue(f.Name); err != nil {
		return nil, err
	}
	var h Header
	name, whole := filename(f.Name)
	kind := []string{f.Type}
	if !whole { // for programs that do not know RFC 2231
		kind = []string{f.Type + ";", fallback(f.Name)}
	}
	h.Structured("Content-Type", kind...)
	if f.ContentID == "" {
		h.Structured("Content-Disposition", append([]string{"attachment;"}, name...)...)
	} else {
		h.Structured("Content-ID", "<"+f.ContentID+">")
		h.Structured("Content-Disposition", append([]string{"inline;"}, name...)...)
	}
	h.Structured("Content-Transfer-Encoding", "base64")
	if h.Err() != nil {
		return nil, h.Err()
	}
	return &Attachment{header: append(h.Bytes(), '\r', '\n'), content: f.Content, size: f.Size}, nil
}

// Size is how many octets of a letter it takes.
func (a *Attachment) Size() int64 { return int64(len(a.header)) + a.size }

// EncodedLen is how many octets Encode makes of n.
func EncodedLen(n int64) int64 {
	return (n+2)/3*4 + 2*((n+base64Line-1)/base64Line)
}

// chunk is what is encoded at once: whole lines.
type chunk struct {
	raw  [base64Line * 1024]byte
	line []byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// Encode writes exactly n octets of r as base64 lines. More or fewer mean that the file changed while it was read.
func Encode(w io.Writer, r io.Reader, n int64) error {
	c := chunks.Get().(*chunk)
	defer chunks.Put(c)
	for total := int64(0); ; {
		k, err := io.ReadFull(r, c.raw[:])
		if total += int64(k); total > n {
			return errChanged
		}
		c.line = appendBase64(c.line[:0], c.raw[:k])
		if _, err := w.Write(c.line); err != nil {
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

// base64Line is how many octets make one line of base64, 76 characters of it (RFC 2045 §6.8).
const base64Line = 57

func appendBase64(dst, b []byte) []byte {
	for len(b) > 0 {
		n := min(len(b), base64Line)
		dst = append(base64.StdEncoding.AppendEncode(dst, b[:n]), '\r', '\n')
		b = b[n:]
	}
	return dst
}
