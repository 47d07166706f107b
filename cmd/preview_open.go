package cmd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// errNoDesktop is what an opener gives where nobody could see what it opens.
var errNoDesktop = errors.New("there is no graphical session, or nothing that opens files in it")

// openLetter shows a letter's HTML part, or its text where it has none or text is asked for, in the browser.
func (d *desk) openLetter(ctx context.Context, p pick, format string) error {
	s, err := d.letterOf(ctx, p)
	if u := (*delivery.Unfit)(nil); errors.As(err, &u) {
		return failf(exitData, "%s: %s", rowName(s.row.Number, s.row.Line), u.Text)
	} else if err != nil {
		return err
	}
	if format == "html" && !s.view.hasHTML {
		return failf(exitData, "this letter has no HTML part").hinted("-o text")
	}
	page := s.view.page(format)
	path, err := cached(page, d.now())
	if err != nil {
		return failf(exitIO, "%w", err)
	}
	switch err := d.opener(path); {
	case errors.Is(err, errNoDesktop):
		d.say("%s\n", path)
		fmt.Fprintf(d.err, "hint: %v: open the file above by hand\n", err)
	case err != nil:
		d.say("%s\n", path)
		fmt.Fprintf(d.err, "hint: the browser does not start: %v: open the file above by hand\n", err)
	default:
		d.say("opened %s\n", path)
	}
	return nil
}

// page is what a browser is given. The mark at its beginning says that it is UTF-8, which in the letter a header says.
func (v *view) page(format string) string {
	const mark = "\ufeff"
	if !v.hasHTML || format == "text" {
		return mark + "<!doctype html><title>preview</title><pre style=\"white-space:pre-wrap\">" + html.EscapeString(printableText(v.text)) + "</pre>\n"
	}
	var pairs []string
	byLength := slices.SortedFunc(slices.Values(v.others), func(a, b other) int { return len(b.id) - len(a.id) }) // a1 before a
	for _, o := range byLength {
		if o.id != "" {
			pairs = append(pairs, "cid:"+o.id, "data:"+o.kind+";base64,"+base64.StdEncoding.EncodeToString(o.body))
		}
	}
	page := strings.NewReplacer(pairs...).Replace(v.html)
	at := 0
	if end := strings.IndexByte(page, '>'); end > 0 && strings.HasPrefix(strings.ToLower(strings.TrimSpace(page)), "<!doctype") {
		at = end + 1
	}
	return mark + page[:at] + passive + page[at:]
}

// passive keeps a page from running anything: it is shown from a file, where a browser trusts it more than a mail reader would.
const passive = `<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; frame-src 'none'; form-action 'none'; base-uri 'none'">`

// stale is when the page of an earlier preview goes: it holds somebody's data.
const stale = 24 * time.Hour

// cached writes a page into a new folder of the user's cache that nobody else can look into.
func cached(page string, now time.Time) (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "mailblast")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	old, err := filepath.Glob(filepath.Join(cache, "preview-*"))
	for _, dir := range old {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && now.Sub(info.ModTime()) > stale {
			_ = os.RemoveAll(dir) // what cannot be removed now is tried again by the next
		}
	}
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(cache, "preview-") // 0700
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "letter.html")
	return path, os.WriteFile(path, []byte(page), 0o600)
}
