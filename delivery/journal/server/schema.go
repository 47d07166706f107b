package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

const version = 2 // the same as in a file

var tables = []table.Table{table.Meta, table.Runs, table.Intents, table.Outcomes, table.Skipped, table.Kept, table.Pauses, table.Suppressed}

// beside are tables that a journal in a file has no need of: the secret that machines share; how many commits each process has made;
// and which of them carries a run on.
var beside = []struct{ name, columns, ddl string }{
	{"secret", "one, value", "CREATE TABLE secret (one BIGINT PRIMARY KEY, value BYTEA NOT NULL)"},
	{"writers", "id, own", "CREATE TABLE writers (id BYTEA PRIMARY KEY, own BIGINT NOT NULL)"},
	{"holders", "run, writer", "CREATE TABLE holders (run BIGINT PRIMARY KEY, writer BYTEA NOT NULL)"},
}

var writeMeta = ledger.Insert("postgres", table.Meta, 1)

// migrate makes the tables where there are none, and tells whether it did. Those that are there must be ours.
func (s *Store) migrate(ctx context.Context, w witness) (made bool, err error) {
	have, err := s.versionOf(ctx, s.read)
	if err != nil || have == version {
		return false, err
	}
	if w.marked == nil && !s.o.StartOver || s.o.Look {
		return false, &refusal.LostError{File: s.place.name, Missing: true, Runs: w.runs(w.mark.String())}
	}
	tx, err := s.write.BeginTxx(ctx, nil)
	if err != nil {
		return false, err
	}
	// One machine makes them, and the others wait for it.
	_, err = tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('mailblast journal'))`)
	if err == nil {
		have, err = s.versionOf(ctx, tx)
	}
	if err == nil && have == 0 {
		made, err = true, s.makeTables(ctx, tx)
	}
	if err == nil {
		err = tx.Commit()
	} else {
		_ = tx.Rollback() // what went wrong is told
	}
	var said *pq.Error
	if errors.As(err, &said) && said.Code == "42501" { // not allowed
		err = &refusal.ServerError{File: s.place.name, Why: fs.ErrPermission, Err: fmt.Errorf("its tables cannot be made: %w", err)}
	}
	return made, err
}

func (s *Store) makeTables(ctx context.Context, tx *sqlx.Tx) error {
	m := ledger.Meta{Commits: 1, OutcomesFrom: 1, From: 1}
	var err error
	if m.ID = s.o.number; m.ID == [16]byte{} {
		m.ID, err = newID()
	}
	if err != nil {
		return err
	}
	var schemas int // who may not make one may still use it
	if err := tx.GetContext(ctx, &schemas, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, s.place.schema); err != nil {
		return err
	}
	var all []string
	if schemas == 0 {
		all = append(all, "CREATE SCHEMA "+pq.QuoteIdentifier(s.place.schema))
		if s.o.draft {
			all = append(all, comment(s.place.schema, ofRepair))
		}
	}
	all = append(all, "CREATE TABLE schema (version BIGINT NOT NULL)", fmt.Sprintf("INSERT INTO schema VALUES (%d)", version))
	for _, t := range beside {
		all = append(all, t.ddl)
	}
	for _, t := range tables {
		all = append(all, t.ServerDDL())
	}
	for _, q := range all {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, writeMeta, m.Row()...)
	return err
}

// shapes gives the columns of each table there is.
func (s *Store) shapes(ctx context.Context, db sqlx.QueryerContext) (map[string]string, error) {
	var lines []struct{ Name, Columns string }
	err := sqlx.SelectContext(ctx, db, &lines, `SELECT c.relname AS name, string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE n.nspname = $1 AND c.relkind = 'r' GROUP BY c.relname`, s.place.schema)
	all := map[string]string{}
	for _, l := range lines {
		all[l.Name] = l.Columns
	}
	return all, err
}

func shape(t table.Table) string { return t.List("") }

// versionOf gives the schema's version, 0 for none.
func (s *Store) versionOf(ctx context.Context, db sqlx.QueryerContext) (have int, err error) {
	lines, err := s.shapes(ctx, db)
	if err != nil || len(lines) == 0 {
		return 0, err
	}
	if lines["schema"] != "version" {
		return 0, s.damaged("it has tables of something else in its schema %s; another schema: ?search_path=NAME", s.place.schema)
	}
	var versions int
	if err := db.QueryRowxContext(ctx, `SELECT count(*), coalesce(max(version), 0) FROM schema`).Scan(&versions, &have); err != nil {
		return 0, err
	}
	if versions == 1 && have > version {
		return 0, &refusal.NewerError{File: s.place.name, Have: have, Know: version}
	}
	for _, t := range beside {
		if lines[t.name] != t.columns {
			return 0, s.damaged("damaged: its tables are not those of schema %d", version)
		}
	}
	for _, t := range tables {
		if versions != 1 || have != version || lines[t.Name] != shape(t) {
			return 0, s.damaged("damaged: its tables are not those of schema %d", version)
		}
	}
	return have, nil
}

// soon is how long those wait for the server who only look.
const soon = 3 * time.Second

// Exists tells whether there is a journal, or was one that this machine wrote to, without making one.
func Exists(ctx context.Context, dsn, dir string) (is bool, err error) {
	w, err := witnesses(dir)
	if err != nil || w.marked == nil && w.mark.Commits > 1 {
		return err == nil, err
	}
	s := &Store{o: Options{Patience: soon}}
	defer cutAfter(ctx, s.sockets.cut)()
	if s.place, err = locate(dsn); err != nil {
		return false, err
	}
	if s.write, err = s.place.dial(reading, &s.sockets); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.write.Close()) }()
	if err := s.reach(ctx); err != nil {
		return false, s.typed(err)
	}
	err = s.write.GetContext(ctx, &is, `SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'meta')`, s.place.schema)
	return is, s.typed(err)
}
