package ledger

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Meta is what the journal says of itself, in one row that every transaction writes anew.
type Meta struct {
	ID                 [16]byte
	Host               string // of the machine that sent last; empty: not known
	Commits            uint64
	Outcomes, Intents  int64 // the highest places
	OutcomesFrom, From int64 // the lowest that are kept, of outcomes and of intents
	Runs               int64 // how many
	Suppressed         int64 // the highest place
}

// ReadMeta is a query of the one row.
var ReadMeta = "SELECT " + table.Meta.List("") + " FROM meta"

// Row is the one row, sealed.
func (m *Meta) Row() []any {
	return table.Meta.Seal(sum.New(m.ID), []any{int64(1), m.ID[:], m.Host, int64(m.Commits), m.Outcomes, m.Intents, m.OutcomesFrom, m.From, m.Runs, m.Suppressed})
}

// Scan reads and checks the one row. It is sealed with the number it names. The error names the file.
func (m *Meta) Scan(file string, row interface{ Scan(...any) error }) error {
	var sc table.Scanner
	v, err := sc.Scan(table.Meta, row)
	if errors.Is(err, sql.ErrNoRows) {
		return &refusal.DamagedError{File: file, What: "damaged: what it says of itself is missing", Rows: 1}
	}
	if err != nil {
		return refusal.Of(file, err)
	}
	intact, ok := ParseMeta(v)
	if !ok {
		return &refusal.DamagedError{File: file, What: "damaged: what it says of itself is not what was written", Rows: 1}
	}
	*m = intact
	return nil
}

// ParseMeta reads the row of meta; ok is false unless it is as it was sealed.
func ParseMeta(v table.Row) (m Meta, ok bool) {
	copy(m.ID[:], v.Blob(1))
	m.Host, m.Commits = v.Text(2), uint64(v.Int(3))
	m.Outcomes, m.Intents, m.OutcomesFrom, m.From, m.Runs, m.Suppressed = v.Int(4), v.Int(5), v.Int(6), v.Int(7), v.Int(8), v.Int(9)
	return m, table.Intact(table.Meta, sum.New(m.ID), v)
}

// Meta gives what the journal says of itself to a reader.
func (v *View) Meta(ctx context.Context, db sqlx.QueryerContext) (m Meta, err error) {
	return m, m.Scan(v.file, db.QueryRowxContext(ctx, ReadMeta))
}
