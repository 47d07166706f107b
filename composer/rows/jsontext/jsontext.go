// Package jsontext reads a JSON value (RFC 8259) without losing any of it:
//
//  1. objects become map[string]any, arrays []any, null nil, strings and booleans what they are;
//  2. a number becomes an int64 where it is one, a float64 where that prints the same digits, else its text;
//  3. what would be lost or made up is a fault: a key that is there twice, half a surrogate pair, octets that are not UTF-8.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may nest.
const MaxDepth = 32

// Error says what is wrong with a text, and where.
type Error struct {
	Offset int // in octets
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Value reads a text that is one value. The error is an *Error.
func Value(text []byte) (any, error) {
	r, err := begin(text)
	if err != nil {
		return nil, err
	}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	return v, r.end()
}

// Object reads a text that is one object, and calls member with each of its members in their order. The error is an
// *Error; members before it were given then.
func Object(text []byte, member func(key string, v any)) error {
	r, err := begin(text)
	if err != nil {
		return err
	}
	t, err := r.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return r.fault("it is no object: it must begin with {")
	}
	if err := r.members(member); err != nil {
		return err
	}
	return r.end()
}

type reader struct {
	text  []byte
	dec   *json.Decoder
	depth int
	lone  bool // a surrogate may be alone
}

func begin(text []byte) (*reader, error) {
	if at := invalid(text); at >= 0 {
		return nil, &Error{at, fmt.Sprintf("octet 0x%02x is not valid UTF-8", text[at])}
	}
	r := &reader{text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	r.dec.UseNumber()
	r.lone = bytes.Contains(text, []byte(`\ud`)) || bytes.Contains(text, []byte(`\uD`))
	return r, nil
}

// invalid gives where the text stops being UTF-8; -1: nowhere.
func invalid(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		c, n := utf8.DecodeRune(text[at:])
		if c == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
}

func (r *reader) fault(format string, args ...any) *Error {
	return &Error{int(r.dec.InputOffset()), fmt.Sprintf(format, args...)}
}

func (r *reader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err == nil {
		return t, nil
	}
	e := &Error{int(r.dec.InputOffset()), strings.TrimPrefix(err.Error(), "json: ")}
	if bad := (*json.SyntaxError)(nil); errors.As(err, &bad) {
		e.Offset = max(int(bad.Offset)-1, e.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.HasPrefix(e.Text, "unexpected end") {
		e.Offset, e.Text = len(r.text), "it ends too early"
	}
	return nil, e
}

// end tells that nothing but white space follows.
func (r *reader) end() error {
	at := r.dec.InputOffset()
	if rest := bytes.TrimLeft(r.text[at:], " \t\r\n"); len(rest) > 0 {
		return &Error{len(r.text) - len(rest), "there is more text after its end"}
	}
	return nil
}

func (r *reader) value() (any, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(string(t)), nil
	case string:
		return t, r.paired(t)
	case json.Delim:
		if t == '[' {
			return r.list()
		}
		m := map[string]any{}
		return m, r.members(func(key string, v any) { m[key] = v })
	}
	return t, nil // nil, bool
}

func (r *reader) enter() error {
	if r.depth++; r.depth > MaxDepth {
		return r.fault("it nests deeper than %d", MaxDepth)
	}
	return nil
}

func (r *reader) list() (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	l := []any{}
	for r.dec.More() {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	r.depth--
	_, err := r.token()
	return l, err
}

func (r *reader) members(member func(key string, v any)) error {
	if err := r.enter(); err != nil {
		return err
	}
	seen := map[string]struct{}{}
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		key := t.(string) // the decoder takes nothing else for a key
		if err := r.paired(key); err != nil {
			return err
		}
		if _, twice := seen[key]; twice {
			return r.fault("the key %q is there twice", key)
		}
		seen[key] = struct{}{}
		v, err := r.value()
		if err != nil {
			return err
		}
		member(key, v)
	}
	r.depth--
	_, err := r.token()
	return err
}

// paired refuses a string in which the decoder has put U+FFFD for a surrogate that is alone.
func (r *reader) paired(s string) error {
	if r.lone && strings.ContainsRune(s, utf8.RuneError) {
		return r.fault("a \\u escape is half of a surrogate pair")
	}
	return nil
}

func number(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == s {
		return f
	}
	return s
}
