// Package view takes a captured message apart for a reader:
//
//  1. Parse walks the parts in order, within bounds that keep a hostile message from costing more than its own size;
//  2. text and HTML are gathered, decoded into UTF-8; whatever else there is becomes a Part with a number;
//  3. what cannot be understood is told in Fault, and the rest is still there;
//  4. Content decodes one part when somebody asks for it.
//
// Nothing here is safe to show in a page's own right: that is the page's policy.
package view

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mail in any charset is shown
	"github.com/emersion/go-message/mail"
	"golang.org/x/net/html"
)

// The limits that keep a hostile message from costing more than its own size.
const (
	maxDepth   = 20
	maxParts   = 1000
	maxText    = 8 << 20 // octets of text, and of HTML, that are shown
	maxSnippet = 250     // characters
)

// Message is a message taken apart for a reader. What cannot be understood is said in Fault; the rest is still there.
type Message struct {
	Header      mail.Header
	text, html  strings.Builder
	hasText     bool
	hasHTML     bool
	Inline      []Part
	Attachments []Part
	Fault       string
	parts       int
}

// Address is a mailbox, with the field names of Mailpit's API.
type Address struct{ Name, Address string }

// Part is something other than the body. Its field names are those of Mailpit's API.
type Part struct {
	PartID      string
	FileName    string
	ContentType string
	ContentID   string
	Size        int64
}

// Parse never fails: a message whose header cannot be read is shown as text.
func Parse(raw []byte) *Message {
	v := &Message{}
	root, err := message.Read(bytes.NewReader(raw))
	if root == nil {
		v.Fault = fmt.Sprintf("the header cannot be read: %v", err)
		v.hasText = true
		v.text.WriteString(Printable(raw[:min(len(raw), maxText)]))
		return v
	}
	v.Header = mail.Header{Header: root.Header}
	walk(root, "", 0, &v.parts, func(id string, e *message.Entity) bool {
		v.add(id, e)
		return true
	}, v.note)
	return v
}

func (v *Message) note(err error) {
	if v.Fault == "" {
		v.Fault = err.Error()
	}
}

// walk visits the leaves in order until visit says false. IDs are "1", "2", "2.1"…
func walk(e *message.Entity, id string, depth int, parts *int, visit func(string, *message.Entity) bool, note func(error)) bool {
	*parts++
	if *parts > maxParts || depth > maxDepth {
		note(fmt.Errorf("more than %d parts or %d levels: the rest is not shown", maxParts, maxDepth))
		return false
	}
	mr := e.MultipartReader()
	if mr == nil {
		if id == "" {
			id = "1"
		}
		return visit(id, e)
	}
	for n := 1; ; n++ {
		p, err := mr.NextPart()
		if err == io.EOF {
			return true
		}
		if p == nil {
			note(fmt.Errorf("part %s: %w", join(id, n), err))
			return true
		}
		if !walk(p, join(id, n), depth+1, parts, visit, note) {
			return false
		}
	}
}

func join(id string, n int) string {
	if id == "" {
		return strconv.Itoa(n)
	}
	return id + "." + strconv.Itoa(n)
}

func (v *Message) add(id string, e *message.Entity) {
	p, disposition := describe(id, e)
	isBody := disposition != "attachment" && p.FileName == "" && p.ContentID == ""
	switch {
	case isBody && p.ContentType == "text/html":
		v.hasHTML = true
		v.noteAt(id, readText(&v.html, e.Body))
		return
	case isBody && p.ContentType == "text/plain":
		v.hasText = true
		v.noteAt(id, readText(&v.text, e.Body))
		return
	}
	n, err := io.Copy(io.Discard, e.Body)
	v.noteAt(id, err)
	p.Size = n
	if disposition == "inline" || disposition == "" && p.ContentID != "" {
		v.Inline = append(v.Inline, p)
		return
	}
	v.Attachments = append(v.Attachments, p)
}

func (v *Message) noteAt(id string, err error) {
	if err != nil {
		v.note(fmt.Errorf("part %s: %w", id, err))
	}
}

func describe(id string, e *message.Entity) (p Part, disposition string) {
	typ, params, err := e.Header.ContentType()
	if err != nil || typ == "" {
		typ = "application/octet-stream"
	}
	disposition, dparams, _ := e.Header.ContentDisposition() // a broken one means nothing
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	cid := strings.Trim(e.Header.Get("Content-Id"), "<> ")
	return Part{PartID: id, FileName: decode(name), ContentType: strings.ToLower(typ), ContentID: Printable([]byte(cid))}, strings.ToLower(disposition)
}

func readText(to *strings.Builder, r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, int64(max(0, maxText-to.Len()))))
	to.WriteString(Printable(b))
	return err
}

// Printable is valid UTF-8 without NUL, as JSON and pages need it.
func Printable(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
}

func decode(s string) string {
	h := message.Header{}
	h.Set("X", s)
	if t, err := h.Text("X"); err == nil {
		s = t
	}
	return Printable([]byte(s))
}

// Content finds a part and gives its decoded bytes.
func Content(raw []byte, id string) (Part, []byte, bool) {
	root, _ := message.Read(bytes.NewReader(raw)) // an unknown charset or encoding leaves the entity readable
	if root == nil {
		return Part{}, nil, false
	}
	var found Part
	var b []byte
	ok, n := false, 0
	walk(root, "", 0, &n, func(at string, e *message.Entity) bool {
		if at != id {
			return true
		}
		found, _ = describe(at, e)
		b, _ = io.ReadAll(e.Body) // what can be decoded of a damaged part is given
		ok = true
		return false
	}, func(error) {})
	return found, b, ok
}

// Text gives the text parts, one after the other, and whether there are any.
func (v *Message) Text() (string, bool) { return v.text.String(), v.hasText }

// HTML gives the HTML parts, one after the other.
func (v *Message) HTML() string { return v.html.String() }

// Subject gives the decoded subject; one that cannot be decoded as it stands.
func (v *Message) Subject() string {
	s, err := v.Header.Subject()
	if err != nil {
		s = v.Header.Get("Subject")
	}
	return Printable([]byte(s))
}

// Date is when the message says it was written, or received when it says nothing.
func (v *Message) Date(received time.Time) time.Time {
	if d, err := v.Header.Date(); err == nil && !d.IsZero() {
		return d
	}
	return received
}

// Addresses are the mailboxes of a field; one that cannot be read is shown as it stands.
func (v *Message) Addresses(field string) []Address {
	list, err := v.Header.AddressList(field)
	if err != nil {
		return []Address{{Name: decode(v.Header.Get(field))}}
	}
	as := make([]Address, 0, len(list))
	for _, a := range list {
		as = append(as, Address{Name: Printable([]byte(a.Name)), Address: Printable([]byte(a.Address))})
	}
	return as
}

// Snippet is the beginning of what a reader sees.
func (v *Message) Snippet() string {
	s := v.text.String()
	if !v.hasText {
		s = plain(v.html.String())
	}
	s = strings.Join(strings.Fields(s[:min(len(s), 16*maxSnippet)]), " ")
	if r := []rune(s); len(r) > maxSnippet {
		s = string(r[:maxSnippet])
	}
	return strings.ToValidUTF8(s, "")
}

func plain(s string) string {
	var b strings.Builder
	z, skip := html.NewTokenizer(strings.NewReader(s)), 0
	for b.Len() < 16*maxSnippet {
		t := z.Next()
		name, _ := z.TagName()
		hidden := string(name) == "style" || string(name) == "script" || string(name) == "title"
		switch {
		case t == html.ErrorToken:
			return b.String()
		case t == html.StartTagToken && hidden:
			skip++
		case t == html.EndTagToken && hidden:
			skip--
		case t == html.TextToken && skip <= 0:
			b.Write(z.Text())
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// HTMLWithImages replaces cid: links by the images themselves, so that a page shown in its own origin needs no request.
func (v *Message) HTMLWithImages(raw []byte) string {
	var pairs []string
	for _, p := range append(append([]Part(nil), v.Inline...), v.Attachments...) {
		if p.ContentID == "" || !strings.HasPrefix(p.ContentType, "image/") {
			continue
		}
		_, b, ok := Content(raw, p.PartID)
		if !ok {
			continue
		}
		data := "data:" + p.ContentType + ";base64," + base64.StdEncoding.EncodeToString(b)
		for _, ref := range []string{p.ContentID, url.PathEscape(p.ContentID)} {
			pairs = append(pairs, `"cid:`+ref+`"`, `"`+data+`"`, `'cid:`+ref+`'`, `'`+data+`'`)
		}
	}
	return strings.NewReplacer(pairs...).Replace(v.html.String())
}
