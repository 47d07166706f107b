package pgtext

import (
	"errors"
	"strings"
)

var errArray = errors.New("it is no array as PostgreSQL writes them")

const maxDimensions = 6 // PostgreSQL's MAXDIM

// Array reads the text of an array: {1,NULL,"b \" c"}, {{1,2},{3,4}}, [0:1]={a,b}. Each element but NULL is made of its
// text by elem.
func Array(text string, elem func(string) (any, error)) (any, error) {
	if strings.HasPrefix(text, "[") { // where its dimensions begin, when that is not 1
		_, rest, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errArray
		}
		text = rest
	}
	p := &array{s: text, elem: elem}
	v, err := p.list(1)
	if err == nil && p.s != "" {
		err = errArray
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

type array struct {
	s    string // what is left
	elem func(string) (any, error)
}

// take passes over c, if it is next.
func (p *array) take(c byte) bool {
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *array) list(depth int) ([]any, error) {
	if depth > maxDimensions || !p.take('{') {
		return nil, errArray
	}
	l := []any{}
	if p.take('}') {
		return l, nil
	}
	for {
		v, err := p.item(depth)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
		switch {
		case p.take('}'):
			return l, nil
		case !p.take(','):
			return nil, errArray
		}
	}
}

func (p *array) item(depth int) (any, error) {
	switch {
	case strings.HasPrefix(p.s, "{"):
		return p.list(depth + 1)
	case p.take('"'):
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		return p.elem(s)
	}
	end := strings.IndexAny(p.s, `,{}"\`)
	if end <= 0 || p.s[end] != ',' && p.s[end] != '}' {
		return nil, errArray
	}
	s := p.s[:end]
	p.s = p.s[end:]
	if s == "NULL" {
		return nil, nil
	}
	return p.elem(s)
}

// quoted reads up to the closing quote; a backslash makes the next character stand for itself.
func (p *array) quoted() (string, error) {
	var b strings.Builder
	for i := 0; i < len(p.s); i++ {
		switch c := p.s[i]; c {
		case '"':
			p.s = p.s[i+1:]
			return b.String(), nil
		case '\\':
			if i++; i == len(p.s) {
				return "", errArray
			}
			b.WriteByte(p.s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", errArray
}
