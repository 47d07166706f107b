// Package mime lays letters out as RFC 5322 messages:
//
//  1. header fields are built from values: encoded, quoted and folded here, so no value can end its field;
//  2. texts become parts, in the transfer encoding that suits them (7bit, quoted-printable or base64);
//  3. files are encoded once, get a header as attachments or inline parts, and are shared by every letter;
//  4. a Body is one letter, of as many levels as it needs: mixed( alternative( text, related( html, inline… ) ), attachment… ).
//     Its size is known, and it can be written any number of times.
//
// Everything it makes is ASCII with CRLF, except for non-ASCII local parts of addresses (RFC 6532).
package mime

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailblast/mailblast/delivery/address"
)

// Limits of a line without its CRLF, RFC 5322 §2.1.1 and RFC 2047 §2.
const (
	foldAt  = 76 // the limit of lines with encoded words, so that one number serves all
	maxLine = 998
	maxWord = 75 // of one encoded word

)

// Mailbox is an address with the name to show.
type Mailbox struct {
	Name    string
	Address address.Address
}

// Header collects header fields. The first fault is kept and given by Err.
type Header struct {
	buf  []byte
	line int // octets of the current line
	utf8 bool
	err  error
}

// Reset begins a new header in buf's memory.
func (h *Header) Reset(buf []byte) { *h = Header{buf: buf[:0]} }

// Bytes gives the fields so far, each ended by CRLF.
func (h *Header) Bytes() []byte { return h.buf }

// UTF8 tells whether a field holds UTF-8, so that the message needs SMTPUTF8.
func (h *Header) UTF8() bool { return h.utf8 }

// Err gives the first fault of a field's value, for a person.
func (h *Header) Err() error { return h.err }

// CheckValue says why a text cannot stand in a header field. Line breaks of any kind and other controls are refused, never
// cleaned: a value that holds them is not what its author thinks it is.
func CheckValue(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not valid UTF-8")
	}
	for _, r := range s {
		switch {
		case r == '\r' || r == '\n' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			return errors.New("it holds a line break")
		case r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0:
			return fmt.Errorf("it holds the control character %U", r)
		}
	}
	return nil
}

// Text writes an unstructured field (RFC 5322 §2.2.1). What is not plain becomes encoded words.
func (h *Header) Text(name, value string) {
	if !h.begin(name, value) {
		return
	}
	if !plain(value) {
		h.words(value)
		h.end()
		return
	}
	for i, w := range strings.Split(value, " ") {
		if i > 0 {
			h.space(len(w))
		}
		h.add(w)
	}
	h.end()
}

// Structured writes a field whose value is made of tokens that must not be broken, such as URIs or parameters.
func (h *Header) Structured(name string, tokens ...string) {
	if !h.begin(name, "") {
		return
	}
	for i, t := range tokens {
		if err := CheckValue(t); err != nil || !ascii(t) {
			h.fail(name, errors.New("it holds a character that cannot stand there"))
			return
		}
		if i > 0 {
			h.space(len(t))
		}
		h.add(t)
	}
	h.end()
}

// Mailboxes writes an address list (RFC 5322 §3.4). Without mailboxes it writes nothing.
func (h *Header) Mailboxes(name string, boxes ...Mailbox) {
	if len(boxes) == 0 || !h.begin(name, "") {
		return
	}
	for i, b := range boxes {
		if err := CheckValue(b.Name); err != nil {
			h.fail(name, err)
			return
		}
		spec := b.Address.String()
		if b.Address.UTF8() {
			h.utf8 = true
		}
		if i > 0 {
			h.add(",")
			h.space(len(spec) + 1) // a comma may follow
		}
		if b.Name == "" {
			h.add(spec)
			continue
		}
		h.phrase(b.Name)
		h.space(len(spec) + 3) // the brackets and a comma that may follow
		h.add("<")
		h.add(spec)
		h.add(">")
	}
	h.end()
}

// Date writes a Date field with a numeric zone (RFC 5322 §3.3).
func (h *Header) Date(t time.Time) { h.Structured("Date", t.Format("Mon, 02 Jan 2006 15:04:05 -0700")) }

// Raw adds fields that were laid out before.
func (h *Header) Raw(b []byte) { h.buf = append(h.buf, b...) }

func (h *Header) begin(name, value string) bool {
	if h.err != nil {
		return false
	}
	if err := CheckValue(value); err != nil {
		h.fail(name, err)
		return false
	}
	h.line = 0
	h.add(name)
	h.add(": ")
	return true
}

func (h *Header) fail(name string, err error) {
	if h.err == nil {
		h.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (h *Header) add(s string) {
	h.buf = append(h.buf, s...)
	if h.line += len(s); h.line > maxLine {
		h.fail("header", fmt.Errorf("a line is longer than %d octets", maxLine))
	}
}

func (h *Header) end() { h.buf = append(h.buf, '\r', '\n') }

// space writes the space before a token of n octets, as a fold when the line would grow too long. It never folds a line
// that holds nothing but space: such lines are obsolete (RFC 5322 §3.2.2) and read as the end of the header by some.
func (h *Header) space(n int) {
	if h.line+1+n > foldAt && n > 0 && !h.blank() {
		h.fold()
		return
	}
	h.add(" ")
}

func (h *Header) fold() {
	h.buf = append(h.buf, '\r', '\n', ' ')
	h.line = 1
}

// foldBefore folds in place of the space that was written last.
func (h *Header) foldBefore() {
	h.buf = h.buf[:len(h.buf)-1]
	h.fold()
}

func (h *Header) blank() bool {
	for _, c := range h.buf[len(h.buf)-h.line:] {
		if c != ' ' {
			return false
		}
	}
	return true
}

// phrase writes a display name (RFC 5322 §3.2.5): as it is, quoted, or as encoded words, which must not be quoted.
func (h *Header) phrase(name string) {
	if !plain(name) {
		// Some readers show a gap where a name goes on in a second word, so it is not parted when it fits a line of its own.
		if n, _ := encoded(name); h.line+n > foldAt && n < foldAt && !h.blank() {
			h.foldBefore()
		}
		h.words(name)
		return
	}
	atoms := true
	for i := range len(name) {
		atoms = atoms && (atext(name[i]) || name[i] == ' ')
	}
	if !atoms {
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	if h.line+len(name) > foldAt && len(name)+1 <= foldAt && !h.blank() {
		h.foldBefore()
	}
	for i, w := range strings.Split(name, " ") {
		if i > 0 {
			h.space(len(w))
		}
		h.add(w)
	}
}

// plain tells whether a text can stand in a header as it is: printable ASCII that reads the same after folding, and that
// nobody takes for an encoded word.
func plain(s string) bool {
	if s == "" {
		return true
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' || strings.Contains(s, "=?") || strings.Contains(s, "  ") {
		return false
	}
	word := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			word = 0
		case c < ' ' || c > '~':
			return false
		default:
			if word++; word > foldAt-20 {
				return false
			}
		}
	}
	return true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// atext of RFC 5322 §3.2.3.
func atext(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}
