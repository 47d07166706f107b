package repair_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// Those who failed, or were suppressed, and were to be sent to again, may have got their mail in what is lost.
func TestRepairOfRetried(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, which := range []delivery.Status{failed, delivery.Suppressed} {
		dir := filepath.Join(t.TempDir(), "state")
		p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
		check(t, err)
		p.give(t, which, sent)
		p.end(t)
		p, err = begin(t, dir, journal.Spec{Campaign: "spring"})
		check(t, err)
		if n, err := p.Reopen(ctx, which, 0, nil); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		p.give(t, sent)
		p.end(t)
		wrong(t, dir, `DELETE FROM outcomes WHERE seq > 2; DELETE FROM intents WHERE seq > 2`)
		mend(t, dir)
		p, err = begin(t, dir, journal.Spec{Campaign: "spring"})
		check(t, err)
		if got := p.states(t, 2); fmt.Sprint(got) != fmt.Sprint([]delivery.Status{unknown, sent}) {
			t.Errorf("%v: %v", which, got)
		}
		p.end(t)
	}
}

// When even the name of a run is lost, a run that nobody has heard of may be that one: it is refused until a person says so.
func TestRepairOfNameless(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
	check(t, err)
	p.give(t, sent)
	p.end(t)
	p, err = begin(t, dir, journal.Spec{Campaign: "autumn"})
	check(t, err)
	p.give(t, sent)
	p.end(t)
	wrong(t, dir, `UPDATE runs SET rows = 7 WHERE id = 1`)
	check(t, os.Remove(filepath.Join(dir, "journal.runs")))
	mend(t, dir)
	var lost *refusal.LostError
	if _, err := begin(t, dir, journal.Spec{Campaign: "spring"}); !errors.As(err, &lost) {
		t.Errorf("the run whose name is lost: %v", err)
	}
	p, err = begin(t, dir, journal.Spec{Campaign: "autumn"})
	check(t, err)
	if got := p.states(t, 1); got[0] != sent {
		t.Errorf("the other: %v", got)
	}
	p.end(t)
	p, err = begin(t, dir, journal.Spec{Campaign: "spring", StartOver: true})
	check(t, err)
	p.end(t)
	p, err = begin(t, dir, journal.Spec{Campaign: "winter"})
	check(t, err)
	p.end(t)
}

// Whoever the journal never heard of is unknown by name, for the list is at hand then: no row need be kept for it.
func TestRepairNamesWhomItLost(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
	check(t, err)
	p.give(t, sent, sent)
	p.end(t)
	wrong(t, dir, `DELETE FROM outcomes WHERE seq > 1; DELETE FROM intents WHERE seq > 1`)
	mend(t, dir)
	p, err = begin(t, dir, journal.Spec{Campaign: "spring"})
	check(t, err)
	got, err := p.Lookup(ctx, []delivery.ID{p.id(1), p.id(0), p.id(7), p.id(1)}, "b@x.test", "a@x.test", "h@x.test", "b@x.test")
	check(t, err)
	for i, want := range []delivery.Status{unknown, sent, unknown, unknown} {
		if got[i].Status != want {
			t.Errorf("place %d: %v", i, got[i].Status)
		}
	}
	var names []string
	for o, err := range p.book.Outcomes(ctx, p.Info()) {
		if check(t, err); o.Status == unknown {
			names = append(names, o.To)
		}
	}
	if fmt.Sprint(names) != "[h@x.test b@x.test]" {
		t.Errorf("unknown: %q", names)
	}
	p.end(t)
}
