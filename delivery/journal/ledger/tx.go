package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Tx is one transaction. What f of Update changes in Meta is written with it.
type Tx struct {
	*sqlx.Tx
	Meta Meta // Commits counts this one already
	*sum.Sealer
	Writer []byte // of a journal on a server: the process that writes
	file   string
}

// NewTx makes a Tx of a journal's transaction, whose Meta is still to be read.
func (v *View) NewTx(tx *sqlx.Tx) *Tx { return &Tx{Tx: tx, Sealer: v.Sealer(), file: v.file} }

// Reading is a transaction of a Reader, of which m is the Meta.
func Reading(tx *sqlx.Tx, file string, m Meta) *Tx {
	return &Tx{Tx: tx, Meta: m, Sealer: sum.New(m.ID), file: file}
}

// File is what the journal is called.
func (t *Tx) File() string { return t.file }

// server tells that the journal is in PostgreSQL.
func (t *Tx) server() bool { return isServer(t.DriverName()) }

// Seal adds its seal to a row. PostgreSQL takes no text that is not UTF-8 and no NUL: what a mail server or a list has of those
// is sealed as it will be read.
func (t *Tx) Seal(of table.Table, row []any) []any {
	if t.server() {
		table.Legible(row)
	}
	return of.Seal(t.Sealer, row)
}

// Put writes one row, in the place of one with its key.
func (t *Tx) Put(ctx context.Context, into table.Table, row ...any) error {
	_, err := t.ExecContext(ctx, Insert(t.DriverName(), into, 1), t.Seal(into, row)...)
	return err
}

// Take has this process carry a run on. Whoever carried it on before is told by Taken. A journal in a file has locks for that.
func (t *Tx) Take(ctx context.Context, run int64) error {
	if t.Writer == nil {
		return nil
	}
	_, err := t.ExecContext(ctx, `INSERT INTO holders VALUES ($1, $2) ON CONFLICT (run) DO UPDATE SET writer = excluded.writer`, run, t.Writer)
	return err
}

// Taken tells that another process has taken a run since.
func (t *Tx) Taken(ctx context.Context, run int64) (taken bool, err error) {
	if t.Writer == nil {
		return false, nil
	}
	err = t.GetContext(ctx, &taken, `SELECT NOT EXISTS (SELECT 1 FROM holders WHERE run = $1 AND writer = $2)`, run, t.Writer)
	return taken, err
}

// Do is a statement with ? for its values.
func (t *Tx) Do(ctx context.Context, query string, args ...any) (int64, error) {
	if t.server() {
		table.Legible(args)
	}
	done, err := t.ExecContext(ctx, t.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// Insert is the statement that adds a number of rows by a driver. It replaces none in the append-only tables.
func Insert(driver string, into table.Table, rows int) string {
	if isServer(driver) {
		return sqlx.Rebind(sqlx.DOLLAR, into.Upsert(rows))
	}
	return into.Insert(rows)
}

// Cursor reads the rows of a query, in blocks: the transaction can be used meanwhile.
type Cursor struct {
	ctx   context.Context
	tx    *Tx
	row   table.Row   // that rows fills
	into  []any       // its places
	rows  *sqlx.Rows  // of SQLite, which reads beside other statements
	fetch string      // of PostgreSQL, which does not
	block []table.Row // what was fetched and not given
	over  bool
}

// blockRows is how many rows are fetched at once. A row of intents has as many messages as there are connections.
const blockRows = 100

// Query begins to read a query with ? for its values, of so many columns. A transaction has one Cursor of a name at a time.
func (t *Tx) Query(ctx context.Context, name string, columns int, query string, args ...any) (*Cursor, error) {
	c := &Cursor{ctx: ctx, tx: t, row: make(table.Row, columns), into: make([]any, columns)}
	for i := range c.row {
		c.into[i] = &c.row[i]
	}
	var err error
	if !t.server() {
		c.rows, err = t.QueryxContext(ctx, query, args...)
		return c, err
	}
	c.fetch = fmt.Sprintf("FETCH %d FROM %s", blockRows, name)
	_, err = t.ExecContext(ctx, "DECLARE "+name+" NO SCROLL CURSOR FOR "+t.Rebind(query), args...)
	return c, err
}

// Next gives the next row, nil at the end. It is valid until the next call.
func (c *Cursor) Next() (table.Row, error) {
	if c.rows != nil {
		if !c.rows.Next() {
			return nil, c.rows.Err()
		}
		return c.row, c.rows.Scan(c.into...)
	}
	if len(c.block) == 0 && !c.over {
		if err := c.more(); err != nil {
			return nil, err
		}
	}
	if len(c.block) == 0 {
		return nil, nil
	}
	row := c.block[0]
	c.block = c.block[1:]
	return row, nil
}

func (c *Cursor) more() error {
	rows, err := c.tx.QueryxContext(c.ctx, c.fetch)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(c.into...); err != nil {
			_ = rows.Close() // what is wrong is told
			return err
		}
		c.block = append(c.block, slices.Clone(c.row))
	}
	c.over = len(c.block) < blockRows
	return rows.Err()
}

// Close ends the reading. A cursor of PostgreSQL ends with its transaction, or here.
func (c *Cursor) Close() error {
	if c.rows != nil {
		return c.rows.Close()
	}
	return nil
}
