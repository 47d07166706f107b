package repair_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// The suppression list is kept, in order and without gaps; entries that are lost are counted. No run was begun here.
func TestRepairOfSuppressed(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	b, err := journal.Open(ctx, journal.Options{Dir: dir})
	check(t, err)
	check(t, b.Suppress(ctx, []journal.Suppression{{Whom: "a@x.test"}, {Whom: "b@x.test"}, {Whom: "@c.test"}, {Whom: "a@x.test", Removed: true}}))
	check(t, b.Close())
	wrong(t, dir, `UPDATE suppressed SET whom = 'z@x.test' WHERE seq = 2`)
	_, f := mend(t, dir)
	if f.Suppressed != 3 || f.SuppressedLost != 1 || f.Nameless != 0 {
		t.Errorf("%+v", f)
	}
	p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
	check(t, err)
	var got []string
	for s, err := range p.book.Suppressions(ctx, 0) {
		check(t, err)
		got = append(got, fmt.Sprint(s.Seq, s.Whom, s.Removed))
	}
	if fmt.Sprint(got) != "[1a@x.testfalse 2@c.testfalse 3a@x.testtrue]" {
		t.Errorf("%v", got)
	}
	p.end(t)
}

// A process that has the journal open which is put aside writes nothing more: it would be lost.
func TestReplacedWhileOpen(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
	check(t, err)
	p.give(t, sent, failed)
	p.end(t)
	b, err := journal.Open(ctx, journal.Options{Dir: dir})
	check(t, err)
	wrong(t, dir, `DELETE FROM outcomes WHERE seq = 1`)
	mend(t, dir)
	var damaged *refusal.DamagedError
	if err := b.Suppress(ctx, []journal.Suppression{{Whom: "a@x.test"}}); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("%v", err)
	}
	check(t, b.Close())
	_, f, err := tryMend(t, dir)
	if check(t, err); !f.Sound() {
		t.Errorf("the new one: %+v", f.Faults)
	}
}
