package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// sheet is the letter of one row, to be looked at.
type sheet struct {
	row  *composer.Row
	env  composer.Envelope
	raw  []byte
	why  []string // why --hard chose the row
	view *view
}

// letterOf makes the letter of a row that was picked. The error is *delivery.Unfit when the row is at fault.
func (d *desk) letterOf(ctx context.Context, p pick) (*sheet, error) {
	r, err := d.rows.At(p.ref)
	if err != nil {
		return nil, failf(exitIO, "row store: %w", err)
	}
	s := &sheet{row: r, why: p.why}
	if s.env, err = d.letter.Envelope(r); err != nil {
		return s, err
	}
	body, err := d.letter.Render(ctx, r, p.stamp, d.form())
	if err != nil {
		return s, err
	}
	var b bytes.Buffer
	_, err = body.WriteTo(&b)
	if err := errors.Join(err, body.Close()); err != nil {
		return s, failf(exitIO, "%w", err)
	}
	s.raw = b.Bytes()
	if s.view, err = parse(&b); err != nil {
		return s, fmt.Errorf("the letter cannot be read back: %w", err)
	}
	return s, nil
}

// show prints the letters of the rows that were picked. Of several, one that cannot be rendered holds up no other.
func (d *desk) show(ctx context.Context, picks []pick, format string) error {
	unfit := 0
	for _, p := range picks {
		s, err := d.letterOf(ctx, p)
		if u := (*delivery.Unfit)(nil); errors.As(err, &u) {
			fault := failf(exitData, "%s: %s", rowName(s.row.Number, s.row.Line), u.Text)
			if len(p.why) == 0 {
				return fault
			}
			unfit++
			err = d.showUnfit(s, u, format)
		} else if err == nil {
			err = d.print(s, format)
		}
		if err != nil {
			return err
		}
	}
	if unfit > 0 {
		return failf(exitData, "%d of these %s cannot be rendered", unfit, plural(len(picks), "letter"))
	}
	return nil
}

func (d *desk) print(s *sheet, format string) (err error) {
	out := ""
	switch format {
	case "json":
		var b []byte
		b, err = s.json()
		out = string(b)
	case "eml":
		if out = string(s.raw); len(s.why) > 0 {
			out = mboxed(s.raw, d.now())
		}
	case "html":
		if !s.view.hasHTML {
			return failf(exitData, "this letter has no HTML part").hinted("-o text")
		}
		out = s.view.html
	default:
		out, err = s.view.plain()
	}
	if err != nil {
		return err
	}
	if len(s.why) > 0 {
		if err := d.heading(s, format); err != nil {
			return err
		}
	}
	if len(s.why) > 0 && (format == "" || format == "text") {
		out += "\n"
	}
	if d.outTTY { // a letter as it is may hold commands to the terminal
		out = printableText(strings.ReplaceAll(out, "\r\n", "\n"))
	}
	_, err = io.WriteString(d.out, out)
	return ioFault(err)
}

// heading says why a row was chosen: where the letter is read, or beside it where nothing may stand but letters.
func (d *desk) heading(s *sheet, format string) (err error) {
	text := fmt.Sprintf("%s: %s", rowName(s.row.Number, s.row.Line), screen.Printable(strings.Join(s.why, "; ")))
	switch format {
	case "json":
	case "eml":
		fmt.Fprintln(d.err, text)
	case "html":
		_, err = fmt.Fprintf(d.out, "<!-- %s -->\n", strings.NewReplacer("--", "- -", ">", "&gt;").Replace(text))
	default:
		_, err = fmt.Fprintf(d.out, "══ %s\n\n", text)
	}
	return ioFault(err)
}

func (d *desk) showUnfit(s *sheet, u *delivery.Unfit, format string) error {
	if err := d.heading(s, format); err != nil {
		return err
	}
	if format == "json" {
		return ioFault(d.json(unfitJSON{1, "letter", s.row.Number, s.row.Line, s.why, u.Text}))
	}
	out := d.out
	if format == "eml" || format == "html" {
		out = d.err
	}
	_, err := fmt.Fprintf(out, "cannot be rendered: %s\n\n", screen.Printable(u.Text))
	return ioFault(err)
}

// rowName is how people find a row again.
func rowName(number, line int) string {
	if line > 0 {
		return fmt.Sprintf("row %d (line %d)", number, line)
	}
	return fmt.Sprintf("row %d", number)
}
