package journal

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/state"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Spec says which run to begin.
type Spec struct {
	Campaign string
	Key      string // of the run, such as "2026-W48"; empty for a campaign that is sent once
	Again    bool   // a new generation, that sends to everyone anew

	// Secret is what deliveries are named by. A run that was begun with another one gives a *refusal.SecretError. Nil: not
	// compared.
	Secret []byte
	// Host is a number of this machine, a space, and its name for people. A journal that was last sent from another one gives a *refusal.HostError, unless Move says
	// that it is meant. Empty: not compared.
	Host string
	Move bool
	// StartOver is Options.StartOver for this run alone.
	StartOver bool
	// Letter and Source are fingerprints of what is sent, and to whom. They are only kept, for RunInfo of the next process.
	// Empty: what is known stays.
	Letter, Source string
}

// Begin finds the latest generation of a run, or makes one. Intents that an earlier process left without outcome
// become unknown. The caller holds the run's Lock and calls Close when done. Errors are *refusal.DamagedError,
// *refusal.LostError, *refusal.HostError and *refusal.SecretError where they fit; no run was begun or changed then, and Begin may
// be called again.
func (b *Book) Begin(ctx context.Context, s Spec) (*Run, error) {
	g := beginning{b: b, s: s, run: &Run{book: b}}
	if err := g.begin(ctx); err != nil {
		return nil, fmt.Errorf("journal: begin %s: %w", s.Campaign, refusal.Of(b.store.File(), err))
	}
	return g.run, nil
}

// beginning is one call of Begin.
type beginning struct {
	b    *Book
	s    Spec
	run  *Run
	list register.List
	row  runRow // of the run, as it is written
}

func (g *beginning) begin(ctx context.Context) (err error) {
	if err := g.b.ballast(); err != nil {
		return err
	}
	if g.list, err = register.Read(g.b.o.Dir); err != nil {
		return err
	}
	if _, err := g.verify(ctx); err != nil {
		return err
	}
	var commits uint64
	err = g.b.update(ctx, func(tx *ledger.Tx) error {
		commits = tx.Meta.Commits
		return g.resume(ctx, tx)
	})
	if err != nil {
		return err
	}
	if !g.run.info.Fresh {
		if err := g.recall(ctx); err != nil {
			return err
		}
	}
	// Nothing of the run can be sent before Begin returns: a run that sent anything is in the list.
	if err := g.b.enlist(&g.row, commits, g.list); err != nil {
		return errors.Join(err, g.run.Close())
	}
	return nil
}

// ballast takes room for what will be on the wire. A disk that has none for it has none to send by.
func (b *Book) ballast() error {
	if b.temp != "" || b.store.Shared() {
		return nil
	}
	err := disk.Ballast(b.o.Dir, 1<<20+8<<10*int64(b.o.Connections))
	if err != nil && !refusal.NoRoom(err) {
		b.o.Log.Warn("no room could be put by for a full disk", "error", err)
		return nil
	}
	return err
}

// Verify looks at what Begin would carry on, and changes nothing: its error is the *refusal.DamagedError or *refusal.LostError that
// Begin would give, nil when it would give none of these.
func (b *Book) Verify(ctx context.Context, s Spec) (err error) {
	g := beginning{b: b, s: s}
	var rows []table.Row
	if g.list, err = register.Read(b.o.Dir); err == nil {
		rows, err = g.verify(ctx)
	}
	if err == nil {
		at := g.stand(rows)
		if err = g.refused(rows, at); err == nil && at.found && !s.Again {
			_, err = b.OnWire(ctx, RunInfo{ID: uint64(at.known.id)}) // reads the intents that Begin settles
		}
	}
	if err != nil {
		return fmt.Errorf("journal: verify %s: %w", s.Campaign, refusal.Of(b.store.File(), err))
	}
	return nil
}

// verify reads every row that the run rests on, and gives all runs. What others add meanwhile was written by a process that lives.
func (g *beginning) verify(ctx context.Context) (rows []table.Row, err error) {
	s := g.b.store
	tx, err := s.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	m, err := s.Meta(ctx, tx)
	if err != nil {
		return nil, err
	}
	if rows, err = s.Runs(ctx, tx, m); err != nil {
		return nil, err
	}
	r, ok := latest(rows, g.s.Campaign, g.s.Key)
	if !ok || g.s.Again {
		return rows, nil
	}
	return rows, s.Verify(ctx, table.Outcomes, r.firstOutcome, m.Outcomes)
}

// resume finds or makes the run, makes sure that it is meant, and settles what was left on the wire.
func (g *beginning) resume(ctx context.Context, tx *ledger.Tx) error {
	if err := g.find(ctx, tx); err != nil {
		return err
	}
	if err := g.claim(tx); err != nil {
		return err
	}
	g.run.info, g.run.round = g.row.info(), int(g.row.round)
	old, err := g.settle(ctx, tx)
	if err != nil {
		return err
	}
	g.run.info.Fresh = !old && g.row.doubt == 0
	if g.s.Letter != "" {
		g.row.letter = g.s.Letter
	}
	if g.s.Source != "" {
		g.row.source = g.s.Source
	}
	if err := tx.Take(ctx, g.row.id); err != nil {
		return err
	}
	return g.row.put(ctx, tx)
}

// find takes the run's row of the table, or a new one.
func (g *beginning) find(ctx context.Context, tx *ledger.Tx) error {
	rows, err := g.b.store.Runs(ctx, tx, tx.Meta)
	if err != nil {
		return err
	}
	// A transaction counts its own rows, so the number of runs is that before this one.
	at := g.stand(rows)
	if err := g.refused(rows, at); err != nil {
		return err
	}
	switch {
	case g.s.Again && (at.found || at.once):
		g.row = runRow{generation: max(at.known.generation, int64(at.listed.Generation)) + 1}
	case at.lost:
		g.row = runRow{generation: int64(at.listed.Generation)}
	case at.found:
		g.row = at.known
		return nil
	default:
		g.row = runRow{}
		if err := g.outlive(ctx, tx, nameless(rows)); err != nil {
			return err
		}
	}
	r, m := &g.row, &tx.Meta
	for _, each := range rows {
		r.id = max(r.id, each.Int(0))
	}
	r.id++
	m.Runs++
	r.campaign, r.key, r.started, r.columns, r.note = g.s.Campaign, g.s.Key, outcome.Micro(time.Now()), "[]", "[]"
	r.firstOutcome, r.settledOutcome, r.settledIntent = m.Outcomes, m.Outcomes, m.Intents
	return nil
}

// claim holds secret and host against those of the process before.
func (g *beginning) claim(tx *ledger.Tx) error {
	if len(g.s.Secret) > 0 {
		print := fingerprint(g.s.Secret)
		if g.row.secret != "" && g.row.secret != print {
			return &refusal.SecretError{File: g.b.file(), Run: g.row.info().Name()}
		}
		g.row.secret = print
	}
	if g.s.Host == "" {
		return nil
	}
	was, name, _ := strings.Cut(tx.Meta.Host, " ")
	here, myName, _ := strings.Cut(g.s.Host, " ")
	if was != "" && was != here && !g.s.Move && !g.b.store.Shared() {
		return &refusal.HostError{File: g.b.file(), Have: cmp.Or(name, was), Here: cmp.Or(myName, here)}
	}
	tx.Meta.Host = g.s.Host
	return nil
}

// fingerprint tells one secret from another, and nothing about it.
func fingerprint(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("mailblast journal"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// recall lays out what is known of every delivery.
func (g *beginning) recall(ctx context.Context) (err error) {
	r := g.run
	r.states, err = state.Load(ctx, g.b.read(), g.b.file(), r.info.ID, r.info.first)
	if err != nil {
		return err
	}
	if r.states.Counts().Gone > 0 { // a row that comes back starts a new round
		err = g.b.update(ctx, func(tx *ledger.Tx) error {
			return g.b.change(ctx, tx, r.info.ID, func(row *runRow) { row.round++; g.row = *row })
		})
		if err != nil {
			return errors.Join(err, r.Close())
		}
		r.round++
	}
	return nil
}

// enlist has the list of runs say what the row says.
func (b *Book) enlist(r *runRow, commits uint64, list register.List) error {
	line := r.line(b.store.ID(), commits)
	last, _ := list.Latest(r.campaign, r.key)
	if old, ok := list.Find(line); ok && old.Retried >= line.Retried && last.Journal == line.Journal {
		return nil
	}
	return register.Append(b.o.Dir, line)
}

// enlistAll has the list of runs say what a journal says that had no list.
func (b *Book) enlistAll(ctx context.Context) error {
	rows, err := b.runs(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	var lines []register.Run
	for _, row := range rows {
		r := parseRun(row)
		lines = append(lines, r.line(b.store.ID(), 1))
	}
	return register.Append(b.o.Dir, lines...)
}
