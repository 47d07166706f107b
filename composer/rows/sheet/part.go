package sheet

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxToken = 32 << 20 // octets of one piece of XML
	maxDepth = 64
	maxName  = 1 << 10 // octets of a sheet's name, of a number format

	maxSheets  = 1000
	maxStyles  = 1 << 16  // Excel has 65,490
	maxLinks   = 1 << 18  // relationships of one part; Excel has 65,530 links a sheet
	maxLinked  = 64 << 20 // octets of them
	maxStrings = 64 << 20
)

// reader reads one part of the workbook as XML.
type reader struct {
	*xml.Decoder
	ctx   context.Context
	in    io.ReadCloser
	name  string
	left  int64 // of the whole part
	limit int64
	token int64 // of the piece that is read
	depth int
}

func (b *Book) part(name string) (*reader, error) {
	f := b.parts[strings.ToLower(name)]
	if f == nil {
		return nil, damaged(fmt.Errorf("%s is missing", name))
	}
	in, err := f.Open()
	if err != nil {
		return nil, damaged(err)
	}
	p := &reader{ctx: b.ctx, in: in, name: name, left: b.limit, limit: b.limit, token: maxToken}
	p.Decoder = xml.NewDecoder(limited{p})
	return p, nil
}

// many says that a part has more of something than can be kept.
func many(name string, most int, what string) *Error {
	return &Error{Full: true, Text: fmt.Sprintf("the workbook has more than %d %s, in %s", most, what, name), Hint: "save the list as CSV UTF-8"}
}

func damaged(err error) *Error {
	return &Error{Text: "the workbook is damaged: " + err.Error(), Hint: "copy the file again, or " + saveHint, Err: err}
}

// limited is the part's octets within its limits.
type limited struct{ p *reader }

// Read looks at the context each time: that is for each few thousand octets.
func (l limited) Read(b []byte) (int, error) {
	if err := l.p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := l.p.in.Read(b)
	l.p.left -= int64(n)
	l.p.token -= int64(n)
	if l.p.left < 0 || l.p.token < 0 {
		return 0, l.p.large()
	}
	return n, err
}

func (p *reader) large() *Error {
	return &Error{Full: true, Text: fmt.Sprintf("%s is larger than %d octets, or has a piece larger than %d", p.name, p.limit, maxToken),
		Hint: "save the list as CSV UTF-8, or split it"}
}

// next gives the next piece of XML; io.EOF after the last.
func (p *reader) next() (xml.Token, error) {
	p.token = maxToken
	t, err := p.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		if p.ctx.Err() != nil {
			return nil, p.ctx.Err()
		}
		if e := (*Error)(nil); errors.As(err, &e) {
			return nil, e
		}
		return nil, damaged(fmt.Errorf("%s: %w", p.name, err))
	}
	switch t.(type) {
	case xml.StartElement:
		if p.depth++; p.depth > maxDepth {
			return nil, damaged(fmt.Errorf("%s nests deeper than %d", p.name, maxDepth))
		}
	case xml.EndElement:
		p.depth--
	}
	return t, nil
}

// each calls f with every element that begins, in the part.
func (b *Book) each(name string, f func(p *reader, e xml.StartElement) error) error {
	p, err := b.part(name)
	if err != nil {
		return err
	}
	defer p.in.Close() // its error was the last read's
	for {
		t, err := p.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			if err := f(p, e); err != nil {
				return err
			}
		}
	}
}

// text gives the text in an element that has begun, up to its end: of all t below it, if it has any, but those of rPh
// (how Japanese is spoken).
func (p *reader) text() (string, error) {
	var b strings.Builder
	top, plain, spoken, in := p.depth, true, 0, ""
	for {
		t, err := p.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = damaged(fmt.Errorf("%s ends too early", p.name))
			}
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if plain {
				b.Reset()
				plain = false
			}
			in = t.Name.Local
			if t.Name.Local == "rPh" && spoken == 0 {
				spoken = p.depth
			}
		case xml.EndElement:
			if p.depth < top {
				return unescape(b.String()), nil
			}
			if p.depth < spoken {
				spoken = 0
			}
			in = ""
		case xml.CharData:
			if plain || in == "t" && spoken == 0 {
				if b.Len()+len(t) > maxToken {
					return "", p.large()
				}
				b.Write(t)
			}
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// truth reads a boolean of XML Schema.
func truth(s string) bool { return s == "1" || s == "true" }

// unescape reads _xHHHH_, which is how the format writes characters that XML has not (ECMA-376 part 1, 22.9.2.19).
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		var c rune
		if len(s)-i >= 7 && s[i:i+2] == "_x" && s[i+6] == '_' {
			if _, err := fmt.Sscanf(s[i+2:i+6], "%04x", &c); err == nil && strings.IndexFunc(s[i+2:i+6], notHex) < 0 {
				b.WriteRune(c)
				i += 7
				continue
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

func notHex(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", c) }
