package repair_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/repair"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// served makes a journal on a server, in which four people have got their mail.
func served(t *testing.T) (journal.Options, *sql.DB) {
	t.Helper()
	schema := "s" + strings.ToLower(rand.Text())
	o := journal.Options{Dir: t.TempDir(), Server: pgtest.Server(t) + "&search_path=" + schema}
	db, err := sql.Open("postgres", o.Server)
	check(t, err)
	t.Cleanup(func() {
		var names []string
		rows, err := db.Query(`SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname LIKE $1`, schema+"%")
		check(t, err)
		for rows.Next() {
			var name string
			check(t, rows.Scan(&name))
			names = append(names, name)
		}
		for _, name := range names {
			_, err := db.Exec("DROP SCHEMA " + name + " CASCADE")
			check(t, err)
		}
		check(t, errors.Join(rows.Err(), db.Close()))
	})
	p, err := start(t, o, journal.Spec{Campaign: "spring"})
	check(t, err)
	var os []delivery.Outcome
	for n := range 4 {
		os = append(os, delivery.Outcome{ID: p.id(n), To: "p@x.test", Status: delivery.Sent})
	}
	p.Record(os)
	check(t, p.book.Suppress(t.Context(), []journal.Suppression{{Whom: "ana@x.test", At: time.Now()}}))
	p.end(t)
	return o, db
}

func place(o journal.Options) salvage.Place { return salvage.Place{Dir: o.Dir, Server: o.Server} }

func judge(t *testing.T, o journal.Options) (*salvage.Wreck, *salvage.Finding) {
	t.Helper()
	w, err := salvage.Open(context.Background(), place(o))
	check(t, err)
	t.Cleanup(func() { check(t, w.Close()) })
	f, err := w.Judge(context.Background())
	check(t, errors.Join(err, w.Count(context.Background(), f)))
	return w, f
}

// A journal on a server that is damaged is refused, and made anew of what is intact: nobody is taken for sent or unsent by a guess.
func TestFaultRepairOnServer(t *testing.T) {
	t.Parallel()
	harms := map[string][5]delivery.Status{ // of four people who got their mail, and one who did not
		`UPDATE outcomes SET status = 4 WHERE seq = 2`:       {delivery.Sent, delivery.Unknown, delivery.Sent, delivery.Sent, delivery.Unknown},
		`DELETE FROM outcomes WHERE seq > 2`:                 {delivery.Sent, delivery.Sent, delivery.Unknown, delivery.Unknown, delivery.Unknown},
		`UPDATE meta SET commits = commits - 1`:              {delivery.Sent, delivery.Sent, delivery.Sent, delivery.Sent, delivery.Unknown},
		`DELETE FROM meta`:                                   {delivery.Sent, delivery.Sent, delivery.Sent, delivery.Sent, delivery.Unknown},
		`DELETE FROM runs`:                                   {delivery.Sent, delivery.Sent, delivery.Sent, delivery.Sent, delivery.Unknown},
		`ALTER TABLE outcomes RENAME COLUMN status TO state`: {delivery.Unknown, delivery.Unknown, delivery.Unknown, delivery.Unknown, delivery.Unknown},
		`DROP TABLE meta, schema, secret, writers, holders, runs, intents, outcomes, skipped, kept, pauses, suppressed`: {delivery.Unknown, delivery.Unknown, delivery.Unknown, delivery.Unknown, delivery.Unknown},
	}
	for harm, want := range harms {
		o, db := served(t)
		w, f := judge(t, o)
		if !f.Sound() || len(f.Runs) != 1 || f.Runs[0].States == nil || f.Runs[0].States.Sent != 4 || f.Suppressed != 1 {
			t.Fatalf("whole: %+v", f)
		}
		check(t, w.Close()) // who looks has the tables
		_, err := db.Exec(harm)
		check(t, err)
		var damaged *refusal.DamagedError
		var lost *refusal.LostError
		if _, err := start(t, o, journal.Spec{Campaign: "spring"}); !errors.As(err, &damaged) && !errors.As(err, &lost) {
			t.Errorf("%s: %v", harm, err)
		}
		if w, f = judge(t, o); f.Sound() {
			t.Errorf("%s: found sound", harm)
			continue
		}
		r, err := repair.Run(context.Background(), place(o), w, f, time.Now())
		if err != nil {
			t.Errorf("%s: %v", harm, err)
			continue
		}
		if aside := strings.Contains(r.Aside, "_damaged_"); aside == strings.HasPrefix(harm, "DROP") {
			t.Errorf("%s: put aside as %q", harm, r.Aside)
		}
		if _, f := judge(t, o); !f.Sound() {
			t.Errorf("%s: the new one: %+v", harm, f.Faults)
		}
		check(t, w.Close())
		p, err := start(t, o, journal.Spec{Campaign: "spring"})
		if err != nil {
			t.Errorf("%s: %v", harm, err)
			continue
		}
		var ids []delivery.ID
		for n := range want {
			ids = append(ids, p.id(n))
		}
		states, err := p.Lookup(t.Context(), ids)
		check(t, err)
		for n := range want {
			if states[n].Status != want[n] {
				t.Errorf("%s: %d is %s, want %s", harm, n, states[n].Status, want[n])
			}
		}
		p.end(t)
	}
	t.Attr("fault", "R13 a journal in PostgreSQL: rows changed or missing, its own row, tables, all of it")
	t.Attr("expected", "refused; journal repair makes a new one, in which nobody is sent or unsent by a guess")
	t.Attr("seen", "as expected")
}

// Who has a journal open does not write to the one that a repair put aside, nor to the new one.
func TestServerReplacedInUse(t *testing.T) {
	t.Parallel()
	o, db := served(t)
	b, err := journal.Open(t.Context(), o)
	check(t, err)
	_, err = db.Exec(`UPDATE outcomes SET status = 4 WHERE seq = 2`)
	check(t, err)
	w, f := judge(t, o)
	_, err = repair.Run(t.Context(), place(o), w, f, time.Now())
	check(t, err)
	if err := b.Suppress(t.Context(), []journal.Suppression{{Whom: "bob@x.test", At: time.Now()}}); err == nil || !strings.Contains(err.Error(), "replaced while it was in use") {
		t.Errorf("%v", err)
	}
	check(t, b.Close())
}

// Nothing is repaired that somebody writes to meanwhile.
func TestServerWrittenTo(t *testing.T) {
	t.Parallel()
	o, db := served(t)
	b, err := journal.Open(t.Context(), o)
	check(t, err)
	_, err = db.Exec(`UPDATE outcomes SET status = 4 WHERE seq = 2`)
	check(t, err)
	w, f := judge(t, o)
	check(t, b.Suppress(t.Context(), []journal.Suppression{{Whom: "bob@x.test", At: time.Now()}}))
	if _, err := repair.Run(t.Context(), place(o), w, f, time.Now()); !errors.Is(err, salvage.ErrBusy) {
		t.Errorf("%v", err)
	}
	n := 0
	for _, err := range b.Suppressions(t.Context(), 0) {
		check(t, err)
		n++
	}
	if n != 2 {
		t.Errorf("%d entries", n)
	}
	check(t, b.Close())
}
