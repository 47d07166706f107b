package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

const (
	draftSuffix = "_repair"
	ofRepair    = "mailblast: the new journal of a repair"
	ofPast      = "mailblast: a damaged journal, which a repair put aside"
)

// comment says what a schema is: one that happens to be called so is left alone.
func comment(schema, what string) string {
	return fmt.Sprintf("COMMENT ON SCHEMA %s IS %s", pq.QuoteIdentifier(schema), pq.QuoteLiteral(what))
}

// ErrBusy says that somebody wrote to the journal since it was looked at, or is repairing it.
var ErrBusy = errors.New("the journal is being written to")

// Alone keeps other repairs of a journal away, and whoever deletes what they put aside, until release. The error is ErrBusy when one is
// at it.
func Alone(ctx context.Context, dsn string) (release func() error, err error) {
	p, err := locate(dsn)
	if err != nil {
		return nil, err
	}
	db, err := p.dial(writing, &sockets{})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Connx(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), db.Close())
	}
	release = func() error { return errors.Join(conn.Close(), db.Close()) }
	var got bool
	err = conn.GetContext(ctx, &got, `SELECT pg_try_advisory_lock(hashtext('mailblast repair'), hashtext($1))`, p.schema)
	if err == nil && !got {
		err = ErrBusy
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), release())
	}
	return release, nil
}

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
// is that of the damaged one: the marks of other machines go on telling what there was. See Alone.
func Draft(ctx context.Context, o Options, number [16]byte) (s *Store, err error) {
	o.DSN = DraftOf(o.DSN)
	p, err := locate(o.DSN)
	if err != nil {
		return nil, err
	}
	db, err := p.dial(writing, &sockets{})
	if err != nil {
		return nil, err
	}
	err = drop(ctx, db, p.schema, ofRepair)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	o.number, o.draft = number, true
	return Open(ctx, o)
}

// drop deletes a schema, if it is there and of that kind.
func drop(ctx context.Context, db *sqlx.DB, schema, kind string) error {
	var is []string
	err := db.SelectContext(ctx, &is, `SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = $1`, schema)
	switch {
	case err != nil || len(is) == 0:
		return err
	case is[0] != kind:
		return fmt.Errorf("its schema %s is something else's; rename that", schema)
	}
	_, err = db.ExecContext(ctx, "DROP SCHEMA "+pq.QuoteIdentifier(schema)+" CASCADE")
	return err
}

// Swap has the draft that was looked at take the place of the damaged journal that r has looked at, which is put aside under another
// name, all at once. It gives that name; empty: there was nothing to be put aside. Who has the damaged one open is refused from then
// on. ErrBusy: one of them was written to since.
func Swap(ctx context.Context, r *Remains, draft string, now time.Time) (aside string, err error) {
	p := r.s.place
	db, err := p.dial(writing, &sockets{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return "", r.s.typed(err)
	}
	if aside, err = r.swap(ctx, tx, draft, now); err != nil {
		return "", errors.Join(r.s.typed(err), tx.Rollback())
	}
	if err = tx.Commit(); err != nil && r.swapped(ctx, db, aside) { // it was not answered
		err = nil
	}
	return aside, r.s.typed(err)
}

// swapped tells whether all schemas are where Swap wants them.
func (r *Remains) swapped(ctx context.Context, db *sqlx.DB, aside string) (is bool) {
	schema := r.s.place.schema
	err := db.GetContext(ctx, &is, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1) AND NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $2)
		AND ($3 = '' OR EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $3))`, schema, schema+draftSuffix, aside)
	return err == nil && is
}

// Discard deletes the draft of a repair that came to nothing.
func Discard(ctx context.Context, dsn string) (err error) {
	p, err := locate(dsn)
	if err != nil {
		return err
	}
	db, err := p.dial(writing, &sockets{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return drop(ctx, db, p.schema+draftSuffix, ofRepair)
}

func (r *Remains) swap(ctx context.Context, tx *sqlx.Tx, draft string, now time.Time) (aside string, err error) {
	schema := r.s.place.schema
	if err := r.still(ctx, tx, draft); err != nil {
		return "", err
	}
	all, err := r.inherited(ctx, tx)
	if err != nil {
		return "", err
	}
	rename := func(from, to string) string {
		return fmt.Sprintf("ALTER SCHEMA %s RENAME TO %s", pq.QuoteIdentifier(from), pq.QuoteIdentifier(to))
	}
	if !r.void {
		aside = schema + "_damaged_" + now.UTC().Format("20060102_150405")
		all = append(all, comment(schema, ofPast), rename(schema, aside))
	} else { // of which other things may be in the schema
		all = append(all, "DROP SCHEMA IF EXISTS "+pq.QuoteIdentifier(schema)+" RESTRICT")
	}
	all = append(all, rename(schema+draftSuffix, schema), fmt.Sprintf("COMMENT ON SCHEMA %s IS NULL", pq.QuoteIdentifier(schema)))
	for _, q := range all {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return "", err
		}
	}
	return aside, nil
}

// still makes sure that both are what they were when they were looked at, and that nobody writes to the damaged one from here on.
func (r *Remains) still(ctx context.Context, tx *sqlx.Tx, draft string) error {
	if has, err := r.has(ctx, tx, table.Meta); err != nil {
		return err
	} else if has {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE meta IN EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	if meta, err := r.own(ctx, tx); err != nil {
		return err
	} else if meta != r.meta {
		return ErrBusy
	}
	var now string
	query := fmt.Sprintf(`SELECT coalesce(string_agg(m::text, ' '), '') FROM %s.meta m`, pq.QuoteIdentifier(r.s.place.schema+draftSuffix))
	if err := tx.GetContext(ctx, &now, query); err != nil {
		return err
	}
	if now != draft {
		return ErrBusy
	}
	return nil
}

// inherited are the statements by which the new journal has what is not of rows: the secret that deliveries are named by, what each
// process has committed, and who may use it.
func (r *Remains) inherited(ctx context.Context, tx *sqlx.Tx) (all []string, err error) {
	lines, err := r.s.shapes(ctx, tx)
	if err != nil {
		return nil, err
	}
	to := pq.QuoteIdentifier(r.s.place.schema + draftSuffix)
	for _, t := range beside {
		if lines[t.name] == t.columns {
			all = append(all, fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s ON CONFLICT DO NOTHING", to, t.name, t.name))
		}
	}
	var grants []string
	err = tx.SelectContext(ctx, &grants, `SELECT format('GRANT %s ON SCHEMA %s TO %s', a.privilege_type, $2::text, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
		FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = $1 AND a.grantee <> n.nspowner
		UNION ALL SELECT format('GRANT %s ON %s.%I TO %s', a.privilege_type, $2::text, c.relname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
		WHERE n.nspname = $1 AND c.relkind = 'r' AND a.grantee <> c.relowner AND EXISTS
			(SELECT 1 FROM pg_class d JOIN pg_namespace m ON m.oid = d.relnamespace WHERE m.nspname = $3 AND d.relname = c.relname)`, r.s.place.schema, to, r.s.place.schema+draftSuffix)
	if err != nil {
		return nil, err
	}
	owners, err := r.owners(ctx, tx, to)
	return append(append(all, owners...), grants...), err
}

// owners are the statements by which the new journal belongs to whom the damaged one did: a repair may be another's.
func (r *Remains) owners(ctx context.Context, tx *sqlx.Tx, to string) (all []string, err error) {
	var owner []string
	err = tx.SelectContext(ctx, &owner, `SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = $1 AND pg_get_userbyid(nspowner) <> current_user`, r.s.place.schema)
	if err != nil || len(owner) == 0 {
		return nil, err
	}
	all = append(all, fmt.Sprintf("ALTER TABLE %s.schema OWNER TO %s", to, owner[0]))
	for _, t := range beside {
		all = append(all, fmt.Sprintf("ALTER TABLE %s.%s OWNER TO %s", to, t.name, owner[0]))
	}
	for _, t := range tables {
		all = append(all, fmt.Sprintf("ALTER TABLE %s.%s OWNER TO %s", to, t.Name, owner[0]))
	}
	return append(all, fmt.Sprintf("ALTER SCHEMA %s OWNER TO %s", to, owner[0])), nil
}

// Forget has this machine hold nothing against a journal that a repair made: what is missing from it is known.
func Forget(dir string) error {
	return os.RemoveAll(filepath.Join(dir, Marks, own, mark.Name))
}
