package letter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/html"
)

// reading is a letter as others read it.
type reading struct {
	raw        string
	header     mail.Header
	env        *enmime.Envelope
	doc        *html.Node
	parts      []string // the type of each part, in order
	skeleton   []string // the elements of the HTML with their attributes' names, in order
	recipients []string // of the envelope
	sender     string
}

func readLetter(msg []byte) (*reading, error) {
	raw, err := mail.ReadMessage(bytes.NewReader(msg))
	if err != nil {
		return nil, err
	}
	m := &reading{raw: string(msg), header: raw.Header}
	// what enmime guesses of short texts' charsets is no defect
	if m.env, err = enmime.NewParser(enmime.DisableCharacterDetection(true)).ReadEnvelope(bytes.NewReader(msg)); err != nil {
		return nil, err
	}
	for _, e := range m.env.Errors {
		return nil, fmt.Errorf("enmime: %v", e)
	}
	m.env.Root.DepthMatchAll(func(p *enmime.Part) bool {
		m.parts = append(m.parts, p.ContentType+" "+p.Disposition)
		return false
	})
	if m.doc, err = html.Parse(strings.NewReader(m.env.HTML)); err != nil {
		return nil, err
	}
	for n := range m.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		e := n.Data
		for _, a := range n.Attr {
			e += " " + a.Key
		}
		m.skeleton = append(m.skeleton, e)
	}
	return m, nil
}

// unlike says in what a letter is laid out otherwise than the letter of somebody harmless.
func (m *reading) unlike(like *reading, s spot) (faults []string) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, key := range []string{"From", "To", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type"} {
		if len(m.header[key]) != 1 {
			say("%d fields %s", len(m.header[key]), key)
		}
	}
	for key := range m.header {
		if len(m.header[key]) != len(like.header[key]) {
			say("%d fields %s", len(m.header[key]), key)
		}
	}
	if !slices.Equal(m.parts, like.parts) {
		say("the parts are %q, want %q", m.parts, like.parts)
	}
	if !slices.Equal(m.skeleton, like.skeleton) {
		say("the elements are %q, want %q", m.skeleton, like.skeleton)
	}
	for n := range m.doc.Descendants() {
		for _, a := range n.Attr {
			if scheme, _, ok := strings.Cut(strings.ToLower(strings.TrimSpace(a.Val)), ":"); ok && (a.Key == "href" || a.Key == "src") &&
				scheme != "https" && scheme != "http" && scheme != "mailto" && !strings.ContainsAny(scheme, "/?#%") {
				say("%s=%.60q", a.Key, a.Val)
			}
		}
	}
	return append(faults, m.people(like, s)...)
}

// people holds the envelope against the header: who is named gets it, and who is not named was meant to be hidden.
func (m *reading) people(like *reading, s spot) (faults []string) {
	if !s.people {
		if !slices.Equal(m.recipients, like.recipients) || m.sender != like.sender {
			faults = append(faults, fmt.Sprintf("it goes from %q to %q", m.sender, m.recipients))
		}
		return faults
	}
	var named []string
	for _, key := range []string{"To", "Cc"} {
		if m.header.Get(key) == "" {
			continue
		}
		list, err := m.header.AddressList(key)
		if err != nil {
			return append(faults, fmt.Sprintf("%s: %v", key, err))
		}
		for _, a := range list {
			named = append(named, a.Address)
			if !slices.Contains(m.recipients, a.Address) {
				faults = append(faults, a.Address+" is named and gets nothing")
			}
		}
	}
	for _, to := range m.recipients {
		if !slices.Contains(named, to) && (!s.hidden || strings.Contains(m.raw, to)) {
			faults = append(faults, to+" gets it, and should not or not so")
		}
	}
	return faults
}

// Ways to find a value again.

func name(key string) func(*reading) string {
	return func(m *reading) string {
		list, err := m.header.AddressList(key)
		if err != nil || len(list) != 1 {
			return fmt.Sprintf("%v, %v", list, err)
		}
		return list[0].Name
	}
}

func header(key string) func(*reading) string {
	return func(m *reading) string { return m.env.GetHeader(key) }
}

func between(read func(*reading) string, before, after string) func(*reading) string {
	return func(m *reading) string {
		_, s, ok := strings.Cut(read(m), before)
		i := strings.LastIndex(s, after)
		if !ok || i < 0 {
			return "nothing between " + before + " and " + after
		}
		return s[:i]
	}
}

func text(before, after string) func(*reading) string {
	return between(func(m *reading) string { return strings.ReplaceAll(m.env.Text, "\r\n", "\n") }, before, after)
}

// half gives a value that was written twice.
func half(read func(*reading) string) func(*reading) string {
	return func(m *reading) string {
		s := read(m)
		if s[:len(s)/2] != s[len(s)/2:] {
			return "two values that differ"
		}
		return s[:len(s)/2]
	}
}

func unescaped(read func(*reading) string) func(*reading) string {
	return func(m *reading) string {
		s, err := url.QueryUnescape(read(m))
		if err != nil {
			return err.Error()
		}
		return written(s)
	}
}

func (m *reading) find(ok func(*html.Node) bool) *html.Node {
	for n := range m.doc.Descendants() {
		if ok(n) {
			return n
		}
	}
	return &html.Node{}
}

func (m *reading) marked() *html.Node {
	return m.find(func(n *html.Node) bool {
		return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "id" && a.Val == "v" })
	})
}

func inside(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return written(b.String())
}

func content(m *reading) string { return inside(m.marked()) }

func within(element string) func(*reading) string {
	return func(m *reading) string { return inside(m.find(func(n *html.Node) bool { return n.Data == element })) }
}

func attr(key string) func(*reading) string {
	return func(m *reading) string {
		for _, a := range m.marked().Attr {
			if a.Key == key {
				return written(a.Val)
			}
		}
		return "no " + key
	}
}

// literal gives the string in var v = …;
func literal(m *reading) string {
	s := strings.TrimSuffix(strings.TrimPrefix(content(m), "var v = "), ";")
	var v string
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return err.Error()
	}
	return written(v)
}

func attached(m *reading) string {
	if len(m.env.Attachments) != 1 {
		return fmt.Sprintf("%d files", len(m.env.Attachments))
	}
	return strings.TrimSuffix(m.env.Attachments[0].FileName, ".txt")
}
