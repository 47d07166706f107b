package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/jmoiron/sqlx"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// trust holds the journal against its witnesses. It only reads: even closing a connection that can write would throw away
// the part of a damaged write-ahead log that SQLite does not take.
func (s *Store) trust(ctx context.Context, w witness) (err error) {
	db, err := dial(s.file, "mode=ro", readCache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err := s.undo(ctx, db); err != nil {
		return err
	}
	if err := reach(ctx, db); err != nil {
		return s.strange(err)
	}
	_, err = s.weigh(ctx, db, w)
	return err
}

// Inspect gives the schema of the journal of a directory as db shows it, 0 being none, and what Open would refuse it for.
func Inspect(ctx context.Context, dir string, db *sqlx.DB) (schema int, err error) {
	s := &Store{o: Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}, file: filepath.Join(dir, Name)}
	w, err := witnesses(dir)
	if err != nil {
		return 0, err
	}
	schema, err = s.weigh(ctx, db, w)
	return schema, refusal.Of(s.file, err)
}

func (s *Store) weigh(ctx context.Context, db *sqlx.DB, w witness) (have int, err error) {
	have, err = s.versionOf(ctx, db)
	if err == nil && have > 0 {
		err = s.header(ctx, db)
	}
	if err != nil {
		return have, err
	}
	switch {
	case have == 0 && (w.marked == nil || len(w.list.Runs) > 0):
		return have, s.damaged("damaged: it has no tables")
	case have == 0: // another process is about to make them
		return have, nil
	case have == 1 && w.marked == nil:
		return have, s.damaged("it is from before %s: the journal was taken back", mark.Name)
	case have == 1:
		return have, nil
	}
	var m Meta
	if err := m.scan(s.file, db.QueryRowContext(ctx, readMeta)); err != nil {
		return have, err
	}
	return have, s.compare(m, w)
}

// undo is for a process that was killed while it made the file: what has no write-ahead log yet has a rollback journal, which
// only a connection that can write undoes.
func (s *Store) undo(ctx context.Context, db *sqlx.DB) (err error) {
	const first = `SELECT count(*) FROM sqlite_schema`
	var tables int
	if code, _ := refusal.Code(db.GetContext(ctx, &tables, first)); code != sqlite3.SQLITE_READONLY_ROLLBACK {
		return nil // what else is wrong is told by who asks next
	}
	w, err := dial(s.file, "_txlock=immediate", readCache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := reach(ctx, w); err != nil {
		return err
	}
	return w.GetContext(ctx, &tables, first)
}

func (s *Store) damaged(format string, args ...any) error {
	return &refusal.DamagedError{File: s.file, What: fmt.Sprintf(format, args...)}
}

// versionOf gives the version of the schema, 0 being none, and makes sure that the file has its tables.
func (s *Store) versionOf(ctx context.Context, db sqlx.QueryerContext) (have int, err error) {
	var tables, versions int
	err = sqlx.GetContext(ctx, db, &tables, `SELECT count(*) FROM sqlite_schema`)
	if err != nil || tables == 0 {
		return 0, err
	}
	row := db.QueryRowxContext(ctx, `SELECT count(*), coalesce(max(version), 0) FROM schema`)
	if err := row.Scan(&versions, &have); err != nil {
		if code, ok := refusal.Code(err); ok && code&0xff != 1 {
			return 0, err
		}
		return 0, s.damaged("damaged: it does not say its version")
	}
	know := min(have, version)
	shape, err := shaped(ctx, db, know)
	switch {
	case err != nil:
		return 0, err
	case versions == 1 && have > version && !shape:
		return 0, &refusal.NewerError{File: s.file, Have: have, Know: version}
	case versions != 1 || have < 1 || have > version || !shape:
		return 0, s.damaged("damaged: its tables are not those of schema %d", know)
	}
	return have, nil
}

// compare holds what the journal says of itself against mark and list.
func (s *Store) compare(m Meta, w witness) error {
	id, commits := mark.Mark{Journal: m.ID}.String(), m.Commits
	switch {
	case w.marked != nil && commits > 1: // one that is new has none yet
		s.o.Log.Warn("the journal's mark is missing or damaged and is made anew", "file", mark.Name, "error", w.marked)
	case w.marked == nil && w.mark.Journal != m.ID:
		return s.damaged("%s is of journal %s, %s of journal %s: they do not belong together", Name, id, mark.Name, w.mark)
	case w.marked == nil:
		commits = max(commits, w.mark.Commits)
	}
	for _, r := range w.list.Runs {
		if r.Journal == id {
			commits = max(commits, r.Commit)
		}
	}
	if gone := commits - m.Commits; gone > 0 {
		last := fmt.Sprintf("its last %d commits are gone", gone)
		if gone == 1 {
			last = "its last commit is gone"
		}
		return &refusal.DamagedError{File: s.file, What: fmt.Sprintf("damaged: %s (it has %d of %d)", last, m.Commits, commits), Gone: gone}
	}
	return nil
}
