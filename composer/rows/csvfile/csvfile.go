// Package csvfile reads delimited text (RFC 4180) record by record:
//
//  1. a byte order mark is dropped, empty lines are passed over;
//  2. a record is split at the delimiter; a field that opens with a quote runs to its closing one, over lines too;
//  3. a faulty record costs one line: reading goes on with the next, so that nothing after it is lost.
//
// Every record has the number of the line it began on.
package csvfile

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// Limits of one record and one field, in octets.
const (
	MaxRecord = 16 << 20
	MaxField  = 1 << 20
)

// Reader reads records. It is not safe for concurrent use.
type Reader struct {
	Charset string // what the text was decoded from, for faults; empty: it is UTF-8 itself

	in    io.Reader
	comma byte
	loose bool // a quote inside an unquoted field is a character like any other
	buf   []byte
	at    int // where the next record begins in buf
	begun bool
	eof   bool
	err   error // of in
	line  int   // of the next record, from 1

	fields []string
	cell   []byte // a quoted field without its quotes, end to end with the others of its record
	ends   []int
}

// Record is one record of the file.
type Record struct {
	Line   int
	Fields []string // valid until the next call
	Fault  string   // why it cannot be used; Fields is empty then
}

// New reads comma separated text, or tab separated text in which quotes inside a field stand for themselves.
func New(in io.Reader, delimiter byte) *Reader {
	return &Reader{in: in, comma: delimiter, loose: delimiter == '\t', line: 1}
}

// Next gives the next record; io.EOF when there is none. Any other error comes from the reader below.
func (r *Reader) Next() (Record, error) {
	if !r.begun {
		r.begun = true
		r.need(3)
		r.at = len(r.buf) - len(bytes.TrimPrefix(r.buf, []byte("\xef\xbb\xbf")))
	}
	for {
		r.makeRoom()
		end, next, ok := r.lineEnd(r.at)
		if r.err != nil {
			return Record{}, r.err
		}
		if !ok {
			return r.skipLong()
		}
		if next == r.at {
			return Record{}, io.EOF
		}
		if end == r.at { // an empty line
			r.advance(next, 1)
			continue
		}
		if end-r.at > MaxRecord {
			rec := Record{Line: r.line, Fault: longLine}
			r.advance(next, 1)
			return rec, nil
		}
		if bytes.IndexByte(r.buf[r.at:end], '"') < 0 {
			return r.plain(end, next), nil
		}
		return r.quoted(end, next)
	}
}

// plain splits a line that has no quotes.
func (r *Reader) plain(end, next int) Record {
	rec := Record{Line: r.line}
	line := r.buf[r.at:end]
	r.advance(next, 1)
	if !utf8.Valid(line) {
		return r.notUTF8(rec, line)
	}
	whole := string(line)
	r.fields = r.fields[:0]
	for start, i := 0, 0; ; i++ {
		if i == len(whole) || whole[i] == r.comma {
			if i-start > MaxField {
				return tooLong(rec, len(r.fields))
			}
			r.fields = append(r.fields, whole[start:i])
			if start = i + 1; i == len(whole) {
				break
			}
		}
	}
	rec.Fields = r.fields
	return rec
}

// quoted reads a record with quotes. When it is faulty only its first line, which ends at end, is passed over.
func (r *Reader) quoted(end, next int) (Record, error) {
	rec := Record{Line: r.line}
	r.cell, r.ends = r.cell[:0], r.ends[:0]
	lines, stop, fault := r.cells()
	if r.err != nil {
		return Record{}, r.err
	}
	if fault == "" && lines > 1 {
		if fault = r.swallowed(stop, lines); fault != "" { // whose lines are whose cannot be told: none of them is a row
			r.advance(stop, lines)
			rec.Fault = fault
			return rec, nil
		}
	}
	if fault != "" {
		r.advance(next, 1)
		rec.Fault = fault
		return rec, nil
	}
	r.advance(stop, lines)
	if !utf8.Valid(r.cell) {
		return r.notUTF8(rec, r.cell), nil
	}
	whole, start := string(r.cell), 0
	r.fields = r.fields[:0]
	for _, e := range r.ends {
		if e-start > MaxField {
			return tooLong(rec, len(r.fields)), nil
		}
		r.fields = append(r.fields, whole[start:e])
		start = e
	}
	rec.Fields = r.fields
	return rec, nil
}

// swallowed tells that a quoted field, which runs over lines, has what looks like a record in one of them: an address, and
// as many delimiters as its own record. It may be a text, but also rows behind a quote that was never closed, up to the next.
func (r *Reader) swallowed(stop, lines int) string {
	n, line := len(r.ends)-1, r.line
	for text := range bytes.Lines(r.buf[r.at:stop]) {
		if line > r.line && n > 0 && bytes.Count(text, []byte{r.comma}) >= n && bytes.IndexByte(text, '@') > 0 {
			return fmt.Sprintf("a quote opened in it runs over lines %d to %d, and line %d looks like a row of its own", r.line, r.line+lines-1, line)
		}
		line++
	}
	return ""
}

// cells walks the fields of the record at r.at. It gives how many lines they took and where the next record begins.
func (r *Reader) cells() (lines, stop int, fault string) {
	lines = 1
	i, more := r.at, false
	for {
		if r.has(i) && r.buf[i] == '"' {
			i, lines, fault = r.inQuotes(i+1, lines)
		} else {
			i, fault = r.bare(i)
		}
		if fault != "" {
			return 0, 0, fault
		}
		r.ends = append(r.ends, len(r.cell))
		if i, more = r.separator(i); !more {
			break
		}
	}
	if i-r.at >= MaxRecord {
		return 0, 0, fmt.Sprintf("the record is larger than %d MiB", MaxRecord>>20)
	}
	return lines, i, ""
}

// inQuotes takes the field whose opening quote is just before i, up to after its closing quote.
func (r *Reader) inQuotes(i, lines int) (int, int, string) {
	opened := r.line + lines - 1
	for {
		if !r.has(i) {
			if i-r.at >= MaxRecord {
				return 0, 0, fmt.Sprintf("the quote opened on line %d is not closed within %d MiB", opened, MaxRecord>>20)
			}
			return 0, 0, fmt.Sprintf("the quote opened on line %d is never closed", opened)
		}
		part := r.buf[i:]
		q := bytes.IndexByte(part, '"')
		if q < 0 {
			q = len(part)
		}
		lines += bytes.Count(part[:q], []byte("\n"))
		r.cell = append(r.cell, part[:q]...)
		i += q
		if q == len(part) {
			continue
		}
		if !r.has(i+1) || r.buf[i+1] != '"' {
			i++
			if r.has(i) && r.buf[i] != r.comma && r.buf[i] != '\n' && !r.atCRLF(i) {
				return 0, 0, fmt.Sprintf("text after the closing quote on line %d", r.line+lines-1)
			}
			return i, lines, ""
		}
		r.cell = append(r.cell, '"')
		i += 2
	}
}

// bare takes an unquoted field up to its delimiter or the end of its line.
func (r *Reader) bare(i int) (int, string) {
	for ; r.has(i); i++ {
		c := r.buf[i]
		if c == r.comma || c == '\n' || r.atCRLF(i) {
			break
		}
		if c == '"' && !r.loose {
			return 0, "a quote inside a field that is not quoted"
		}
		r.cell = append(r.cell, c)
	}
	return i, ""
}

// separator passes over what ended a field; more tells that it was a delimiter.
func (r *Reader) separator(i int) (next int, more bool) {
	switch {
	case !r.has(i):
		return i, false
	case r.buf[i] == r.comma:
		return i + 1, true
	case r.buf[i] == '\r':
		i++
	}
	if r.has(i) && r.buf[i] == '\n' {
		i++
	}
	return i, false
}

// atCRLF tells that a line ends at i with CRLF, or with the CR the file ends in.
func (r *Reader) atCRLF(i int) bool {
	return r.buf[i] == '\r' && (!r.has(i+1) || r.buf[i+1] == '\n')
}

func (r *Reader) notUTF8(rec Record, b []byte) Record {
	rec.Fields = nil
	if r.Charset != "" {
		rec.Fault = "it has an octet that " + r.Charset + " does not define"
		return rec
	}
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n == 1 {
			rec.Fault = fmt.Sprintf("octet 0x%02x is not valid UTF-8: save the file as UTF-8", b[i])
			break
		}
		i += n
	}
	return rec
}

func tooLong(rec Record, field int) Record {
	rec.Fault = fmt.Sprintf("field %d is larger than %d MiB", field+1, MaxField>>20)
	return rec
}

const longLine = "the line is longer than 16 MiB" // MaxRecord

// skipLong passes over a line that is longer than any record may be.
func (r *Reader) skipLong() (Record, error) {
	rec := Record{Line: r.line, Fault: longLine}
	for {
		r.at = len(r.buf)
		r.makeRoom()
		_, next, ok := r.lineEnd(r.at)
		if r.err != nil {
			return Record{}, r.err
		}
		if ok {
			r.advance(next, 1)
			return rec, nil
		}
	}
}
