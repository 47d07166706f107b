package csvfile

import (
	"bytes"
	"errors"
	"io"
)

// lineEnd finds the end of the line that begins at i, without its line break, and where the next begins. It is not ok
// when the line is longer than a record may be.
func (r *Reader) lineEnd(i int) (end, next int, ok bool) {
	from := i - r.at
	for {
		if n := bytes.IndexByte(r.buf[r.at+from:], '\n'); n >= 0 {
			end, next = r.at+from+n, r.at+from+n+1
			break
		}
		from = len(r.buf) - r.at
		if from > MaxRecord {
			return 0, 0, false
		}
		if !r.fill() {
			end, next = len(r.buf), len(r.buf)
			break
		}
	}
	if end > r.at && r.buf[end-1] == '\r' {
		end--
	}
	return end, next, true
}

// has tells that there is an octet at i, reading on as far as a record may go.
func (r *Reader) has(i int) bool {
	for i >= len(r.buf) {
		if i-r.at >= MaxRecord || !r.fill() {
			return false
		}
	}
	return true
}

// need reads until n octets are there or the file ends.
func (r *Reader) need(n int) {
	for len(r.buf)-r.at < n && r.fill() {
	}
}

// makeRoom drops what has been read once that is most of buf.
func (r *Reader) makeRoom() {
	if rest := len(r.buf) - r.at; rest < r.at/2 {
		copy(r.buf, r.buf[r.at:])
		r.buf, r.at = r.buf[:rest], 0
	}
}

func (r *Reader) advance(to, lines int) {
	r.at = to
	r.line += lines
}

// fill reads more behind what is in buf. It is false at the end of the file, and when reading failed. It never moves
// what is in buf: makeRoom does that, between records.
func (r *Reader) fill() bool {
	if r.eof || r.err != nil {
		return false
	}
	if cap(r.buf)-len(r.buf) < 1<<12 {
		grown := make([]byte, len(r.buf), max(1<<16, 2*cap(r.buf)))
		copy(grown, r.buf)
		r.buf = grown
	}
	for range 100 {
		n, err := r.in.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			r.eof = true
			return n > 0
		case err != nil:
			r.err = err
			return false
		case n > 0:
			return true
		}
	}
	r.err = io.ErrNoProgress
	return false
}
