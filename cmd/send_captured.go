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
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = os.TempDir()
		}
		dir = filepath.Join(cache, "mailblast", "captured", p.c.Name)
		if err := os.RemoveAll(dir); err != nil {
			return ioFault(err)
		}
	}
	n, err := p.capture.Export(ctx, dir)
	if err != nil {
		return ioFault(err)
	}
	_, err = fmt.Fprintf(p.out, "%d letters kept in %s\n", n, dir)
	return ioFault(err)
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
