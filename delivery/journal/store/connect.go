package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite" // the database/sql driver "sqlite" as well
	sqlite3 "modernc.org/sqlite/lib"
)

// Memory of one connection, in KiB. Reports sort, and each of SQLite's sorters takes that much over again.
const writeCache, readCache = 8192, 2048

// patience is how long a connection waits for others, in milliseconds.
const patience = "60000"

// writing is how a connection that can write commits: through a write-ahead log that is on disk when a commit returns, and that
// Store carries over. The file is there: where a repair has just moved it away, no other is made in its place.
const writing = "mode=rw&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)"

func dial(file, how string, cache int) (*sqlx.DB, error) {
	name, err := source(file, how, cache)
	if err != nil {
		return nil, err
	}
	return sqlx.Open("sqlite", name)
}

// source is a file's name for the driver.
func source(file, how string, cache int) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}
	return fmt.Sprintf("%s?_pragma=busy_timeout(%s)&_pragma=temp_store(FILE)&_pragma=cache_size(-%d)&%s", u.String(), patience, cache, how), nil
}

// reach opens the first connection. While another process makes a new file a write-ahead one, SQLite says that it is busy
// at once, whatever busy_timeout says.
func reach(ctx context.Context, db *sqlx.DB) error {
	for try := 0; ; try++ {
		err := db.PingContext(ctx)
		var busy *sqlite.Error
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY || try == 500 {
			return err
		}
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}
