package cmd

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"

	"github.com/mailblast/mailblast/cmd/screen"
)

// view is a letter as a mail reader shows it.
type view struct {
	head       mail.Header
	text, html string
	hasText    bool
	hasHTML    bool
	others     []other
}

// other is a part that is neither the text nor the HTML.
type other struct {
	name, kind string
	id         string // what cid: refers to it by; "": nothing
	inline     bool
	size       int64
	body       []byte // of one with an id, for pages that show it
}

// parse reads a letter with all its parts, however they are nested.
func parse(r io.Reader) (*view, error) {
	m, err := mail.CreateReader(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.Close() }()
	v := &view{head: m.Header}
	for {
		p, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err == nil {
			err = v.add(p)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (v *view) add(p *mail.Part) error {
	var h message.Header
	inline := false
	switch head := p.Header.(type) {
	case *mail.AttachmentHeader:
		h = head.Header
	case *mail.InlineHeader:
		h, inline = head.Header, true
	}
	kind, _, err := h.ContentType()
	if err != nil {
		return err
	}
	name, err := (&mail.AttachmentHeader{Header: h}).Filename()
	if err != nil && inline {
		name, err = "", nil // text need have no disposition
	}
	if err != nil {
		return err
	}
	id := strings.Trim(h.Get("Content-Id"), "<> ")
	inline = inline || id != "" && !h.Has("Content-Disposition")
	if inline && name == "" && (kind == "text/plain" && !v.hasText || kind == "text/html" && !v.hasHTML) {
		return v.read(kind, p.Body)
	}
	o := other{name: name, kind: kind, id: id, inline: inline}
	if id == "" {
		o.size, err = io.Copy(io.Discard, p.Body)
	} else {
		o.body, err = io.ReadAll(p.Body)
		o.size = int64(len(o.body))
	}
	v.others = append(v.others, o)
	return err
}

func (v *view) read(kind string, r io.Reader) error {
	b, err := io.ReadAll(r)
	switch text := strings.ReplaceAll(string(b), "\r\n", "\n"); kind {
	case "text/plain":
		v.text, v.hasText = text, true
	case "text/html":
		v.html, v.hasHTML = text, true
	}
	return err
}

// shown are the header fields that a person wants to see, in this order.
var shown = []string{"From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-Id", "List-Unsubscribe"}

// plain is the head, the text part, and what else there is.
func (v *view) plain() (string, error) {
	var b strings.Builder
	for _, name := range shown {
		text, err := v.head.Text(name)
		if err != nil {
			return "", err
		}
		if text != "" {
			b.WriteString(name + ": " + screen.Printable(text) + "\n")
		}
	}
	for _, o := range v.others {
		what := "Attached"
		if o.inline {
			what = "Inline"
		}
		fmt.Fprintf(&b, "%s: %s (%s)\n", what, screen.Printable(o.name), bytesText(o.size))
	}
	b.WriteString("\n")
	switch {
	case v.hasText:
		b.WriteString(printableText(v.text))
	case v.hasHTML:
		b.WriteString("(no text part; see -o html)\n")
	}
	return b.String(), nil
}

// printableText is Printable for a text of several lines.
func printableText(text string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(text, "\n") {
		line, end := strings.CutSuffix(line, "\n")
		b.WriteString(screen.Printable(strings.ReplaceAll(line, "\t", "    ")))
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// printing writes text for a terminal, which it keeps from being commanded.
type printing struct {
	w    io.Writer
	left []byte // of a character that is not whole yet
}

func (p *printing) Write(b []byte) (int, error) {
	text := append(p.left, b...)
	whole := len(text)
	for i := max(0, whole-utf8.UTFMax); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
			break
		}
	}
	if _, err := io.WriteString(p.w, printableText(string(text[:whole]))); err != nil {
		return 0, err
	}
	p.left = append([]byte(nil), text[whole:]...)
	return len(b), nil
}
