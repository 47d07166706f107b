package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
)

// State is what became of a delivery before this process began.
type State struct {
	Status   delivery.Status // NotTried: nothing yet, or reopened
	Via      int
	Attempts int
	Tries    int
	First    time.Time
	Next     time.Time
}

// An outcome's standing is (round, rank, seq) in one number: the highest of a delivery is its state. A round is what
// lies between two reopenings, and each reopened delivery has a row of rank 1 in the new one.
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

// standings is a query of each delivery's state; it takes the run's first place and number.
var standings = `SELECT key, copy, ` + standing + ` AS standing,
	max((round << 32) | CASE WHEN charged THEN attempt ELSE 0 END) & 0xffffffff AS attempts,
	max((round << 32) | try) & 0xffffffff AS tries
	FROM outcomes WHERE seq > ? AND run = ? AND status <> ` + fmt.Sprint(int(delivery.NotTried)) + ` GROUP BY key, copy`

var seqOf = fmt.Sprintf(`(standing & %d)`, int64(1)<<seqBits-1)

// states is a temporary table of a connection of its own. SQLite keeps it in an unlinked file that only we can read.
type states struct {
	conn   *sqlx.Conn
	lookup *sqlx.Stmt
	see    *sqlx.Stmt
	back   *sqlx.Stmt
	gone   int // deliveries whose row left the list in an earlier process

	mu     sync.Mutex
	counts Counts
}

const lookups = 256 // keys a statement

// load lays out the state of every delivery, in the order of its key.
func (b *Book) load(ctx context.Context, run RunInfo) (*states, error) {
	conn, err := b.read.Connx(ctx)
	if err != nil {
		return nil, err
	}
	s := &states{conn: conn}
	if err := s.fill(ctx, run); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *states) fill(ctx context.Context, run RunInfo) (err error) {
	if err := s.forget(); err != nil {
		return err
	}
	for _, q := range []string{`PRAGMA temp.journal_mode = OFF`, `DROP TABLE IF EXISTS temp.states`,
		`CREATE TEMP TABLE states (key BLOB, copy INTEGER, standing INTEGER, attempts INTEGER, tries INTEGER, seen INTEGER,
			PRIMARY KEY (key, copy)) WITHOUT ROWID`} {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	_, err = s.conn.ExecContext(ctx, `INSERT INTO temp.states SELECT *, 0 FROM (`+standings+`) ORDER BY key, copy`, run.first, int64(run.ID))
	if err != nil {
		return err
	}
	if err := s.count(ctx); err != nil {
		return err
	}
	if s.lookup, err = s.conn.PreparexContext(ctx, `SELECT o.run, s.key, s.copy, o.status, o.class, o.via, s.attempts, s.tries, o.first, o.next
		FROM temp.states s JOIN outcomes o ON o.seq = `+seqOf+` WHERE s.key IN (?`+strings.Repeat(",?", lookups-1)+`)`); err != nil {
		return err
	}
	if s.see, err = s.conn.PreparexContext(ctx, `UPDATE temp.states SET seen = 1 WHERE key = ? AND copy = ?`); err != nil {
		return err
	}
	s.back, err = s.conn.PreparexContext(ctx, `UPDATE temp.states SET seen = 1, standing = ? WHERE key = ? AND copy = ?`)
	return err
}

func (s *states) count(ctx context.Context) error {
	rows, err := s.conn.QueryxContext(ctx, fmt.Sprintf(`SELECT (standing >> %d) & %d, count(*) FROM temp.states GROUP BY 1`, seqBits, 1<<rankBits-1))
	if err != nil {
		return err
	}
	defer rows.Close()
	var c Counts
	for rows.Next() {
		var rank, n int
		if err := rows.Scan(&rank, &n); err != nil {
			return err
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
			s.gone = n
			c.Skipped += n
		case rankUnknown:
			c.Unknown = n
		}
	}
	s.mu.Lock()
	s.counts = c
	s.mu.Unlock()
	return rows.Err()
}

// forget closes the statements.
func (s *states) forget() error {
	var errs []error
	for _, st := range []*sqlx.Stmt{s.lookup, s.see, s.back} {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *states) close() error {
	errs := []error{s.forget()}
	_, err := s.conn.ExecContext(context.Background(), `DROP TABLE IF EXISTS temp.states`)
	return errors.Join(append(errs, err, s.conn.Close())...)
}

// Lookup gives the state of each delivery as this process found it, and notes that this reading of the list has it. A
// fresh run answers at once.
func (r *Run) Lookup(ctx context.Context, ids []delivery.ID) ([]State, error) {
	if r.states == nil {
		return make([]State, len(ids)), nil
	}
	out, back, err := r.states.all(ctx, ids)
	if err == nil && len(back) > 0 {
		err = r.bring(ctx, back)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: lookup: %w", err)
	}
	return out, nil
}

// all looks up any number of deliveries, and gives those back whose row was gone.
func (s *states) all(ctx context.Context, ids []delivery.ID) (out []State, back []delivery.Outcome, err error) {
	out = make([]State, len(ids))
	for at := 0; at < len(ids); at += lookups {
		end := min(at+lookups, len(ids))
		some, err := s.find(ctx, ids[at:end], out[at:end])
		if err != nil {
			return nil, nil, err
		}
		back = append(back, some...)
	}
	return out, back, nil
}

// find looks up one statement's worth of deliveries, and gives those back whose row was gone.
func (s *states) find(ctx context.Context, ids []delivery.ID, out []State) (back []delivery.Outcome, err error) {
	at := make(map[delivery.ID]int, len(ids))
	args := make([]any, lookups)
	for i := range args {
		n := min(i, len(ids)-1)
		args[i] = ids[n].Key[:]
		at[ids[n]] = n
	}
	rows, err := s.lookup.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var open []int
	for rows.Next() {
		var f found
		if err := f.scan(rows); err != nil {
			return nil, err
		}
		i, asked := at[f.id]
		if !asked {
			continue
		}
		out[i] = f.state
		switch {
		case f.gone:
			back = append(back, delivery.Outcome{ID: f.id, First: f.state.First, At: time.Now(), Attempt: f.state.Attempts,
				Try: f.state.Tries, Charged: true})
		case !f.state.Status.Final():
			open = append(open, i)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, i := range open {
		if _, err := s.see.ExecContext(ctx, ids[i].Key[:], int(ids[i].Copy)); err != nil {
			return nil, err
		}
	}
	return back, nil
}

// found is one answer of the lookup statement.
type found struct {
	id    delivery.ID
	state State
	gone  bool
}

func (f *found) scan(rows *sql.Rows) error {
	var (
		key           []byte
		run           int64
		status, class uint8
		first, next   int64
	)
	s := &f.state
	err := rows.Scan(&run, &key, &f.id.Copy, &status, &class, &s.Via, &s.Attempts, &s.Tries, &first, &next)
	if err != nil {
		return err
	}
	f.id.Run = uint64(run)
	copy(f.id.Key[:], key)
	s.Status, s.First, s.Next = delivery.Status(status), fromMicro(first), fromMicro(next)
	f.gone = s.Status == delivery.Skipped && delivery.Class(class) == delivery.ClassGone
	if f.gone || status == reopened {
		s.Status = delivery.NotTried
	}
	return nil
}
