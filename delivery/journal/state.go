package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// ranked gives each status its rank: what happened last among equals counts, and nothing takes back what is better known.
var ranked = fmt.Sprintf(`CASE status WHEN %d THEN 7 WHEN %d THEN 6 WHEN %d THEN 5 WHEN %d THEN 4 WHEN %d THEN 3 WHEN %d THEN 2 ELSE 1 END`,
	delivery.Sent, delivery.Failed, delivery.Suppressed, delivery.Skipped, delivery.Unknown, delivery.Deferred)

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
	counts Counts
}

const lookups = 256 // keys a statement

// load lays out the state of every delivery, in the order of its key.
func (r *Run) load(ctx context.Context) (*states, error) {
	conn, err := r.book.read.Connx(ctx)
	if err != nil {
		return nil, err
	}
	s := &states{conn: conn}
	if err := s.fill(ctx, r); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *states) fill(ctx context.Context, r *Run) (err error) {
	for _, q := range []string{`PRAGMA temp.journal_mode = OFF`, `DROP TABLE IF EXISTS temp.states`,
		`CREATE TEMP TABLE states (key BLOB, copy INTEGER, standing INTEGER, attempts INTEGER, tries INTEGER, seen INTEGER,
			PRIMARY KEY (key, copy)) WITHOUT ROWID`} {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	_, err = s.conn.ExecContext(ctx, `INSERT INTO temp.states SELECT *, 0 FROM (`+standings+`) ORDER BY key, copy`, r.info.first, r.id())
	if err != nil {
		return err
	}
	if err := s.count(ctx); err != nil {
		return err
	}
	if s.lookup, err = s.conn.PreparexContext(ctx, `SELECT s.key, s.copy, o.status, o.via, s.attempts, s.tries, o.first, o.next
		FROM temp.states s JOIN outcomes o ON o.seq = `+seqOf+` WHERE s.key IN (?`+strings.Repeat(",?", lookups-1)+`)`); err != nil {
		return err
	}
	s.see, err = s.conn.PreparexContext(ctx, `UPDATE temp.states SET seen = 1 WHERE key = ? AND copy = ?`)
	return err
}

func (s *states) count(ctx context.Context) error {
	rows, err := s.conn.QueryxContext(ctx, fmt.Sprintf(`SELECT (standing >> %d) & %d, count(*) FROM temp.states GROUP BY 1`, seqBits, 1<<rankBits-1))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var rank, n int
		if err := rows.Scan(&rank, &n); err != nil {
			return err
		}
		switch rank {
		case 7:
			s.counts.Sent = n
		case 6:
			s.counts.Failed = n
		case 5:
			s.counts.Suppressed = n
		case 4:
			s.counts.Skipped = n
		case 3:
			s.counts.Unknown = n
		}
	}
	return rows.Err()
}

func (s *states) close() error {
	var errs []error
	for _, st := range []*sqlx.Stmt{s.lookup, s.see} {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	_, err := s.conn.ExecContext(context.Background(), `DROP TABLE IF EXISTS temp.states`)
	return errors.Join(append(errs, err, s.conn.Close())...)
}

// Lookup gives the state of each delivery as this process found it, and notes that this reading of the list has it. A
// fresh run answers at once.
func (r *Run) Lookup(ctx context.Context, ids []delivery.ID) ([]State, error) {
	out := make([]State, len(ids))
	if r.states == nil {
		return out, nil
	}
	for at := 0; at < len(ids); at += lookups {
		end := min(at+lookups, len(ids))
		if err := r.states.find(ctx, ids[at:end], out[at:end]); err != nil {
			return nil, fmt.Errorf("journal: lookup: %w", err)
		}
	}
	return out, nil
}

func (s *states) find(ctx context.Context, ids []delivery.ID, out []State) error {
	type delivered struct {
		key  [16]byte
		copy uint16
	}
	at := make(map[delivered]int, len(ids))
	args := make([]any, lookups)
	for i := range args {
		id := &ids[min(i, len(ids)-1)]
		args[i] = id.Key[:]
		at[delivered{id.Key, id.Copy}] = min(i, len(ids)-1)
	}
	rows, err := s.lookup.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var open []int
	for rows.Next() {
		var (
			key                  []byte
			id                   delivered
			status               uint8
			via, attempts, tries int
			first, next          int64
		)
		if err := rows.Scan(&key, &id.copy, &status, &via, &attempts, &tries, &first, &next); err != nil {
			return err
		}
		copy(id.key[:], key)
		i, asked := at[id]
		if !asked {
			continue
		}
		out[i] = State{delivery.Status(status), via, attempts, tries, fromMicro(first), fromMicro(next)}
		if status == reopened {
			out[i].Status = delivery.NotTried
		}
		if !out[i].Status.Final() {
			open = append(open, i)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, i := range open {
		if _, err := s.see.ExecContext(ctx, ids[i].Key[:], int(ids[i].Copy)); err != nil {
			return err
		}
	}
	return nil
}
