package store

import (
	"bytes"
	"context"

	"github.com/jmoiron/sqlx"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// fixed are the octets of SQLite's header (https://sqlite.org/fileformat2.html §1.3) that are the same in every file of ours. SQLite
// believes most of them: a file that calls itself auto-vacuumed is read well, and torn up when it grows.
var fixed = []struct {
	at   int
	what []byte
}{
	{0, []byte("SQLite format 3\x00")},
	{20, []byte{0, 64, 32, 32}},          // nothing reserved in a page; fractions
	{44, []byte{0, 0, 0, 4}},             // format of the tables
	{52, []byte{0, 0, 0, 0}},             // no auto-vacuum
	{56, []byte{0, 0, 0, 1, 0, 0, 0, 0}}, // UTF-8; no version of a user's
	{64, make([]byte, 28)},               // no incremental vacuum; no application; room for later
}

const odd = "damaged: its header is not as it was written"

// header makes sure that the header of a file with tables says what ours say. It looks at page 1 as the log has it.
func (s *Store) header(ctx context.Context, db *sqlx.DB) error {
	var page []byte
	if err := db.GetContext(ctx, &page, `SELECT data FROM sqlite_dbpage WHERE pgno = 1`); err != nil {
		return err
	}
	// The versions for reading and for writing are 2 once there is a write-ahead log.
	ours := page[18] == page[19] && (page[18] == 1 || page[18] == 2)
	for _, f := range fixed {
		ours = ours && bytes.HasPrefix(page[f.at:], f.what)
	}
	if !ours {
		return s.damaged(odd)
	}
	return nil
}

// strange gives damage its type that SQLite takes for the format of a later version of itself, which it has no code for.
func (s *Store) strange(err error) error {
	if code, _ := refusal.Code(err); code == sqlite3.SQLITE_ERROR {
		return &refusal.DamagedError{File: s.file, What: odd, Err: err}
	}
	return err
}
