package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// keepCaptured leaves the letters of a rehearsal as files: where --dry-run says, or where there is no terminal to show
// their page to.
func (p *pipeline) keepCaptured(ctx context.Context) error {
	if p.capture == nil || p.o.dryRun == "" && p.lingers() {
		return nil
	}
	dir := p.o.dryRun
	if dir == "" || dir == "capture" {
		if p.lingers() {
			return nil
		}
		var err error
		if dir, err = p.capturedDir(); err != nil {
			return ioFault(err)
		}
	}
	n, err := p.capture.Export(ctx, dir)
	if err != nil {
		return ioFault(err)
	}
	_, err = fmt.Fprintf(p.out, "%s kept in %s\n", plural(n, "letter"), dir)
	return ioFault(err)
}

// capturedDir is where the letters of the campaign's last rehearsal lie. Without a place of the user's own it is a new one each
// time: in one that everybody knows and may write to, somebody else could have put a link.
func (p *pipeline) capturedDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return os.MkdirTemp("", "mailblast-captured-")
	}
	dir := filepath.Join(cache, "mailblast", "captured", p.c.Name)
	return dir, os.RemoveAll(dir)
}

// lingers tells that a person may want to look at the captured letters.
func (p *pipeline) lingers() bool {
	return p.capture != nil && p.inTTY && p.outTTY && !p.quiet && !p.o.json && p.o.test == ""
}

// linger keeps the capture page up until a signal comes.
func (p *pipeline) linger(ctx context.Context) {
	if !p.lingers() {
		return
	}
	fmt.Fprintf(p.out, "Read the mail at %s   (Ctrl-C to close)\n", p.capture.URL())
	select {
	case <-p.signals:
		fmt.Fprintln(p.out)
	case <-ctx.Done():
	}
}
