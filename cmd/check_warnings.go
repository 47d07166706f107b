package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
)

// showWarnings prints what the looks find in rows that would be sent, one a line.
func (d *desk) showWarnings(ctx context.Context, o checkOptions) error {
	n := 0
	err := d.composer.Walk(ctx, func(composer.Skipped) error { return nil }, func(r *composer.Row, _ composer.Stamp) error {
		found, err := d.oddities(r)
		for _, x := range found {
			n++
			err = errors.Join(err, d.showOdd(x, o.json))
		}
		return err
	})
	if err == nil && n == 0 && !o.json {
		d.say("nothing to look at in %s\n", plural(d.rows.Len(), "row"))
	}
	return err
}

func (d *desk) showOdd(x odd, asJSON bool) error {
	kind := d.looking[x.kind].kind
	if !asJSON {
		_, err := fmt.Fprintf(d.out, "%s: %s\n", kind, screen.Printable(skippedText(x.Skipped)))
		return ioFault(err)
	}
	return ioFault(d.json(struct {
		V    int    `json:"v"`
		Type string `json:"type"`
		Kind string `json:"kind"`
		Row  int    `json:"row"`
		Line int    `json:"line,omitempty"`
		To   string `json:"to"`
		Text string `json:"text"`
	}{1, "warning", kind, x.Number, x.Line, x.To, x.Text}))
}
