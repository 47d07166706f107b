// Package ledger is what every store of a journal has, be it a file of SQLite or a PostgreSQL server:
//
//  1. a Store is written to in transactions that count themselves, one after the other;
//  2. a View reads: what the journal says of itself, its runs, and whether every row is as it was written;
//  3. a Tx writes sealed rows, and reads long tables while it does.
//
// Statements have ? for their values, as SQLite has it.
package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Store is where a journal is. It is safe for concurrent use.
type Store interface {
	File() string // what it is called to people; nothing secret
	ID() string   // its number, as mark and list have it
	Sealer() *sum.Sealer
	Upgraded() bool // it was of an earlier schema

	Reader() *sqlx.DB                                                     // for reading only
	Snapshot(context.Context) (*sqlx.Tx, error)                           // for reading what belongs together
	Meta(context.Context, sqlx.QueryerContext) (Meta, error)              // what it says of itself
	Runs(context.Context, sqlx.QueryerContext, Meta) ([]table.Row, error) // all of them, the first begun first
	Verify(ctx context.Context, t table.Table, from, to int64) error      // of an append-only table, behind a place

	Prepare(query string) (*sqlx.Stmt, error) // for use in Update
	// Update runs f in one transaction, which is kept when Update returns nil. An error of f undoes it. f may be run again.
	Update(ctx context.Context, f func(*Tx) error) error
	// Erase is Update for what must not be found again.
	Erase(ctx context.Context, f func(*Tx) error) error
	Fault() error // why nothing is written any more; nil as long as it is
	Shared() bool // other machines may use it as well
	Close() error
}

// ErrUsed says that another process uses the journal, so that it could not be changed, or that what was erased still lies in
// its free pages or its write-ahead log.
var ErrUsed = errors.New("another program is using the journal")

// View reads a journal.
type View struct {
	file   string
	db     *sqlx.DB
	number [16]byte
}

// NewView makes a View of a database, by what the journal is called and by its number.
func NewView(file string, db *sqlx.DB, number [16]byte) *View { return &View{file, db, number} }

// File is what the journal is called: a path, or a database.
func (v *View) File() string { return v.file }

// ID is the number of the journal, as mark and list have it.
func (v *View) ID() string { return hex.EncodeToString(v.number[:]) }

// Sealer gives a sealer of this journal's rows.
func (v *View) Sealer() *sum.Sealer { return sum.New(v.number) }

// Reader is for reading only.
func (v *View) Reader() *sqlx.DB { return v.db }

// Snapshot begins a transaction that reads, and sees nothing of what is written after its first statement.
func (v *View) Snapshot(ctx context.Context) (*sqlx.Tx, error) {
	if isServer(v.db.DriverName()) {
		return v.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	}
	return v.db.BeginTxx(ctx, nil)
}

func isServer(driver string) bool { return driver == "postgres" }
