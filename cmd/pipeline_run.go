package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/journal"
)

// begin finds or makes the run.
func (p *pipeline) begin(ctx context.Context) (err error) {
	p.run, err = p.store.book.Begin(ctx, journal.Spec{Campaign: p.c.Name, Key: p.runKey(ctx), Again: p.o.again != ""})
	if err != nil {
		return stateFault(err)
	}
	p.later(p.run.Close)
	return nil
}

// runKey names the run that is due. A campaign sent once has a run without key.
func (p *pipeline) runKey(ctx context.Context) string {
	if p.o.run != "" {
		return p.o.run
	}
	if p.c.Repeat == "never" {
		return ""
	}
	if p.c.Repeat == "always" && p.store != nil { // one that was cut is continued first
		if last, err := p.store.book.Latest(ctx, p.c.Name); err == nil && last.Finished.IsZero() {
			return last.Key
		}
	}
	return p.c.RunKey(p.now(), contentHash(p.c))
}

// contentHash changes when what people read changes.
func contentHash(c *campaign.Campaign) string {
	h := sha256.New()
	h.Write([]byte(c.From + "\x00" + c.Subject + "\x00"))
	files := []string{c.Template, c.Text}
	for _, ext := range []string{".html", ".txt"} {
		files = append(files, filepath.Join("layouts", c.Layout+ext), filepath.Join("layouts", "base"+ext))
	}
	for _, a := range c.Attachments {
		files = append(files, a.Path)
	}
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(c.Dir, f)); err == nil { // "auto" and layouts that are not there
			h.Write(b)
		}
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}
