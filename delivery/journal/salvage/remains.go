package salvage

import (
	"context"
	"path/filepath"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/image"
	"github.com/mailblast/mailblast/delivery/journal/server"
	"github.com/mailblast/mailblast/delivery/journal/store"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// remains are what is left of a journal, wherever it is.
type remains interface {
	each(ctx context.Context, f func(table.Table, table.Row) error) error // every row, as it was written or not
	empty() bool                                                          // there is nothing at all
	structure(ctx context.Context, j *judging) error                      // notes what is wrong before any row is looked at
	counts(ctx context.Context) (db *sqlx.DB, done func() error, err error)
	still(dir string) (bool, error) // nobody has written since; dir is where the files are by now
	Close() error
}

// inFile is a journal in a file.
type inFile struct{ *image.Image }

func (r inFile) each(ctx context.Context, f func(table.Table, table.Row) error) error {
	return r.Cells(ctx, func(c image.Cell) error {
		t, row, ok := shape(c)
		if !ok {
			return nil
		}
		return f(t, row)
	})
}

func (r inFile) empty() bool { return r.Empty() }

func (r inFile) still(dir string) (bool, error) { return r.Stable(filepath.Join(dir, store.Name)) }

func (r inFile) structure(ctx context.Context, j *judging) error { return j.file(ctx, r.Image) }

func (r inFile) counts(ctx context.Context) (*sqlx.DB, func() error, error) {
	if r.Missing() {
		return nil, nil, nil
	}
	db, done, err := r.Attached(ctx)
	if err != nil {
		return nil, nil, nil // it is no file of SQLite's any more
	}
	return db, done, nil
}

// onServer is a journal in PostgreSQL.
type onServer struct {
	*server.Remains
	ctx context.Context
}

func (r *onServer) each(ctx context.Context, f func(table.Table, table.Row) error) error {
	return r.Each(ctx, f)
}

func (r *onServer) empty() bool { return r.Empty() }

func (r *onServer) still(string) (bool, error) { return r.Stable(r.ctx) }

func (r *onServer) structure(ctx context.Context, j *judging) error {
	if r.Empty() {
		j.fault(nil, "it has no tables")
		return nil
	}
	var err error
	j.f.Schema, err = r.Refused(ctx)
	return j.refused(err)
}

func (r *onServer) counts(context.Context) (*sqlx.DB, func() error, error) {
	return r.DB(), func() error { return nil }, nil
}
