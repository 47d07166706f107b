package rows

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Kind says which sort of trouble an Error is; each has its exit code.
type Kind uint8

// The kinds of Error.
const (
	Invalid     Kind = iota // the list, the query or the source is faulty
	Missing                 // the file is not there or cannot be opened
	Unreachable             // the database did not answer, or not in time
	Denied                  // the database refused the login or its TLS
	Full                    // the row store cannot be written, or has reached its limit
)

// Error says why a list cannot be read. It never holds a password.
type Error struct {
	Kind    Kind
	Source  string // the file as the campaign names it, or the database without its password
	Line    int    // of the file, or of the query; 0: not known
	Column  int    // of the query, from 1, in characters; 0: not known
	Text    string // the fault, in one line
	Hint    string // what to do about it; may be empty
	Excerpt string // the line of the query the fault is in; may be empty
	Err     error  // what caused it, when its text cannot hold a secret; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	if e.Excerpt != "" || e.Column > 0 {
		b.WriteString(": query")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Column > 0 {
		fmt.Fprintf(&b, ":%d", e.Column)
	}
	b.WriteString(": ")
	b.WriteString(e.Text)
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// placed gives a copy of the error that points at a byte of the query.
func (e Error) placed(query string, offset int) *Error {
	offset = min(max(offset, 0), len(query))
	start := strings.LastIndexByte(query[:offset], '\n') + 1
	end := len(query)
	if i := strings.IndexByte(query[start:], '\n'); i >= 0 {
		end = start + i
	}
	e.Line = 1 + strings.Count(query[:start], "\n")
	e.Column = 1 + len([]rune(query[start:offset]))
	e.Excerpt = strings.TrimRight(query[start:end], "\r")
	return &e
}

// regular finds a file that can be read twice with the same result.
func regular(name, path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, missing(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Source: name, Text: "this is no regular file"}
	}
	return info, nil
}

func missing(name string, err error) *Error {
	return &Error{Kind: Missing, Source: name, Text: cause(err), Err: err}
}

// cause gives what went wrong with a file, without its path: the error names that already.
func cause(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
