package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// replaced makes sure that what stands in the place of a journal is named, and left as it is.
func (p *proof) replaced(t *testing.T) {
	s, other, dir := p.s, p.other, p.dir
	newer := func(f files) files {
		f.lay(t, dir)
		wrong(t, dir, `UPDATE schema SET version = 9; ALTER TABLE kept RENAME COLUMN rcpt TO whom`)
		return pick(t, dir)
	}
	secret := storySpec
	secret.Secret = []byte("another")
	for fault, c := range map[string]struct {
		f    files
		spec Spec
		is   any
		says string
	}{
		"deleted":                  {s.closed.with(files{dbFile: nil}), storySpec, new(*refusal.LostError), "is missing, but there were runs here"},
		"all but the list of runs": {s.closed.with(files{dbFile: nil, mark.Name: nil}), storySpec, new(*refusal.LostError), "is missing, but there were runs here"},
		"another journal": {s.closed.with(files{dbFile: other.closed[dbFile]}), storySpec, new(*refusal.DamagedError),
			"they do not belong together"},
		"another journal with its mark": {s.closed.with(files{dbFile: other.closed[dbFile], mark.Name: other.closed[mark.Name]}), storySpec,
			new(*refusal.LostError), "knows nothing of runs here: spring/2026"},
		"of a newer version": {newer(s.closed), storySpec, new(*refusal.NewerError), "schema 9, this one knows 2"},
		"another secret":     {s.closed, secret, new(*refusal.SecretError), "spring/2026 was begun with another secret"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Attr("fault", "R14 "+fault)
			t.Attr("expected", fmt.Sprintf("refused as %s", strings.TrimLeft(fmt.Sprintf("%T", c.is), "*")))
			c.f.lay(t, dir)
			err := try(t, Options{Dir: dir}, c.spec)
			if !errors.As(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
			if !pick(t, dir).same(c.f) {
				t.Error("the refusal changed the files")
			}
			t.Attr("seen", strings.ReplaceAll(err.Error(), dir, "DIR"))
		})
	}
}

// A journal of the schema before is read with all that it knows; it has no checksums and does not count its
// rows, so that changed octets and a lost end cannot be told, but what SQLite or a missing place shows is refused.
func TestFaultSchema1(t *testing.T) {
	t.Attr("fault", "R24 journal of the version before, whole, and cut at twenty places")
	t.Attr("expected", "read with every state; cut: refused and left as it is, or all there")
	from, dir := old(t), memory(t)
	db, err := sql.Open("sqlite", filepath.Join(from, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	check(t, errors.Join(err, db.Close()))
	f := pick(t, from)
	f.lay(t, dir)
	whole, err := states1(dir)
	u := delivery.Unknown
	want := []delivery.Status{delivery.Sent, delivery.Failed, delivery.Deferred, delivery.NotTried, u, u, u, u, delivery.NotTried}
	if err != nil || !slices.Equal(whole, want) {
		t.Fatalf("%v, %v", whole, err)
	}
	refused := 0
	for _, query := range []string{`DELETE FROM outcomes WHERE seq = 2`, `UPDATE intents SET entries = x'00'`} {
		f.lay(t, dir)
		wrong(t, dir, query)
		if got, err := states1(dir); got != nil || !typed(err) {
			t.Errorf("%s: %v, %v", query, got, err)
		}
	}
	for at := 1536; at < len(f[dbFile]); at += 1536 {
		cut := f.with(files{dbFile: f[dbFile][:at]})
		cut.lay(t, dir)
		switch got, err := states1(dir); {
		case err != nil && typed(err):
			if refused++; !pick(t, dir).same(cut) {
				t.Errorf("cut to %d: the refusal changed the files", at)
			}
		case err != nil || !slices.Equal(got, want):
			t.Errorf("cut to %d: %v, %v", at, got, err)
		}
	}
	t.Attr("seen", fmt.Sprintf("%d states read, %d cuts refused, 0 lies", len(whole), refused))
}

// states1 reads a journal of schema 1.
func states1(dir string) (all []delivery.Status, err error) {
	b, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	r, err := b.Begin(context.Background(), Spec{Campaign: "weekly", Key: "2025-W40"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for n := range 9 {
		s, err := r.Lookup(context.Background(), []delivery.ID{id(r, n)})
		if err != nil {
			return nil, err
		}
		all = append(all, s[0].Status)
	}
	return all, nil
}
