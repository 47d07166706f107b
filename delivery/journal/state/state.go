// Package state lays out what became of every delivery of a run, so that looking up takes flat memory:
//
//  1. Load reads all outcomes once and keeps the standing of each delivery, which names its deciding outcome, in a temporary
//     table in the order of their keys;
//  2. Lookup answers from it, and notes which deliveries the list still has;
//  3. Each gives the deciding outcomes of all deliveries in a state.
package state

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
)

// State is what became of a delivery.
type State struct {
	Status   delivery.Status // NotTried: nothing yet, or reopened
	Via      int
	Attempts int
	Tries    int
	First    time.Time
	Next     time.Time
	Print    uint64 // fingerprint of the letter as it was last sent; 0: not known
}

// An outcome's standing is (round, rank, seq) in one number: the highest of a delivery is its state. A round is what
// lies between two reopenings, and each reopened delivery has a row of rank 1 in the new one.
//
// A person's reopening counts in the process that was asked for it, and no further: whoever that process did not come to try is
// what they were before, unknown or failed, to everybody who looks later. Only what its new round has of a try counts for good.
const (
	seqBits   = 44
	rankBits  = 4
	roundBits = seqBits + rankBits
)

// The ranks. What happened last among equals counts, and nothing takes back what is better known. A row that is gone may
// come back to the list; its delivery is reopened then.
const (
	rankReopened = iota + 1
	rankDeferred
	rankUnknown
	rankGone
	rankSkipped
	rankSuppressed
	rankFailed
	rankSent
)

var ranked = fmt.Sprintf(`CASE status WHEN %d THEN %d WHEN %d THEN %d WHEN %d THEN %d WHEN %d THEN CASE class WHEN %d THEN %d ELSE %d END
	WHEN %d THEN %d WHEN %d THEN %d ELSE %d END`,
	delivery.Sent, rankSent, delivery.Failed, rankFailed, delivery.Suppressed, rankSuppressed,
	delivery.Skipped, delivery.ClassGone, rankGone, rankSkipped,
	delivery.Unknown, rankUnknown, delivery.Deferred, rankDeferred, rankReopened)

var standing = fmt.Sprintf(`max((round << %d) | (%s << %d) | seq)`, roundBits, ranked, seqBits)

// lasting are the rows that count for every process. A delivery that a person had tried again has a row without tries or time,
// unlike one whose row is back on the list, which keeps its tries, and one that on_unknown has resent, which waits for its time.
// held are those of a process that is not to resend anything: what waits for its time is what it was before.
var (
	lasting = fmt.Sprintf(`(status <> %d OR charged OR next > 0 OR round >= ?)`, outcome.Reopened)
	held    = fmt.Sprintf(`(status <> %d OR charged OR round >= ?)`, outcome.Reopened)
)

const noRound = math.MaxInt64 // one that no run comes to

// Standings is a query of each delivery's state, as key, copy, standing, attempts, tries; it takes the run's first place
// and number, and the round from which reopenings count whatever came of them, math.MaxInt64 being none.
var Standings = standings(lasting)

func standings(which string) string {
	return `SELECT key, copy, ` + standing + ` AS standing,
	max((round << 32) | CASE WHEN charged THEN attempt ELSE 0 END) & 0xffffffff AS attempts,
	max((round << 32) | try) & 0xffffffff AS tries
	FROM outcomes WHERE seq > ? AND run = ? AND status <> ` + fmt.Sprint(int(delivery.NotTried)) + ` AND ` + which + ` GROUP BY key, copy`
}

// Place is the deciding outcome's place, in SQL.
var Place = fmt.Sprintf(`(standing & %d)`, int64(1)<<seqBits-1)

// deciding joins the deciding outcomes. One that is not where its standing says is a null row, which is damage: a key of
// the table's tree was changed.
var deciding = `temp.states s LEFT JOIN outcomes o ON o.seq = ` + Place + ` AND o.key = s.key AND o.copy = s.copy`

// Counts are the deliveries by state. Gone is among Skipped; Open are those put off and those that were reopened.
type Counts struct {
	Sent, Failed, Unknown, Suppressed, Skipped, Gone, Open int
}

// Table is a temporary table of a connection of its own. SQLite keeps it in an unlinked file that only we can read.
type Table struct {
	file   string
	run    uint64
	first  int64
	hold   bool
	conn   *sqlx.Conn
	lookup *sqlx.Stmt
	see    *sqlx.Stmt
	set    *sqlx.Stmt

	mu     sync.Mutex
	counts Counts
}

const lookups = 256 // keys a statement

// Load lays out the state of every delivery of a run, whose outcomes come after a place.
func Load(ctx context.Context, db *sqlx.DB, file string, run uint64, first int64) (*Table, error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return nil, err
	}
	t := &Table{file: file, run: run, first: first, conn: conn}
	if err := t.Fill(ctx, noRound); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Hold lays everything out anew, with what waits to be resent as it was before.
func (t *Table) Hold(ctx context.Context) error {
	t.hold = true
	return t.Fill(ctx, noRound)
}

// Fill lays everything out anew, with what this process reopened since a round begun as open.
func (t *Table) Fill(ctx context.Context, reopened int64) (err error) {
	if err := t.forget(); err != nil {
		return err
	}
	for _, q := range []string{`PRAGMA temp.journal_mode = OFF`, `DROP TABLE IF EXISTS temp.states`,
		`CREATE TEMP TABLE states (key BLOB, copy INTEGER, standing INTEGER, attempts INTEGER, tries INTEGER, seen INTEGER,
			PRIMARY KEY (key, copy)) WITHOUT ROWID`} {
		if _, err := t.conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	all := Standings
	if t.hold {
		all = standings(held)
	}
	_, err = t.conn.ExecContext(ctx, `INSERT INTO temp.states SELECT *, 0 FROM (`+all+`) ORDER BY key, copy`,
		t.first, int64(t.run), reopened)
	if err != nil {
		return err
	}
	if err := t.count(ctx); err != nil {
		return err
	}
	var errs [3]error
	t.lookup, errs[0] = t.conn.PreparexContext(ctx, `SELECT o.run, s.key, s.copy, o.status, o.class, o.via, s.attempts, s.tries, o.first, o.next, o.print
		FROM `+deciding+` WHERE s.key IN (?`+strings.Repeat(",?", lookups-1)+`)`)
	t.see, errs[1] = t.conn.PreparexContext(ctx, `UPDATE temp.states SET seen = 1 WHERE key = ? AND copy = ?`)
	t.set, errs[2] = t.conn.PreparexContext(ctx, `INSERT INTO temp.states VALUES (?, ?, ?, 0, 0, 1)
		ON CONFLICT DO UPDATE SET seen = 1, standing = excluded.standing`)
	return errors.Join(errs[:]...)
}

func (t *Table) count(ctx context.Context) error {
	c, err := counts(ctx, t.conn, `temp.states`)
	t.mu.Lock()
	t.counts = c
	t.mu.Unlock()
	return err
}

// Count counts the deliveries of a run, whose outcomes come after a place, without laying them out.
func Count(ctx context.Context, db sqlx.QueryerContext, run uint64, first int64) (Counts, error) {
	return counts(ctx, db, `(`+Standings+`)`, first, int64(run), noRound)
}

func counts(ctx context.Context, db sqlx.QueryerContext, from string, args ...any) (c Counts, err error) {
	rows, err := db.QueryxContext(ctx, fmt.Sprintf(`SELECT (standing >> %d) & %d, count(*) FROM %s GROUP BY 1`, seqBits, 1<<rankBits-1, from), args...)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	for rows.Next() {
		var rank, n int
		if err := rows.Scan(&rank, &n); err != nil {
			return c, err
		}
		switch rank {
		case rankSent:
			c.Sent = n
		case rankFailed:
			c.Failed = n
		case rankSuppressed:
			c.Suppressed = n
		case rankSkipped:
			c.Skipped += n
		case rankGone:
			c.Gone = n
			c.Skipped += n
		case rankUnknown:
			c.Unknown = n
		default:
			c.Open += n
		}
	}
	return c, rows.Err()
}

// Counts gives how many deliveries are in which state.
func (t *Table) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// forget closes the statements.
func (t *Table) forget() error {
	var errs []error
	for _, st := range []*sqlx.Stmt{t.lookup, t.see, t.set} {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

// Close frees the table. A second call does nothing.
func (t *Table) Close() error {
	if t.conn == nil {
		return nil
	}
	errs := []error{t.forget()}
	_, err := t.conn.ExecContext(context.Background(), `DROP TABLE IF EXISTS temp.states`)
	errs = append(errs, err, t.conn.Close())
	t.conn = nil
	return errors.Join(errs...)
}

// Set gives deliveries a new deciding outcome, at a place each, and notes that the list has them: one that is reopened, or
// one that is unknown now.
func (t *Table) Set(ctx context.Context, ids []delivery.ID, places []int64, round int, unknown bool) error {
	rank := int64(rankReopened)
	if unknown {
		rank = rankUnknown
	}
	for i, id := range ids {
		if _, err := t.set.ExecContext(ctx, id.Key[:], int(id.Copy), int64(round)<<roundBits|rank<<seqBits|places[i]); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if unknown {
		t.counts.Unknown += len(ids)
	} else {
		t.counts.Skipped -= len(ids)
	}
	return nil
}

// Each gives the deciding outcomes of all deliveries in a state, some at a time; with unseen, of those that no Lookup asked
// for. What f changes in the table may or may not be given.
func (t *Table) Each(ctx context.Context, s delivery.Status, unseen bool, f func([]delivery.Outcome) error) error {
	status, seen := int(s), "1"
	if s == delivery.NotTried {
		status = outcome.Reopened
	}
	if unseen {
		seen = "seen = 0"
	}
	rows, err := t.conn.QueryContext(ctx, `SELECT `+columns+` FROM `+deciding+` WHERE coalesce(o.status, ?) = ? AND `+seen, status, status)
	if err != nil {
		return err
	}
	defer rows.Close()
	var os []delivery.Outcome
	var sc scanner
	for rows.Next() {
		row, err := sc.scan(t.file, rows)
		if err != nil {
			return err
		}
		if os = append(os, outcome.Parse(row)); len(os) == 512 {
			if err := f(os); err != nil {
				return err
			}
			os = nil
		}
	}
	if err := rows.Err(); err != nil || len(os) == 0 {
		return err
	}
	return f(os)
}
