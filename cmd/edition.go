package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal"
)

// The source of a run, as the journal keeps it: "key=COLUMN query=HASH", or list=HASH for files.

// source is what the list comes from: of a database the query, of a file its rows.
func (p *pipeline) source() string {
	r := p.c.Recipients
	if r.Query == "" {
		return fmt.Sprintf("key=%s list=%016x", p.c.Key, p.rows.Sum())
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q", r.Query)
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		fmt.Fprintf(h, " %q=%v", name, r.Params[name])
	}
	return fmt.Sprintf("key=%s query=%s", p.c.Key, hex.EncodeToString(h.Sum(nil)[:8]))
}

// keyOf gives the key and the rest of a source.
func keyOf(source string) (key, rest string) {
	at := strings.LastIndexByte(source, ' ') // a column's name may hold spaces
	if at < 0 {
		return "", source
	}
	key, _ = strings.CutPrefix(source[:at], "key=")
	return key, source[at+1:]
}

// sameKey refuses to go on with a run by another key: everybody would look new.
func (p *pipeline) sameKey(ctx context.Context, s journal.Spec) error {
	if s.Again {
		return nil
	}
	runs, err := p.store.book.Runs(ctx, s.Campaign, 0)
	if err != nil {
		return stateFault(err)
	}
	i := slices.IndexFunc(runs, func(r journal.RunInfo) bool { return r.Key == s.Key })
	if i < 0 || runs[i].Source == "" {
		return nil
	}
	was, _ := keyOf(runs[i].Source)
	if was == p.c.Key {
		return nil
	}
	return failf(exitRefused, "%s was begun with key: %s. With key: %s everyone on the list would look new and get it again", runs[i].Name(), was, p.c.Key).
		hinted("put key: %s back, or, to send to everyone anew, use: --again=%s", was, p.c.Name)
}

// edits tells what was changed since the run was carried on last, once somebody has got the letter.
func (p *pipeline) edits() (said []string) {
	info, before := p.run.Info(), p.run.Before()
	gone := before.Sent + before.Unknown
	if gone == 0 {
		return nil
	}
	whom := screen.Comma(gone) + " have"
	if gone == 1 {
		whom = "1 has"
	}
	if info.Letter != "" && info.Letter != p.letterHash {
		said = append(said, fmt.Sprintf("the letter was changed: %s got it as it was before", whom))
	}
	_, was := keyOf(info.Source)
	_, is := keyOf(p.source())
	if was == "" || was == is {
		return said
	}
	what := "the list"
	if strings.HasPrefix(is, "query=") {
		what = "the query"
	}
	return append(said, fmt.Sprintf("%s was changed after %s got the letter: who is new on it gets it, who is no longer on it does not", what, whom))
}

// begun notes with what the run is carried on, and what was changed, for the report.
func (p *pipeline) begun(ctx context.Context) error {
	if p.rehearsal() {
		return nil
	}
	for _, text := range p.edited {
		if err := p.run.Note(ctx, p.now().Format("2006-01-02 15:04")+" "+text); err != nil {
			return stateFault(err)
		}
	}
	if err := p.run.Edit(ctx, p.letterHash, p.source()); err != nil {
		return stateFault(err)
	}
	return nil
}
