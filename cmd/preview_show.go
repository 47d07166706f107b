package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-message/mail"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// show renders a row's letter and prints it.
func (d *desk) show(ctx context.Context, ref int64, stamp composer.Stamp, format string) error {
	r, err := d.rows.At(ref)
	if err != nil {
		return failf(exitIO, "row store: %w", err)
	}
	body, err := d.letter.Render(ctx, r, stamp, d.form())
	if u := (*delivery.Unfit)(nil); errors.As(err, &u) {
		return failf(exitData, "%s: %s", rowName(r.Number, r.Line), u.Text)
	} else if err != nil {
		return err
	}
	var b bytes.Buffer
	_, err = body.WriteTo(&b)
	if err := errors.Join(err, body.Close()); err != nil {
		return failf(exitIO, "%w", err)
	}
	if format == "eml" {
		_, err := d.out.Write(b.Bytes())
		return ioFault(err)
	}
	v, err := parse(&b)
	if err != nil {
		return fmt.Errorf("the letter cannot be read back: %w", err)
	}
	if format == "html" {
		if !v.hasHTML {
			return failf(exitData, "this letter has no HTML part").hinted("-o text")
		}
		_, err := io.WriteString(d.out, v.html)
		return ioFault(err)
	}
	_, err = io.WriteString(d.out, v.String())
	return ioFault(err)
}

// rowName is how people find a row again.
func rowName(number, line int) string {
	if line > 0 {
		return fmt.Sprintf("row %d (line %d)", number, line)
	}
	return fmt.Sprintf("row %d", number)
}

// view is a letter as a mail reader shows it.
type view struct {
	fields     []string
	text, html string
	hasText    bool
	hasHTML    bool
	attached   []string
}

// shown are the header fields that a person wants to see, in this order.
var shown = []string{"From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-Id", "List-Unsubscribe"}

func parse(r io.Reader) (*view, error) {
	m, err := mail.CreateReader(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.Close() }()
	v := &view{}
	for _, name := range shown {
		text, err := m.Header.Text(name)
		if err != nil {
			return nil, err
		}
		if text != "" {
			v.fields = append(v.fields, name+": "+screen.Printable(text))
		}
	}
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
	switch h := p.Header.(type) {
	case *mail.AttachmentHeader:
		name, err := h.Filename()
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, p.Body)
		v.attached = append(v.attached, fmt.Sprintf("%s (%s)", screen.Printable(name), bytesText(n)))
		return err
	case *mail.InlineHeader:
		kind, _, err := h.ContentType()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(p.Body)
		switch text := strings.ReplaceAll(string(b), "\r\n", "\n"); kind {
		case "text/plain":
			v.text, v.hasText = text, true
		case "text/html":
			v.html, v.hasHTML = text, true
		}
		return err
	}
	return nil
}

// String is the head, the text part, and what else there is.
func (v *view) String() string {
	var b strings.Builder
	for _, f := range v.fields {
		b.WriteString(f + "\n")
	}
	for _, a := range v.attached {
		b.WriteString("Attached: " + a + "\n")
	}
	b.WriteString("\n")
	switch {
	case v.hasText:
		for _, line := range strings.SplitAfter(v.text, "\n") {
			text, end := strings.CutSuffix(line, "\n")
			b.WriteString(screen.Printable(strings.ReplaceAll(text, "\t", "    ")))
			if end {
				b.WriteByte('\n')
			}
		}
	case v.hasHTML:
		b.WriteString("(no text part; see -o html)\n")
	}
	return b.String()
}

// bytesText writes a size as people do.
func bytesText(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d MB", n/1_000_000)
	case n >= 10_000:
		return fmt.Sprintf("%d KB", n/1000)
	}
	return fmt.Sprintf("%d octets", n)
}
