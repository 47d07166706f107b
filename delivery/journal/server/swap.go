package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/journal/table"
)

const draftSuffix = "_repair"

// DraftOf gives the DSN of the schema in which a repair makes the new journal.
func DraftOf(dsn string) string {
	p, err := locate(dsn)
	u, bad := url.Parse(dsn)
	if err != nil || bad != nil {
		return dsn // which is refused as it is
	}
	q := u.Query()
	q.Set("search_path", pq.QuoteIdentifier(p.schema+draftSuffix))
	u.RawQuery = q.Encode()
	return u.String()
}

// Draft makes a journal with a number in that schema, in the place of whatever a repair that was cut short has left there. Its number
// is that of the damaged one: the marks of other machines go on telling what there was.
func Draft(ctx context.Context, o Options, number [16]byte) (s *Store, err error) {
	o.DSN = DraftOf(o.DSN)
	p, err := locate(o.DSN)
	if err != nil {
		return nil, err
	}
	db, err := p.dial(writing)
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+pq.QuoteIdentifier(p.schema)+" CASCADE")
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	o.number = number
	return Open(ctx, o)
}

// ErrBusy says that somebody wrote to the journal since it was looked at.
var ErrBusy = errors.New("the journal is being written to")

// Swap has the journal of that schema take the place of the damaged one that r has looked at, which is put aside under another name,
// all at once. It gives that name; empty: there was nothing to be put aside. Who has the damaged one open is refused from then on.
func Swap(ctx context.Context, r *Remains, now time.Time) (aside string, err error) {
	p := r.s.place
	db, err := p.dial(writing)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return "", r.s.typed(err)
	}
	if aside, err = r.swap(ctx, tx, now); err != nil {
		return "", errors.Join(r.s.typed(err), tx.Rollback())
	}
	return aside, r.s.typed(tx.Commit())
}

func (r *Remains) swap(ctx context.Context, tx *sqlx.Tx, now time.Time) (aside string, err error) {
	schema := r.s.place.schema
	rename := func(from, to string) string {
		return fmt.Sprintf("ALTER SCHEMA %s RENAME TO %s", pq.QuoteIdentifier(from), pq.QuoteIdentifier(to))
	}
	lines, err := r.s.shapes(ctx, tx)
	if err != nil {
		return "", err
	}
	var all []string
	if lines["secret"] == "one, value" { // deliveries are named by it
		all = append(all, fmt.Sprintf("INSERT INTO %s.secret SELECT * FROM secret ON CONFLICT DO NOTHING", pq.QuoteIdentifier(schema+draftSuffix)))
	}
	if !r.void {
		aside = schema + "_damaged_" + now.UTC().Format("20060102_150405")
		all = append(all, rename(schema, aside))
	} else { // of which other things may be in the schema
		all = append(all, "DROP SCHEMA IF EXISTS "+pq.QuoteIdentifier(schema)+" RESTRICT")
	}
	if lines[table.Meta.Name] == shape(table.Meta) { // nobody writes from here on
		if _, err := tx.ExecContext(ctx, "LOCK TABLE meta IN EXCLUSIVE MODE"); err != nil {
			return "", err
		}
	}
	if meta, err := r.own(ctx, tx); err != nil {
		return "", err
	} else if meta != r.meta {
		return "", ErrBusy
	}
	for _, q := range append(all, rename(schema+draftSuffix, schema)) {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return "", err
		}
	}
	return aside, nil
}
