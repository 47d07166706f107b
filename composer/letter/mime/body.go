package mime

import (
	"io"
	"sync"
)

// Part is one text of a letter, in canonical form, with the files that it shows by their cid: URLs.
type Part struct {
	Type   string // such as text/plain
	Text   []byte
	Inline []*Attachment
}

// Body is one letter. It implements delivery.Body.
type Body struct {
	Release func() // called by Close, so that files can be counted; nil: nothing to do

	buf   []byte
	cuts  []cut
	size  int64
	utf8  bool
	spare *[]byte
}

// cut is where in the buffer an attachment's octets go out.
type cut struct {
	at   int
	file *Attachment
}

var pool = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// maxSpare keeps a rare huge letter's memory from living on in the pool.
const maxSpare = 256 << 10

// NewBody lays out a letter: h, which lacks only the fields of the content, then the texts, then the attachments. It keeps
// nothing of h and the texts. boundary makes the delimiters, which no encoded part can hold.
func NewBody(h *Header, parts []Part, files []*Attachment, boundary string) *Body {
	b := &Body{spare: pool.Get().(*[]byte), utf8: h.UTF8()}
	b.buf = append((*b.spare)[:0], h.Bytes()...)
	b.add("MIME-Version: 1.0\r\n")
	mixed := "=_m" + boundary
	if len(files) > 0 {
		b.multipart("multipart/mixed", mixed)
		b.delimit(mixed)
	}
	b.texts(parts, boundary)
	b.files(files, mixed)
	if len(files) > 0 {
		b.close(mixed)
	}
	b.size += int64(len(b.buf))
	return b
}

// texts writes one part as it is and several as alternatives, the plainest first (RFC 2046 §5.1.4).
func (b *Body) texts(parts []Part, boundary string) {
	if len(parts) == 1 {
		b.part(parts[0], boundary)
		return
	}
	alternative := "=_a" + boundary
	b.multipart("multipart/alternative", alternative)
	for _, p := range parts {
		b.delimit(alternative)
		b.part(p, boundary)
	}
	b.close(alternative)
}

// part writes a text, together with its inline parts if it has any (RFC 2387 §3.1). The text comes first, so that it needs
// no name to be found by (§3.2), which some programs take for that of an inline part.
func (b *Body) part(p Part, boundary string) {
	if len(p.Inline) == 0 {
		b.text(p)
		return
	}
	related := "=_r" + boundary
	b.multipart(`multipart/related; type="`+p.Type+`"`, related)
	b.delimit(related)
	b.text(p)
	b.files(p.Inline, related)
	b.close(related)
}

func (b *Body) text(p Part) {
	e := choose(p.Text)
	b.add("Content-Type: ", p.Type, "; charset=utf-8\r\nContent-Transfer-Encoding: ", e.String(), "\r\n\r\n")
	b.buf = encode(b.buf, p.Text, e)
}

// files notes where the content of each goes out.
func (b *Body) files(files []*Attachment, boundary string) {
	for _, f := range files {
		b.delimit(boundary)
		b.buf = append(b.buf, f.header...)
		b.cuts = append(b.cuts, cut{at: len(b.buf), file: f})
		b.size += f.size
	}
}

func (b *Body) add(texts ...string) {
	for _, s := range texts {
		b.buf = append(b.buf, s...)
	}
}

func (b *Body) multipart(kind, boundary string) {
	b.add("Content-Type: ", kind, ";\r\n boundary=\"", boundary, "\"\r\n")
}

// The CRLF before a delimiter belongs to it (RFC 2046 §5.1.1).
func (b *Body) delimit(boundary string) { b.add("\r\n--", boundary, "\r\n") }

func (b *Body) close(boundary string) { b.add("\r\n--", boundary, "--\r\n") }

// Needs implements delivery.Body. Only UTF-8 addresses make a letter more than 7-bit (RFC 6531 §3.6).
func (b *Body) Needs() (size int64, eightBit, utf8 bool) { return b.size, b.utf8, b.utf8 }

// WriteTo implements delivery.Body.
func (b *Body) WriteTo(w io.Writer) (n int64, err error) {
	from := 0
	for _, c := range append(b.cuts[:len(b.cuts):len(b.cuts)], cut{at: len(b.buf)}) {
		m, err := w.Write(b.buf[from:c.at])
		if n += int64(m); err != nil {
			return n, err
		}
		from = c.at
		if c.file == nil {
			continue
		}
		k, err := c.file.content.WriteTo(w)
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close gives the memory and the files back. The Body must not be used after it.
func (b *Body) Close() error {
	if b.Release != nil {
		b.Release()
		b.Release = nil
	}
	if b.spare != nil {
		if cap(b.buf) <= maxSpare {
			*b.spare = b.buf[:0]
			pool.Put(b.spare)
		}
		b.spare, b.buf = nil, nil
	}
	return nil
}
