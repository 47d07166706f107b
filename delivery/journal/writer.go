package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

const chunk = 16 // outcomes of one statement: more gain nothing

// statements that add rows, prepared once.
type statements struct{ one, many, intents *sqlx.Stmt }

func (s *statements) prepare(db ledger.Store) (err error) {
	var errs [3]error
	driver := db.Reader().DriverName()
	s.one, errs[0] = db.Prepare(ledger.Insert(driver, table.Outcomes, 1))
	s.many, errs[1] = db.Prepare(ledger.Insert(driver, table.Outcomes, chunk))
	s.intents, errs[2] = db.Prepare(ledger.Insert(driver, table.Intents, 1))
	return errors.Join(errs[:]...)
}

// writer adds to the append-only tables within one transaction.
type writer struct {
	ctx       context.Context
	tx        *ledger.Tx
	intents   *sql.Stmt
	one, many *sql.Stmt
	before    int64 // the last place of outcomes before the transaction
	args      []any
}

func (b *Book) writer(ctx context.Context, tx *ledger.Tx) *writer {
	return &writer{ctx: ctx, tx: tx, before: tx.Meta.Outcomes, intents: tx.StmtContext(ctx, b.st.intents.Stmt),
		one: tx.StmtContext(ctx, b.st.one.Stmt), many: tx.StmtContext(ctx, b.st.many.Stmt)}
}

// intend adds a row of intents, which come after all outcomes that were given before this transaction.
func (w *writer) intend(run uint64, entries []byte) error {
	if len(entries) == 0 {
		return nil
	}
	w.tx.Meta.Intents++
	row := []any{w.tx.Meta.Intents, int64(run), time.Now().UnixMicro(), w.before, entries}
	if _, err := w.intents.ExecContext(w.ctx, w.tx.Seal(table.Intents, row)...); err != nil {
		return fmt.Errorf("intents: %w", err)
	}
	return nil
}

func (w *writer) add(run uint64, round int, os []delivery.Outcome) error {
	for len(os) > 0 {
		stmt, n := w.one, 1
		if len(os) >= chunk {
			stmt, n = w.many, chunk
		}
		w.args = w.args[:0]
		for i := range os[:n] {
			w.bind(run, round, int(os[i].Status), &os[i])
		}
		if _, err := stmt.ExecContext(w.ctx, w.args...); err != nil {
			return fmt.Errorf("outcomes: %w", err)
		}
		os = os[n:]
	}
	return nil
}

// reopen adds a row that starts a delivery anew.
func (w *writer) reopen(run uint64, round int, o *delivery.Outcome) error {
	w.args = w.args[:0]
	w.bind(run, round, outcome.Reopened, o)
	_, err := w.one.ExecContext(w.ctx, w.args...)
	return err
}

func (w *writer) bind(run uint64, round, status int, o *delivery.Outcome) {
	w.tx.Meta.Outcomes++
	from := len(w.args)
	w.args = outcome.Append(w.args, outcome.Place{Seq: w.tx.Meta.Outcomes, Run: run, Round: round, Status: status}, o)
	w.args = append(w.args[:from], w.tx.Seal(table.Outcomes, w.args[from:])...)
}
