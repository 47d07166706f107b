package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
)

// reopened is the status of a row that starts a delivery anew; it is of this package alone.
const reopened = 100

const outcomeColumns = "seq, run, key, copy, status, round, attempt, try, charged, via, stage, class, code, " +
	"first, at, next, took, rcpt, enhanced, text, host, tls, queue"

const (
	width = 23 // outcomeColumns
	chunk = 16 // rows of one statement: more gain nothing
)

// statements of the write connection, prepared once.
type statements struct{ last, one, many, intents *sqlx.Stmt }

func (s *statements) prepare(db *sqlx.DB) (err error) {
	row := "(?" + strings.Repeat(",?", width-1) + ")"
	insert := "INSERT INTO outcomes (" + outcomeColumns + ") VALUES "
	var errs [4]error
	s.last, errs[0] = db.Preparex("SELECT coalesce(max(seq), 0) FROM outcomes")
	s.one, errs[1] = db.Preparex(insert + row)
	s.many, errs[2] = db.Preparex(insert + row + strings.Repeat(","+row, chunk-1))
	s.intents, errs[3] = db.Preparex("INSERT INTO intents (run, at, after, entries) VALUES (?, ?, ?, ?)")
	return errors.Join(errs[:]...)
}

// writer adds outcomes within one transaction.
type writer struct {
	ctx       context.Context
	one, many *sql.Stmt
	last      int64 // place of the latest outcome
	args      []any
}

func (b *Book) writer(ctx context.Context, tx *sqlx.Tx) (*writer, error) {
	w := &writer{ctx: ctx}
	if err := tx.StmtxContext(ctx, b.st.last).GetContext(ctx, &w.last); err != nil {
		return nil, err
	}
	w.one, w.many = tx.StmtContext(ctx, b.st.one.Stmt), tx.StmtContext(ctx, b.st.many.Stmt)
	return w, nil
}

func (w *writer) add(run uint64, round int, os []delivery.Outcome) error {
	for len(os) > 0 {
		stmt, n := w.one, 1
		if len(os) >= chunk {
			stmt, n = w.many, chunk
		}
		w.args = w.args[:0]
		for i := range os[:n] {
			w.last++
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
	w.last++
	w.bind(run, round, reopened, o)
	_, err := w.one.ExecContext(w.ctx, w.args...)
	return err
}

func (w *writer) bind(run uint64, round, status int, o *delivery.Outcome) {
	charged := 0
	if o.Charged {
		charged = 1
	}
	w.args = append(w.args, w.last, int64(run), o.ID.Key[:], int(o.ID.Copy), status, round, o.Attempt, o.Try, charged,
		o.Via, int(o.Stage), int(o.Class), o.Code, micro(o.First), micro(o.At), micro(o.Next), o.Took.Microseconds(),
		o.To, clip(o.Enhanced), clip(o.Text), clip(o.Host), clip(o.TLS), clip(o.Queue))
}

// clip bounds what a server or a user said.
func clip(s string) string {
	const most = 512
	if len(s) <= most {
		return s
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicro(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

// row is an outcomes row as sqlx reads it.
type row struct {
	Seq                                    int64
	Run                                    int64
	Key                                    []byte
	Copy                                   uint16
	Status                                 uint8
	Round, Attempt, Try, Via               int
	Charged                                bool
	Stage, Class                           uint8
	Code                                   int
	First, At, Next, Took                  int64
	Rcpt, Enhanced, Text, Host, TLS, Queue string
}

func (r *row) scan(rows *sql.Rows) error {
	return rows.Scan(&r.Seq, &r.Run, &r.Key, &r.Copy, &r.Status, &r.Round, &r.Attempt, &r.Try, &r.Charged, &r.Via, &r.Stage,
		&r.Class, &r.Code, &r.First, &r.At, &r.Next, &r.Took, &r.Rcpt, &r.Enhanced, &r.Text, &r.Host, &r.TLS, &r.Queue)
}

func (r *row) outcome() delivery.Outcome {
	o := delivery.Outcome{
		ID: delivery.ID{Run: uint64(r.Run), Copy: r.Copy}, To: r.Rcpt, Status: delivery.Status(r.Status),
		Stage: delivery.Stage(r.Stage), Class: delivery.Class(r.Class), Code: r.Code, Enhanced: r.Enhanced, Text: r.Text,
		Host: r.Host, TLS: r.TLS, Queue: r.Queue, Via: r.Via, Attempt: r.Attempt, Try: r.Try, Charged: r.Charged,
		First: fromMicro(r.First), At: fromMicro(r.At), Next: fromMicro(r.Next), Took: time.Duration(r.Took) * time.Microsecond,
	}
	copy(o.ID.Key[:], r.Key)
	if r.Status == reopened {
		o.Status = delivery.NotTried
	}
	return o
}
