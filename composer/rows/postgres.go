package rows

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/mailblast/mailblast/composer/rows/pgtext"
	"github.com/mailblast/mailblast/composer/rows/pulse"
	"github.com/mailblast/mailblast/composer/rows/sqltext"
)

// postgres is a query to a PostgreSQL server.
type postgres struct {
	stmt      *statement
	name      string // the DSN with nothing secret in it
	secret    string
	connector *pq.Connector
	dial      *pulse.Dialer
	db        *sqlx.DB
	limits    bool          // the DSN leaves the statement's time limit to us
	ran       time.Duration // how long the query that broke had run
	most      time.Duration // between two tries to connect
	o         Options
}

const (
	dialTimeout = 10 * time.Second
	lockTimeout = time.Minute // for a table that somebody else rewrites
	firstDelay  = 100 * time.Millisecond
	maxDelay    = 3 * time.Second
	firstWord   = 10 * time.Second // of a query that takes its time

	graceTimeout  = time.Minute // for a server to say that time is over
	cancelTimeout = time.Second // for a server to say that it has ended a query which is not wanted any more
)

func newPostgres(src Source, o Options) (*postgres, error) {
	// What the parsers say of a faulty DSN may quote the password, so it is not repeated.
	bad := &Error{Source: "recipients", Text: "the dsn is no valid PostgreSQL URL",
		Hint: "postgres://user:password@host:5432/database?sslmode=require; special characters of the password as %XX"}
	u, err := url.Parse(src.DSN)
	if err != nil {
		return nil, bad
	}
	cfg, err := pq.NewConfig(src.DSN)
	if err != nil {
		return nil, bad
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = dialTimeout
	}
	if cfg.ApplicationName == "" { // the driver heeds a fallback only in the DSN
		cfg.ApplicationName = "mailblast"
	}
	name := url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}
	if user := u.User.Username(); user != "" {
		name.User = url.User(user)
	}
	p := &postgres{name: name.String(), secret: cfg.Password, most: maxDelay, o: o}
	p.limits = !u.Query().Has("statement_timeout") && !strings.Contains(cfg.Options, "statement_timeout")
	if p.stmt, err = prepare(p.name, src, sqltext.PostgreSQL()); err != nil {
		return nil, err
	}
	if p.connector, err = pq.NewConnectorConfig(cfg); err != nil {
		return nil, bad
	}
	p.listen(pulse.Options{})
	p.db = sqlx.NewDb(sql.OpenDB(p.connector), "postgres")
	p.db.SetMaxOpenConns(1)
	return p, nil
}

// listen has a read end when the server is gone without a word. Within its limit of time the server says something, if it is there.
func (p *postgres) listen(o pulse.Options) {
	if p.limits && o.Most == 0 {
		o.Most = p.o.Timeout + graceTimeout
	}
	p.dial = pulse.NewDialer(o)
	p.connector.Dialer(p.dial)
}

func (p *postgres) close() error { return p.db.Close() }

func (p *postgres) read(ctx context.Context, w *writer) error {
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // nothing was written
	defer context.AfterFunc(ctx, func() { time.AfterFunc(cancelTimeout, p.dial.Cut) })()
	tx, err := conn.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return p.judge(err)
	}
	defer tx.Rollback() // nothing was written
	if err := p.limit(ctx, tx); err != nil {
		return p.judge(err)
	}
	begun := time.Now()
	defer p.patiently(begun)()
	if err := p.stmt.stream(ctx, tx, w, func(i int, v any) (any, error) { return pgtext.Value(w.cols[i].Type, v) }); err != nil {
		p.ran = time.Since(begun)
		return p.judge(err)
	}
	p.o.Log.Info("recipients read", "source", p.name, "rows", w.Len(), "took", time.Since(begun))
	return nil
}

// patiently says now and then, less and less often, that the server is still at the query, until it is told to stop.
func (p *postgres) patiently(begun time.Time) (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for next := firstWord; ; next *= 2 {
			t := time.NewTimer(time.Until(begun.Add(next)))
			select {
			case <-done:
				t.Stop()
				return
			case <-t.C:
				p.o.Log.Warn("the query still runs", "source", p.name, "for", next)
			}
		}
	}()
	return func() { close(done); <-over }
}

// limit bounds how long the server works on the query and waits for locks.
func (p *postgres) limit(ctx context.Context, tx *sqlx.Tx) error {
	if !p.limits {
		return nil
	}
	for _, s := range []string{
		fmt.Sprintf("SET LOCAL statement_timeout = %d", p.o.Timeout.Milliseconds()),
		fmt.Sprintf("SET LOCAL lock_timeout = %d", min(lockTimeout, p.o.Timeout).Milliseconds()),
	} {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// connect tries for as long as Options.Wait says, unless the server answers and refuses.
func (p *postgres) connect(ctx context.Context) (*sqlx.Conn, error) {
	deadline := time.Now().Add(p.o.Wait)
	for delay := firstDelay; ; delay = min(2*delay, p.most) {
		try, cancel := context.WithDeadline(ctx, deadline)
		conn, err := p.db.Connx(try)
		cancel()
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e := p.explain(err)
		if e.Kind != Unreachable {
			return nil, e
		}
		if delay == firstDelay {
			p.o.Log.Warn("the database does not answer yet", "source", p.name, "error", e.Text, "trying_for", p.o.Wait)
		}
		if time.Until(deadline) < delay {
			e.Text = fmt.Sprintf("not reachable for %v: %s", p.o.Wait, e.Text)
			return nil, e
		}
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

// judge makes an *Error of what went wrong in a read, or a *broken when the connection is to blame.
func (p *postgres) judge(err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	e := p.explain(err)
	if said := (*pq.Error)(nil); errors.As(err, &said) {
		switch said.Code {
		case "40001", "40P01", "57P01", "57P02", "57P03", "57P05": // conflict with recovery, deadlock, shut down
			return &broken{e}
		}
		if said.Code.Class() == "08" {
			return &broken{e}
		}
		return e
	}
	for _, cut := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, cut) {
			return &broken{e}
		}
	}
	if cut := net.Error(nil); errors.As(err, &cut) {
		return &broken{e}
	}
	e.Kind = Invalid // such as a parameter the driver cannot send
	return e
}

// explain says what an error means for the user. What no server said is trouble on the way.
func (p *postgres) explain(err error) *Error {
	e := Error{Kind: Unreachable, Source: p.name, Text: p.redact(err.Error())}
	var said *pq.Error
	if !errors.As(err, &said) {
		var cert *tls.CertificateVerificationError
		switch {
		case errors.Is(err, pq.ErrSSLNotSupported):
			e.Kind = Denied
			e.Hint = "for a server on this machine add ?sslmode=disable to the dsn"
		case errors.As(err, &cert):
			e.Kind = Denied
			e.Hint = "check the name in the dsn and its sslrootcert"
		}
		return &e
	}
	e.Text = p.redact(said.Message) + " (" + string(said.Code) + ")"
	switch class := said.Code.Class(); {
	case said.Code == "57014" || said.Code == "55P03":
		p.outOfTime(&e, said)
	case said.Code == "25006":
		e.Kind, e.Text = Invalid, "the query writes: recipients are read in a read-only transaction ("+said.Message+")"
	case class == "28" || said.Code == "3D000" || said.Code == "3F000":
		e.Kind = Denied
		e.Hint = "check user, password and database of the dsn, and the server's pg_hba.conf"
	case class == "08" || class == "53" || class == "57" || class == "58" || class == "40":
	default:
		e.Kind, e.Hint = Invalid, p.redact(said.Hint)
	}
	if e.Kind == Invalid {
		if at := position(said.Position); at > 0 {
			return e.placed(p.stmt.raw, p.stmt.Offset(octets(p.stmt.Text, at-1)))
		}
	}
	return &e
}

// outOfTime says of a query that was cancelled how long it had.
func (p *postgres) outOfTime(e *Error, said *pq.Error) {
	ran := p.ran.Round(time.Millisecond)
	if said.Code == "55P03" {
		e.Text = "the query waited too long for a lock on a table"
		e.Hint = fmt.Sprintf("it gave up after %v; pg_stat_activity tells who has the lock; another limit, in milliseconds: lock_timeout= with statement_timeout= in the dsn", ran)
		return
	}
	e.Text = "the query was cancelled: " + p.redact(said.Message)
	if p.limits {
		e.Text += fmt.Sprintf("; its limit is %v", p.o.Timeout)
	}
	e.Hint = fmt.Sprintf("it had run for %v; another limit, in milliseconds: statement_timeout= in the dsn", ran)
}

func (p *postgres) redact(s string) string {
	if p.secret == "" {
		return s
	}
	return strings.ReplaceAll(s, p.secret, "***")
}

// position reads what PostgreSQL says of a fault's place: characters from 1.
func position(s string) (n int) {
	if _, err := fmt.Sscan(s, &n); err != nil {
		return 0
	}
	return n
}

// octets gives where the n-th character of s begins.
func octets(s string, n int) int {
	for i := range s {
		if n--; n < 0 {
			return i
		}
	}
	return len(s)
}
