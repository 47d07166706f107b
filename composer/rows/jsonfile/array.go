package jsonfile

import (
	"errors"
	"fmt"
	"io"
)

func (r *Reader) fault(format string, args ...any) error {
	return &Error{r.line, fmt.Sprintf(format, args...)}
}

// element reads the next element of the array, and what is between it and the one before.
func (r *Reader) element() (Record, error) {
	if r.ended {
		return Record{}, io.EOF
	}
	c, err := r.sign()
	if err == nil && c == ',' && r.more {
		_, _ = r.in.ReadByte() // it was peeked at
		if c, err = r.sign(); err == nil && c == ']' {
			return Record{}, r.fault("after a comma there must be another object")
		}
	} else if err == nil && r.more && c != ']' {
		return Record{}, r.fault("after an object there must be a comma or the end of the array, not %q", c)
	}
	switch {
	case errors.Is(err, io.EOF):
		return Record{}, r.fault("the array is never closed: the file is cut short")
	case err != nil:
		return Record{}, err
	case c == ']':
		return Record{}, r.end()
	}
	rec := Record{Line: r.line}
	text, err := r.cut()
	if err != nil {
		return Record{}, err
	}
	r.more = true
	if len(text) > MaxRecord {
		rec.Fault = fmt.Sprintf("the object is larger than %d MiB", MaxRecord>>20)
		return rec, nil
	}
	return parse(rec, text), nil
}

// end reads the end of the array, behind which there must be nothing.
func (r *Reader) end() error {
	_, _ = r.in.ReadByte() // the bracket, which was peeked at
	r.ended = true
	c, err := r.sign()
	if err == nil {
		return r.fault("after the end of the array there is %q", c)
	}
	return err
}

// cut reads up to where the element ends: brackets and strings are followed, nothing else is judged. Of one that is too
// large a part is kept.
func (r *Reader) cut() ([]byte, error) {
	r.buf = r.buf[:0]
	depth, quoted, escaped := 0, false, false
	for {
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, r.fault("the array is never closed: the file is cut short")
		}
		if err != nil {
			return nil, err
		}
		switch {
		case escaped:
			escaped = false
		case quoted:
			quoted, escaped = c != '"', c == '\\'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			return r.buf, r.in.UnreadByte()
		case c == '}' || c == ']':
			depth--
		}
		if c == '\n' {
			r.line++
		}
		if len(r.buf) <= MaxRecord {
			r.buf = append(r.buf, c)
		}
		if depth <= 0 && !quoted && (c == '}' || c == ']') {
			return r.buf, nil
		}
	}
}
