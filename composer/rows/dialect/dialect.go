// Package dialect finds out how a delimited text is written:
//
//  1. Excel's first line sep=; names the delimiter and is passed over;
//  2. lines that end in CR alone are told from those that end in LF or CRLF;
//  3. a sample is read with each delimiter that is usual: the one wins that gives addresses in cells of their own, then
//     rows as wide as the header, then more columns;
//  4. two that are as good as each other are a fault, not a guess.
package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailblast/mailblast/composer/rows/csvfile"
)

// Sample is how many octets at most Sniff should be given: the more, the surer.
const Sample = 1 << 16

// Dialect is how a text is written.
type Dialect struct {
	Delimiter byte
	Named     bool // the first line names the delimiter, and nothing else
	CR        bool // lines end in CR alone
}

// ErrUncertain says that two delimiters read the text equally well.
var ErrUncertain = errors.New("the delimiter is not certain")

var usual = []byte{',', ';', '\t', '|'}

// Sniff looks at the beginning of a text in UTF-8 without a byte order mark. When nothing speaks for any delimiter it is
// def. whole tells that the sample is all there is.
func Sniff(sample []byte, def byte, whole bool) (Dialect, error) {
	var d Dialect
	d.CR = bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0
	if d.CR {
		sample = bytes.ReplaceAll(sample, []byte{'\r'}, []byte{'\n'})
	}
	if d.Delimiter, d.Named = announced(sample); d.Named {
		return d, nil
	}
	if !whole { // the last line is cut
		if i := bytes.LastIndexByte(sample, '\n'); i >= 0 {
			sample = sample[:i+1]
		}
	}
	best, second := score{}, score{}
	for _, c := range usual {
		s := try(sample, c)
		s.def = c == def
		if s.better(best) {
			best, second = s, best
		} else if s.better(second) {
			second = s
		}
	}
	switch {
	case best.columns < 2:
		d.Delimiter = def
	case best.equal(second) && second.columns > 1:
		return d, fmt.Errorf("%w: %s and %s both fit", ErrUncertain, name(best.delimiter), name(second.delimiter))
	default:
		d.Delimiter = best.delimiter
	}
	return d, nil
}

// announced reads Excel's line sep=; in quotes or without.
func announced(sample []byte) (delimiter byte, ok bool) {
	line, _, _ := bytes.Cut(sample, []byte{'\n'})
	text := strings.Trim(strings.TrimSuffix(string(line), "\r"), `"`)
	if len(text) != 5 || !strings.EqualFold(text[:4], "sep=") || !delimits(text[4]) {
		return 0, false
	}
	return text[4], true
}

// Parse reads a delimiter as campaign.yaml has it: one sign of ASCII, or the word tab.
func Parse(text string) (byte, bool) {
	if strings.EqualFold(text, "tab") || text == `\t` {
		return '\t', true
	}
	if len(text) != 1 || !delimits(text[0]) {
		return 0, false
	}
	return text[0], true
}

// delimits tells that a sign may stand between fields: it is in no name, number or address.
func delimits(c byte) bool { return strings.IndexByte(",;\t|:^~#!$%&*/\\", c) >= 0 }

// score says how well a delimiter reads the sample.
type score struct {
	delimiter byte
	addresses int // rows that have a cell which is an address
	fitting   int // rows as wide as the header
	rows      int // faulty ones included
	columns   int // of the header
	def       bool
}

func (s score) better(o score) bool {
	switch {
	case (s.columns > 1) != (o.columns > 1) && s.addresses >= o.addresses:
		return s.columns > 1
	case s.addresses != o.addresses:
		return s.addresses > o.addresses
	case s.fitting*o.rows != o.fitting*s.rows:
		return s.fitting*max(o.rows, 1) > o.fitting*max(s.rows, 1)
	case s.columns != o.columns:
		return s.columns > o.columns
	}
	return s.def && !o.def
}

// equal tells that nothing but what is the default tells two apart.
func (s score) equal(o score) bool {
	return s.addresses == o.addresses && s.fitting*o.rows == o.fitting*s.rows && s.columns == o.columns && !s.def
}

func try(sample []byte, delimiter byte) score {
	s := score{delimiter: delimiter}
	r := csvfile.New(bytes.NewReader(sample), delimiter)
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s
		}
		switch {
		case s.columns == 0:
			s.columns = len(rec.Fields)
			continue
		case len(rec.Fields) == s.columns:
			s.fitting++
		}
		s.rows++
		for _, f := range rec.Fields {
			if Address(f) {
				s.addresses++
				break
			}
		}
	}
}

// Address tells that a cell looks like a mail address and nothing else.
func Address(cell string) bool {
	cell = strings.TrimSpace(cell)
	at := strings.IndexByte(cell, '@')
	return at > 0 && strings.IndexByte(cell[at+1:], '.') > 0 && len(cell) < 320 && !strings.ContainsAny(cell, " ,;|<>\"()\t\r\n") &&
		strings.Count(cell, "@") == 1 && !strings.HasSuffix(cell, ".")
}

func name(delimiter byte) string {
	if delimiter == '\t' {
		return "tab"
	}
	return fmt.Sprintf("%q", delimiter)
}
