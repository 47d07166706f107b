// Package sqltext finds the :name parameters of an SQL query:
//
//  1. the text is cut into code, strings, quoted names and comments, as the dialect has them;
//  2. only in code, :name is a parameter, :: a cast and ; the end of the statement;
//  3. each parameter is replaced by the placeholder of the driver, each name by one number.
package sqltext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dialect is how a database writes strings, comments and placeholders.
type Dialect struct {
	Placeholder string // before the number
	Dollar      bool   // $tag$ strings
	Escape      bool   // E'\'' strings
	Nested      bool   // comments nest
	Brackets    bool   // [name] and `name`
}

// PostgreSQL and SQLite are the dialects known.
func PostgreSQL() Dialect { return Dialect{Placeholder: "$", Dollar: true, Escape: true, Nested: true} }

// SQLite is the dialect of SQLite.
func SQLite() Dialect { return Dialect{Placeholder: "?", Brackets: true} }

// Query is a query with placeholders.
type Query struct {
	Text  string
	Names []string // of the parameters; the first has number 1
	moves []move
}

// move says that from an offset in Text on, the query as it was written is this much further.
type move struct{ at, by int }

// Offset gives where an offset into Text lies in the query as it was written.
func (q Query) Offset(at int) int {
	by := 0
	for _, m := range q.moves {
		if m.at > at {
			break
		}
		by = m.by
	}
	return at + by
}

// Error is a fault in the query.
type Error struct {
	Offset int // where, in octets
	Text   string
	Hint   string // what to do about it; may be empty
}

func (e *Error) Error() string { return e.Text }

// Bind replaces the parameters. It refuses a query of more than one statement, or one that does not begin as those do
// that read. have tells whether there is a parameter of that name.
func Bind(query string, d Dialect, have func(name string) bool) (Query, error) {
	s := scanner{q: query, d: d, have: have}
	if err := s.run(); err != nil {
		return Query{}, err
	}
	s.out.WriteString(query[s.copied:s.end])
	return Query{Text: s.out.String(), Names: s.names, moves: s.moves}, nil
}

type scanner struct {
	q      string
	d      Dialect
	have   func(string) bool
	i      int
	end    int // of the statement
	ended  bool
	begun  bool
	out    strings.Builder
	copied int // how much of q is in out
	names  []string
	moves  []move
}

func (s *scanner) run() error {
	s.end = len(s.q)
	for s.i < len(s.q) {
		start := s.i
		if s.blank() {
			continue
		}
		if s.ended && s.q[s.i] != ';' {
			return &Error{Offset: start, Text: "the query has a second statement; it must be one"}
		}
		if err := s.token(); err != nil {
			return err
		}
	}
	if !s.begun {
		return &Error{Text: "the query is empty"}
	}
	return nil
}

// blank passes over white space and comments.
func (s *scanner) blank() bool {
	rest := s.q[s.i:]
	switch {
	case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
		s.i++
	case strings.HasPrefix(rest, "--"):
		s.upTo("\n")
	case strings.HasPrefix(rest, "/*"):
		s.comment()
	default:
		return false
	}
	return true
}

// comment passes over a /* comment */; one that is never closed runs to the end.
func (s *scanner) comment() {
	depth := 0
	for s.i < len(s.q) {
		switch rest := s.q[s.i:]; {
		case strings.HasPrefix(rest, "/*") && (depth == 0 || s.d.Nested):
			depth++
			s.i += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			s.i += 2
			if depth == 0 {
				return
			}
		default:
			s.i++
		}
	}
}

// token passes over one piece of code, and writes a placeholder for a parameter.
func (s *scanner) token() error {
	c, rest := s.q[s.i], s.q[s.i:]
	word := wordLen(rest)
	if !s.begun && c != ';' && c != '(' {
		if !slices.Contains([]string{"SELECT", "WITH", "VALUES", "TABLE"}, strings.ToUpper(rest[:word])) {
			return &Error{Offset: s.i, Text: "the query must be one that reads: SELECT, WITH, VALUES or TABLE"}
		}
		s.begun = true
	}
	switch {
	case c == ';':
		if s.begun {
			s.end, s.ended = min(s.end, s.i), true
		}
		s.i++
	case s.d.Escape && (c == 'e' || c == 'E') && word == 1 && strings.HasPrefix(rest[1:], "'"):
		s.i += 2
		s.escaped()
	case word > 0:
		for s.i += word; s.d.Dollar && s.i < len(s.q) && s.q[s.i] == '$'; { // a name may have dollar signs in it
			s.i++
			s.i += wordLen(s.q[s.i:])
		}
	case c == '\'' || c == '"' || c == '`' && s.d.Brackets:
		s.i++
		s.upTo(string(c)) // a doubled quote is two strings side by side here
	case c == '[' && s.d.Brackets:
		s.upTo("]")
	case s.positional():
		return &Error{Offset: s.i, Text: "a parameter is written :name"}
	case c == '$' && s.d.Dollar:
		s.dollar()
	case c == ':':
		return s.colon()
	default:
		s.i++
	}
	return nil
}

// positional tells that a placeholder in the driver's own way stands here: nothing would be bound to it.
func (s *scanner) positional() bool {
	c, next := s.q[s.i], wordLen(s.q[s.i+1:])
	if s.d.Dollar {
		return c == '$' && next > 0 && s.q[s.i+1] >= '0' && s.q[s.i+1] <= '9'
	}
	return c == '?' || (c == '@' || c == '$') && next > 0
}

// upTo passes over everything up to and with stop.
func (s *scanner) upTo(stop string) {
	if n := strings.Index(s.q[s.i:], stop); n >= 0 {
		s.i += n + len(stop)
		return
	}
	s.i = len(s.q)
}

// escaped passes over the rest of a string in which a backslash escapes.
func (s *scanner) escaped() {
	for s.i < len(s.q) {
		switch s.q[s.i] {
		case '\\':
			s.i++
		case '\'':
			s.i++
			return
		}
		s.i = min(s.i+1, len(s.q))
	}
}

// dollar passes over $tag$…$tag$, or over the dollar sign alone.
func (s *scanner) dollar() {
	rest := s.q[s.i+1:]
	n := wordLen(rest)
	if n == len(rest) || rest[n] != '$' {
		s.i++
		return
	}
	tag := s.q[s.i : s.i+n+2]
	s.i += len(tag)
	s.upTo(tag)
}

// colon writes a placeholder for :name, and passes over ::, := and the colon of an array slice such as [1:2].
func (s *scanner) colon() error {
	rest := s.q[s.i+1:]
	n := wordLen(rest)
	switch {
	case strings.HasPrefix(rest, ":"):
		s.i += 2
		return nil
	case n == 0 || rest[0] >= '0' && rest[0] <= '9':
		s.i++
		return nil
	}
	name := rest[:n]
	if !s.have(name) {
		return &Error{Offset: s.i, Text: fmt.Sprintf("the query has :%s, params has no %s", name, name),
			Hint: "where the colon begins no parameter, write a space after it"}
	}
	k := slices.Index(s.names, name)
	if k < 0 {
		k = len(s.names)
		s.names = append(s.names, name)
	}
	s.out.WriteString(s.q[s.copied:s.i])
	s.out.WriteString(s.d.Placeholder + strconv.Itoa(k+1))
	s.i += 1 + n
	s.copied = s.i
	s.moves = append(s.moves, move{at: s.out.Len(), by: s.i - s.out.Len()})
	return nil
}

// wordLen gives the length of the name, keyword or number s begins with.
func wordLen(s string) int {
	n := 0
	for n < len(s) {
		c, size := utf8.DecodeRuneInString(s[n:])
		if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			break
		}
		n += size
	}
	return n
}
