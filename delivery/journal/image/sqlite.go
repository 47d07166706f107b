package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite/vfs"
)

// SQLite opens the image for reading, and gives what closes it again. What sorting needs goes to the system's temporary
// directory, which a file system of ours has not.
func (m *Image) SQLite(ctx context.Context) (db *sqlx.DB, done func() error, err error) {
	name, sys, err := vfs.New(m)
	if err != nil {
		return nil, nil, err
	}
	uri := fmt.Sprintf("file:%s?vfs=%s&mode=ro&immutable=1", Name, name)
	if db, err = sqlx.Open("sqlite", uri+"&_pragma=temp_store(MEMORY)&_pragma=query_only(1)"); err != nil {
		return nil, nil, errors.Join(err, sys.Close())
	}
	db.SetMaxOpenConns(1)
	return db, func() error { return errors.Join(db.Close(), sys.Close()) }, nil
}

// Attached opens a connection whose schema "journal" is the image, so that what sorting needs goes to SQLite's own files.
func (m *Image) Attached(ctx context.Context) (db *sqlx.DB, done func() error, err error) {
	name, sys, err := vfs.New(m)
	if err != nil {
		return nil, nil, err
	}
	if db, err = sqlx.Open("sqlite", "file::memory:?_pragma=temp_store(FILE)&_pragma=cache_size(-2048)"); err != nil {
		return nil, nil, errors.Join(err, sys.Close())
	}
	db.SetMaxOpenConns(1)
	done = func() error { return errors.Join(db.Close(), sys.Close()) }
	if _, err := db.ExecContext(ctx, "ATTACH ? AS journal", fmt.Sprintf("file:%s?vfs=%s&mode=ro&immutable=1", Name, name)); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return db, done, nil
}
