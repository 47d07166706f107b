package charset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	sample    = 1 << 16 // octets that are looked at for UTF-16
	maxWord   = 64      // octets of a word
	maxWords  = 1 << 16 // words that are remembered
	mostShown = 8       // ways to read a word
)

const saveHint = "save the file as UTF-8, in Excel as \"CSV UTF-8\""

// Detect finds the charset of the whole text; open gives it from its beginning. A declared charset, by a name Lookup
// knows, is only held against the text. An *Error says why the text is refused; any other error is of the reading.
func Detect(open func() (io.Reader, error), declared string) (Charset, error) {
	in, err := open()
	if err != nil {
		return Charset{}, err
	}
	s, err := survey(in)
	if err != nil {
		return Charset{}, err
	}
	if declared != "" {
		c, _ := Lookup(declared)
		return c, s.against(c)
	}
	name := s.mark
	switch {
	case name == "utf-32":
		return Charset{}, &Error{Text: "the file is in UTF-32", Hint: saveHint}
	case name != "":
	case s.wide != "":
		name = s.wide
	case s.nul == 1 || s.nuls > 3 && s.nuls*100 > s.size: // a few in a text are for their rows to tell of
		return Charset{}, &Error{Line: s.nul, Text: "this is no text file: it has a NUL octet"}
	case s.escape > 0:
		return Charset{}, &Error{Line: s.escape, Text: "the file has escape sequences as ISO-2022-JP has them",
			Hint: "write charset: iso-2022-jp under recipients, if it is that"}
	case s.valid:
		name = "utf-8"
	default:
		if in, err = open(); err != nil {
			return Charset{}, err
		}
		if name, err = judge(in); err != nil {
			return Charset{}, err
		}
	}
	c, _ := Lookup(name)
	return c, nil
}

// overview is what a text shows at first sight.
type overview struct {
	mark, wide  string // utf-16le and such: by the mark, by its NULs
	nul, escape int    // the line of the first; 0: none
	nuls, size  int    // octets
	valid       bool   // UTF-8
	high        bool   // it has more than ASCII
}

// survey reads the whole text, unless its first octets tell all.
func survey(in io.Reader) (overview, error) {
	b := bufio.NewReaderSize(in, sample)
	head, err := b.Peek(sample)
	if err != nil && !errors.Is(err, io.EOF) {
		return overview{}, err
	}
	s := overview{mark: marked(head), valid: true}
	if s.mark == "" {
		s.wide = unmarked(head)
	}
	if s.mark != "" || s.wide != "" {
		return s, nil
	}
	buf := make([]byte, 1<<18)
	kept, line := 0, 1
	for {
		n, err := b.Read(buf[kept:])
		part := buf[:kept+n]
		if errors.Is(err, io.EOF) {
			s.valid = s.valid && utf8.Valid(part)
			return s, nil
		}
		if err != nil {
			return s, err
		}
		kept = s.block(part, line)
		line += bytes.Count(part[:len(part)-kept], []byte{'\n'})
		copy(buf, part[len(part)-kept:])
	}
}

// block looks at a part of the text, and gives how many octets at its end belong to the next.
func (s *overview) block(part []byte, line int) (kept int) {
	for i := 1; i < utf8.UTFMax && i <= len(part); i++ {
		if c := part[len(part)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(part[len(part)-i:]) {
				kept = i
			}
			break
		}
	}
	part = part[:len(part)-kept]
	lineOf := func(at int) int { return line + bytes.Count(part[:at], []byte{'\n'}) }
	s.size += len(part)
	if at := bytes.IndexByte(part, 0); at >= 0 {
		s.nuls += bytes.Count(part, []byte{0})
		if s.nul == 0 {
			s.nul = lineOf(at)
		}
	}
	at := bytes.IndexByte(part, 0x1b)
	if at >= 0 && s.escape == 0 && at+1 < len(part) && (part[at+1] == '$' || part[at+1] == '(') {
		s.escape = lineOf(at)
	}
	s.valid = s.valid && utf8.Valid(part)
	var all byte
	for _, c := range part {
		all |= c
	}
	s.high = s.high || kept > 0 || all >= utf8.RuneSelf
	return kept
}

// against says how the text speaks against a charset that is declared for it.
func (s overview) against(c Charset) error {
	is := s.mark
	switch {
	case is != "" && is != c.Name && !(c.Name == "utf-16" && strings.HasPrefix(is, "utf-16")):
		return &Error{Line: 1, Text: fmt.Sprintf("charset is %s, but the file begins with the mark of %s", c.Name, is),
			Hint: "leave charset out"}
	case is == "" && s.wide != "" && s.wide != c.Name && c.Name != "utf-16":
		return &Error{Text: fmt.Sprintf("charset is %s, but the file is %s", c.Name, s.wide), Hint: "leave charset out"}
	case s.valid && s.high && c.enc != nil && is == "" && s.wide == "":
		return &Error{Text: fmt.Sprintf("charset is %s, but the file is UTF-8: read so it would be garbled", c.Name), Hint: "leave charset out"}
	}
	return nil
}

// evidence is what the words of a text say about its encoding.
type evidence struct {
	words      int
	bad        []int // by candidate: words that read implausibly
	broken     []bool
	first      []spot // by candidate: the first plausible word that windows-1252 reads otherwise
	odd        spot   // the first word that windows-1252 does not read
	low        bool   // octets from 0x80 to 0x9f occur
	dense      bool   // words mostly of high octets occur
	runs       int    // sequences that are UTF-8
	stray      int    // octets that are not
	run, other int    // the lines of the first of each
	seen       map[string]struct{}
}

type spot struct {
	line int
	word []byte
}

// judge reads all words, and gives windows-1252 or says why not.
func judge(in io.Reader) (string, error) {
	n := len(candidates)
	e := &evidence{bad: make([]int, n), broken: make([]bool, n), first: make([]spot, n), seen: map[string]struct{}{}}
	b := bufio.NewReaderSize(in, sample)
	line := 1
	var word []byte
	for {
		c, err := b.ReadByte()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err == nil && (c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') && len(word) < maxWord {
			word = append(word, c)
			continue
		}
		e.take(word, line)
		word = word[:0]
		if err != nil {
			return e.verdict()
		}
		if c >= 0x80 { // of a word that is too long
			word = append(word, c)
		}
		if c == '\n' {
			line++
		}
	}
}

func (e *evidence) take(word []byte, line int) {
	high := 0
	for _, c := range word {
		if c >= 0x80 {
			high++
			e.low = e.low || c < 0xa0
		}
	}
	if high == 0 {
		return
	}
	e.count(word, line)
	if _, known := e.seen[string(word)]; known {
		return
	}
	if len(e.seen) < maxWords {
		e.seen[string(word)] = struct{}{}
	}
	e.words++
	e.dense = e.dense || high > 1 && high*2 > len(word)
	here := spot{line, bytes.Clone(word)}
	base := read(0, word)
	if !base.plausible && e.odd.line == 0 {
		e.odd = here
	}
	for i := range candidates {
		r := read(i, word)
		e.broken[i] = e.broken[i] || r.broken
		if !r.plausible {
			e.bad[i]++
		} else if r.text != base.text && e.first[i].line == 0 {
			e.first[i] = here
		}
	}
}

// count tells sequences of UTF-8 from octets that are none.
func (e *evidence) count(word []byte, line int) {
	for i := 0; i < len(word); {
		c, n := utf8.DecodeRune(word[i:])
		switch {
		case n > 1:
			if e.runs++; e.run == 0 {
				e.run = line
			}
		case c == utf8.RuneError:
			if e.stray++; e.other == 0 {
				e.other = line
			}
		}
		i += n
	}
}
