package guard

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/panicked"
)

// errUnable is why there can be no lock, wrapped.
var errUnable = errors.New("no advisory locks")

var (
	errGone      = errors.New("the session has the lock no longer")
	errSilent    = errors.New("the server does not answer")
	errUnwatched = errors.New("nobody looks after the lock in the database any more")
)

// session is one session of the server. Each of its statements is one message each way, without parameters, as pools need it.
type session struct {
	c        *sql.Conn
	campaign string
	called   string        // the lock
	cut      func()        // closes its socket
	answer   time.Duration // how long to wait for a reply
	pid      int           // of the server's process
	up       time.Duration // since the server was started
}

// key is what a lock is known by within its database.
func key(called string) int64 {
	sum := sha256.Sum256([]byte("mailblast " + called))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// lockRow is the condition for the campaign's row in pg_locks: its two halves, and 1 for keys of one number.
func (s *session) lockRow() string {
	k := uint64(key(s.called))
	return fmt.Sprintf(`locktype = 'advisory' AND granted AND classid = %d AND objid = %d AND objsubid = 1
		AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())`, k>>32, k&0xffffffff)
}

// meet asks what the session is like. One that has the lock before we asked for it is shared with others by a pool.
func (s *session) meet(ctx context.Context) error {
	var up float64
	var has bool
	err := s.ask(ctx, `SELECT pg_backend_pid(), extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()),
		EXISTS (SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND `+s.lockRow()+`)`, &s.pid, &up, &has)
	if err != nil {
		return unable(err)
	}
	s.up = time.Duration(up * float64(time.Second))
	if has {
		return &HeldError{Campaign: s.campaign}
	}
	return nil
}

// lock takes the lock.
func (s *session) lock(ctx context.Context, me Holder) error {
	if err := s.exec(ctx, "SET application_name = "+pq.QuoteLiteral(me.String())); err != nil {
		return err
	}
	var got bool
	if err := s.ask(ctx, fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", key(s.called)), &got); err != nil {
		return unable(err)
	}
	if got {
		if err := s.look(ctx); err != nil {
			return err
		}
		return s.mortal(ctx)
	}
	h, _, err := s.holder(ctx)
	if err != nil {
		return err
	}
	return &HeldError{s.campaign, h}
}

// holder tells who has the lock.
func (s *session) holder(ctx context.Context) (h Holder, held bool, err error) {
	var name string
	err = s.ask(ctx, `SELECT count(*) > 0, coalesce(max(application_name), '') FROM pg_locks LEFT JOIN pg_stat_activity USING (pid) WHERE `+
		s.lockRow(), &held, &name)
	return parseHolder(name), held, err
}

// mortal has the server end the session within a minute when the way to us breaks without a word: by default that takes it two hours,
// and our next process would be told all the time that the lock is held. Over a socket of the same machine it means nothing. A server
// that does not know a setting, or does not let us have it, goes on as it is.
func (s *session) mortal(ctx context.Context) error {
	for _, set := range []string{ // looks come every second: what is unanswered is that, or the reply to the last one
		"SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4",
		"SET tcp_user_timeout = 40000",
	} {
		if err := s.exec(ctx, set); err != nil && !errors.As(err, new(*pq.Error)) {
			return err
		}
	}
	return nil
}

// look tells whether the session still has the lock.
func (s *session) look(ctx context.Context) error {
	var pid int
	var has bool
	err := s.ask(ctx, `SELECT pg_backend_pid(), EXISTS (SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND `+s.lockRow()+`)`, &pid, &has)
	switch {
	case err != nil:
		return err
	case pid != s.pid:
		return fmt.Errorf("%w: a pool before the server gives every statement another session", errUnable)
	case !has:
		return errGone
	}
	return nil
}

func (s *session) ask(ctx context.Context, query string, into ...any) error {
	return s.within(ctx, func(ctx context.Context) error { return s.c.QueryRowContext(ctx, query).Scan(into...) })
}

func (s *session) exec(ctx context.Context, statement string) error {
	return s.within(ctx, func(ctx context.Context) error { _, err := s.c.ExecContext(ctx, statement); return err })
}

// within has f wait for the server for as long as ctx and the session's patience allow. pq waits for the reply whatever its context
// says, and would dial anew to call the question off: it gets one that never ends, and only a closed socket ends its waiting.
func (s *session) within(ctx context.Context, f func(context.Context) error) error {
	if ctx.Err() != nil {
		return brokenBy(ctx.Err())
	}
	limited, cancel := context.WithTimeoutCause(ctx, s.answer, fmt.Errorf("%w: nothing came for %v", errSilent, s.answer))
	defer cancel()
	calm := cutAfter(limited, s.cut, s.answer/10)
	err := f(context.WithoutCancel(ctx))
	oops := calm()
	switch {
	case oops != nil:
		err = oops
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && limited.Err() != nil:
		err = context.Cause(limited)
	}
	return brokenBy(err)
}

// cutAfter calls cut a little after ctx ended, unless calm is called before. What is on its way then need not be lost, such as the
// answer to a look at the end of a run, whose session is to give the lock back. After calm, which gives the error of
// a panic of cut, nothing is cut any more.
func cutAfter(ctx context.Context, cut func(), little time.Duration) (calm func() error) {
	over, gone := make(chan struct{}), make(chan struct{})
	var err error
	go func() {
		defer close(gone)
		defer panicked.Contain(&err)
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		t := time.NewTimer(little)
		defer t.Stop()
		select {
		case <-over:
		case <-t.C:
			cut()
		}
	}()
	return func() error {
		close(over)
		<-gone
		return err
	}
}

// brokenError is trouble in a session that was there.
type brokenError struct{ error }

func (b *brokenError) Unwrap() error { return b.error }

func brokenBy(err error) error {
	if err == nil {
		return nil
	}
	return &brokenError{err}
}

func broke(err error) bool { return errors.As(err, new(*brokenError)) }

// unable tells a server that does not know such locks, or does not let us have them, from one in trouble.
func unable(err error) error {
	var said *pq.Error
	if errors.As(err, &said) {
		switch said.Code {
		case "42883", "42P01", "42703", "0A000", "42501": // no such function, table or column; not supported; not allowed
			return fmt.Errorf("%w: %s (%s)", errUnable, said.Message, said.Code)
		}
	}
	return err
}

// leave ends the session without a word.
func (s *session) leave() {
	_ = s.c.Raw(func(any) error { return driver.ErrBadConn }) // has it closed
	_ = s.c.Close()
}

// close gives the lock back and ends the session. A server that is away has it back already, and one that is silent learns it from
// the end of the session: who interrupts for the second time has a second for everything.
func (s *session) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.answer/10)
	defer cancel()
	_ = s.exec(ctx, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", key(s.called)))
	s.leave()
	return nil
}

// Holder says which process has a lock.
type Holder struct {
	PID   int
	Host  string
	Start time.Time
}

const prefix = "mailblast send"

// String is the session's application_name, of which PostgreSQL keeps 63 octets and shows them to every user.
func (h Holder) String() string {
	return fmt.Sprintf("%s %d %s %s", prefix, h.PID, h.Start.UTC().Format(time.RFC3339), h.Host)
}

func parseHolder(name string) (h Holder) {
	var start string
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return Holder{}
	}
	if _, err := fmt.Sscan(rest, &h.PID, &start, &h.Host); err != nil {
		return Holder{}
	}
	var err error
	if h.Start, err = time.Parse(time.RFC3339, start); err != nil {
		return Holder{}
	}
	return h
}

// same tells whether both are one process. A long host name is cut by the server.
func (h Holder) same(o Holder) bool {
	return h.PID == o.PID && h.Start.Equal(o.Start.Truncate(time.Second)) && strings.HasPrefix(o.Host, h.Host)
}
