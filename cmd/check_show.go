package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

var shows = []string{"config", "skipped", "warnings"}

// checkShow prints one thing in full.
func (e *env) checkShow(ctx context.Context, o checkOptions) error {
	switch o.show {
	case "config":
		return e.showConfig(o)
	case "skipped":
		return e.atDesk(ctx, o, (*desk).showSkipped)
	case "warnings":
		return e.atDesk(ctx, o, (*desk).showWarnings)
	}
	return failf(exitUsage, "--show %s: not one of %s", o.show, strings.Join(shows, ", "))
}

// showConfig prints every setting with its origin; secrets are masked.
func (e *env) showConfig(o checkOptions) error {
	c, err := e.load(o.file)
	if err != nil {
		return err
	}
	if o.json {
		for _, s := range c.Settings() {
			if err := e.json(struct {
				V      int    `json:"v"`
				Type   string `json:"type"`
				Key    string `json:"key"`
				Value  string `json:"value"`
				Origin string `json:"origin"`
			}{1, "setting", s.Key, s.Value, s.Origin}); err != nil {
				return ioFault(err)
			}
		}
		return nil
	}
	for _, s := range c.Settings() {
		if _, err := fmt.Fprintf(e.out, "%s: %s   (%s)\n", s.Key, screen.Printable(s.Value), s.Origin); err != nil {
			return ioFault(err)
		}
	}
	return nil
}

// atDesk opens a campaign's list and letter for something that looks at them.
func (e *env) atDesk(ctx context.Context, o checkOptions, look func(*desk, context.Context, checkOptions) error) (err error) {
	c, err := e.load(o.file)
	if err != nil {
		return err
	}
	d, err := e.newDesk(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := errors.Join(d.heed(ctx), d.open(ctx, o.patience)); err != nil {
		return err
	}
	return look(d, ctx, o)
}

// showSkipped prints every row that would not be sent, and why.
func (d *desk) showSkipped(ctx context.Context, o checkOptions) error {
	n := 0
	show := func(s composer.Skipped) error { n++; return d.showRow(s, o.json) }
	err := d.composer.Walk(ctx, show, func(r *composer.Row, s composer.Stamp) error {
		if !d.c.OnNull.Skips() { // nothing else skips a row as late as that
			return nil
		}
		body, err := d.letter.Render(ctx, r, s, d.form())
		if err == nil {
			return body.Close()
		}
		u := (*delivery.Unfit)(nil)
		if !errors.As(err, &u) {
			return err
		}
		if u.Status != delivery.Skipped {
			return nil
		}
		return show(composer.Skipped{Number: r.Number, Line: r.Line, To: d.letter.Addressee(r), Class: u.Class, Text: u.Text})
	})
	if err == nil && n == 0 && !o.json {
		d.say("all %s will be sent to\n", plural(d.rows.Len(), "row"))
	}
	return err
}

func (e *env) showRow(s composer.Skipped, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintf(e.out, "%s: %s\n", s.Class, screen.Printable(skippedText(s)))
		return ioFault(err)
	}
	return ioFault(e.json(struct {
		V     int    `json:"v"`
		Type  string `json:"type"`
		Row   int    `json:"row"`
		Line  int    `json:"line,omitempty"`
		To    string `json:"to"`
		Class string `json:"class"`
		Text  string `json:"text"`
	}{1, "skipped", s.Number, s.Line, s.To, s.Class.String(), s.Text}))
}

// expected refuses a list whose length is outside of what the campaign expects.
func expected(c *campaign.Campaign, n int) error {
	x := c.Expect
	if int64(n) >= x.Min && (x.Max == 0 || int64(n) <= x.Max) {
		return nil
	}
	want := fmt.Sprintf("at least %d", x.Min)
	if x.Max > 0 {
		want = fmt.Sprintf("between %d and %d", x.Min, x.Max)
	}
	return failf(exitRefused, "the list has %s, the campaign expects %s", plural(n, "row"), want)
}
