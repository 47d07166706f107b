package page

import (
	"bytes"
	"html"
	"sort"
	"strings"
)

// startTag reads the start tag at an offset; nil when it does not end before limit. self tells that it ends in />.
func (s *source) startTag(start, limit int) (n *Node, self bool) {
	at := start + 1
	for at < limit && !space(s.masked[at]) && strings.IndexByte("/>\x01", s.masked[at]) < 0 {
		at++
	}
	n = &Node{Name: strings.ToLower(s.text[start+1 : at]), Start: start}
	for at < limit {
		switch c := s.masked[at]; {
		case c == '>':
			n.End = at + 1
			return n, s.masked[at-1] == '/'
		case c == '/' || space(c):
			at++
		case c == filler && s.inTag(at) != nil:
			at = s.inTag(at).End
		default:
			a, ok := s.attribute(at, limit)
			if !ok {
				return nil, false
			}
			if a.Within = s.within(a.Start); a.Within != nil && a.Within.Start < start {
				a.Within = nil // it is around all of the tag
			}
			n.Attributes = append(n.Attributes, a)
			at = a.End
		}
	}
	return nil, false
}

// inTag gives the action at an offset between attributes when it is no part of a name: it prints nothing itself.
func (s *source) inTag(at int) *Action {
	if a := s.at[at]; a != nil && !a.prints {
		return a
	}
	return nil
}

// attribute reads an attribute (HTML §13.2.5.32 to 37).
func (s *source) attribute(start, limit int) (a Attribute, ok bool) {
	at := start
	if s.masked[at] == '=' { // it is a part of the name there
		at++
	}
	for at < limit && !space(s.masked[at]) && strings.IndexByte("/>=", s.masked[at]) < 0 && (s.masked[at] != filler || s.inTag(at) == nil) {
		at++
	}
	a = Attribute{Name: s.text[start:at], Start: start, End: at, ValueStart: at, ValueEnd: at}
	a.Dynamic = s.holdsAction(start, at)
	if !a.Dynamic {
		a.Name = strings.ToLower(a.Name)
	}
	for at < limit && space(s.masked[at]) {
		at++
	}
	if at < limit && s.masked[at] == '=' {
		if !s.value(&a, at+1, limit) {
			return a, false
		}
	}
	a.Value = s.text[a.ValueStart:a.ValueEnd]
	if !s.holdsAction(a.ValueStart, a.ValueEnd) {
		a.Value = html.UnescapeString(a.Value)
	} else {
		a.Dynamic = true
	}
	return a, true
}

// value reads what comes behind an attribute's = sign.
func (s *source) value(a *Attribute, at, limit int) bool {
	for at < limit && space(s.masked[at]) {
		at++
	}
	if at == limit {
		return false
	}
	if c := s.masked[at]; c == '"' || c == '\'' {
		n := bytes.IndexByte(s.masked[at+1:limit], c)
		if n < 0 {
			return false
		}
		a.Quote, a.ValueStart, a.ValueEnd, a.End = c, at+1, at+1+n, at+1+n+1
		return true
	}
	a.ValueStart = at
	for at < limit && s.masked[at] != '>' && !space(s.masked[at]) {
		at++
	}
	a.ValueEnd, a.End = at, at
	return true
}

// holdsAction tells whether some of an action is in a range of the source.
func (s *source) holdsAction(from, to int) bool {
	return bytes.IndexByte(s.masked[from:to], filler) >= 0 && s.actionFrom(from) != nil && s.actionFrom(from).Start < to
}

// actionFrom gives the first action that ends behind an offset.
func (s *source) actionFrom(at int) *Action {
	i := sort.Search(len(s.actions), func(i int) bool { return s.actions[i].End > at })
	if i == len(s.actions) {
		return nil
	}
	return s.actions[i]
}

// within gives the innermost if, range or with whose body holds an offset.
func (s *source) within(at int) *Action {
	switch next := s.actionFrom(at); {
	case next == nil: // whatever is open never ends: such a template is refused when it is parsed
		return nil
	case next.opener != nil:
		return next.opener.control()
	default:
		return next.Parent.control()
	}
}
