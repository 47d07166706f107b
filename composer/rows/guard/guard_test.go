package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/composer/rows/alert"
	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.Stop(); os.Exit(code) }))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// machine gives what a process on a machine of its own would ask with.
func machine(t *testing.T, dsn, host string) Options {
	t.Helper()
	cfg, err := pq.NewConfig(dsn)
	check(t, err)
	cfg.ConnectTimeout = time.Minute
	connector, err := pq.NewConnectorConfig(cfg)
	check(t, err)
	dial := alert.NewDialer()
	connector.Dialer(dial)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { check(t, db.Close()) })
	return Options{Connect: db.Conn, Cut: dial.Cut, Campaign: "spring", Me: Holder{PID: len(host), Host: host, Start: time.Unix(1764000000, 0)}, Patience: 2 * time.Second, Settling: time.Nanosecond}
}

func admin(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	return db
}

func take(t *testing.T, o Options) *Guard {
	t.Helper()
	g, err := Take(t.Context(), o)
	if err != nil || g == nil {
		t.Fatalf("guard %v, %v", g, err)
	}
	return g
}

// held wants the lock to be another's.
func held(t *testing.T, o Options, want Holder) {
	t.Helper()
	g, err := Take(t.Context(), o)
	var other *HeldError
	if !errors.As(err, &other) || other.Holder != want {
		t.Fatalf("guard %v, %v", g, err)
	}
}

// A role that may do nothing but connect holds the lock, and is named to others.
func TestTake(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := admin(t, dsn)
	role := "r" + strings.ToLower(t.Name()) + fmt.Sprint(time.Now().UnixNano())
	_, err := db.Exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'p' CONNECTION LIMIT 5; ALTER ROLE ` + role + ` SET default_transaction_read_only = on`)
	check(t, err)
	defer func() { _, err := db.Exec(`DROP ROLE ` + role); check(t, err) }()
	poor := strings.Replace(dsn, "postgres:"+pgtest.Password, role+":p", 1)
	if poor == dsn { // a server that was given
		poor = dsn
	}
	first := machine(t, poor, "alpha")
	g := take(t, first)
	second := machine(t, dsn, "a-long-name."+strings.Repeat("x", 60)+".example")
	held(t, second, Holder{PID: 5, Host: "alpha", Start: first.Me.Start.UTC()})
	other := second
	other.Campaign = "autumn"
	check(t, take(t, other).Close())
	elsewhere := machine(t, pgtest.DSN(t), "gamma") // another database
	check(t, take(t, elsewhere).Close())
	var state string
	check(t, db.QueryRow(`SELECT state FROM pg_stat_activity WHERE application_name LIKE 'mailblast send 5 %'`).Scan(&state))
	if state != "idle" {
		t.Errorf("the session is %s", state)
	}
	check(t, g.Hold(t.Context()))
	check(t, g.Close())
	g = take(t, second)
	_, err = Take(t.Context(), first)
	if err == nil || !strings.Contains(err.Error(), "spring is being sent by process 80 on a-long-name.xxx") {
		t.Errorf("the second: %v", err)
	}
	check(t, g.Close())
}

// Whoever only wants to know who has the lock is told, and leaves it alone.
func TestPeek(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	mine, theirs := machine(t, dsn, "alpha"), machine(t, dsn, "beta-9")
	mine.Lock, theirs.Lock = "state mailblast spring", "state mailblast spring"
	peek := func(what string, want Holder, is bool) {
		t.Helper()
		h, held, err := Peek(t.Context(), theirs)
		if check(t, err); h != want || held != is {
			t.Errorf("%s: %v, %v", what, h, held)
		}
	}
	peek("nobody", Holder{}, false)
	g := take(t, mine)
	named := Holder{PID: 5, Host: "alpha", Start: mine.Me.Start.UTC()}
	peek("alpha", named, true)
	peek("alpha again", named, true)
	check(t, g.session().look(t.Context()))
	check(t, g.s.exec(t.Context(), "SET application_name = 'psql'"))
	peek("somebody", Holder{}, true)
	theirs.Lock = "state autumn spring"
	peek("of another name", Holder{}, false)
	theirs.Lock = mine.Lock
	check(t, g.Close())
	until(t, "it is free", func() bool { _, held, err := Peek(t.Context(), theirs); return err == nil && !held })
	check(t, take(t, theirs).Close())
	theirs.Connect = func(context.Context) (*sql.Conn, error) { return nil, errors.New("connection refused") }
	if _, _, err := Peek(t.Context(), theirs); err == nil {
		t.Error("a server that is away has no holders")
	}
}

// What shares its session with others holds no lock: whoever asks in the same session would have it, too.
func TestPooled(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	o := machine(t, dsn, "alpha")
	db := admin(t, dsn)
	c, err := db.Conn(t.Context())
	check(t, err)
	defer c.Close()
	s := &session{c: c, campaign: o.Campaign, cut: o.Cut, answer: time.Minute}
	check(t, s.meet(t.Context()))
	check(t, s.lock(t.Context(), o.Me))
	again := &session{c: c, campaign: o.Campaign, cut: o.Cut, answer: time.Minute}
	if err := again.meet(t.Context()); !errors.As(err, new(*HeldError)) {
		t.Errorf("the second client of one session: %v", err)
	}
	s.pid++ // as if the next statement had got another session
	if err := s.look(t.Context()); !errors.Is(err, errUnable) {
		t.Errorf("another session: %v", err)
	}
	for statement, want := range map[string]bool{
		"SELECT no_such_function()": true, "SELECT 1 FROM no_such_table": true, "SELECT 1/0": false,
	} {
		if _, err := c.ExecContext(t.Context(), statement); errors.Is(unable(err), errUnable) != want {
			t.Errorf("%s: %v", statement, unable(err))
		}
	}
}

// A session that breaks before it has the lock is not the end.
func TestFaultBrokenAtFirst(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := admin(t, dsn)
	o := machine(t, dsn, "alpha")
	connect, asked, breaks := o.Connect, 0, 4
	o.Connect = func(ctx context.Context) (*sql.Conn, error) {
		c, err := connect(ctx)
		if asked++; err == nil && asked <= breaks {
			var pid int
			check(t, c.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
			_, err := db.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid)
			check(t, err)
		}
		return c, err
	}
	check(t, take(t, o).Close())
	asked, breaks = 0, 5
	if g, err := Take(t.Context(), o); g != nil || !broke(err) {
		t.Errorf("guard %v, %v", g, err)
	}
	t.Attr("fault", "R16 the session breaks before it has the lock")
	t.Attr("expected", "another is tried, five in all")
	t.Attr("seen", "after four that broke the lock was held; after five Take gave up")
}

// A newcomer leaves a server that has just started to those who had locks there.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	var up float64
	check(t, admin(t, dsn).QueryRow(`SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())`).Scan(&up))
	o := machine(t, dsn, "alpha")
	o.Settling = time.Duration(up*float64(time.Second)) + 300*time.Millisecond
	begun := time.Now()
	g := take(t, o)
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("the lock was taken after %v", took)
	}
	g.session().leave()
	begun = time.Now()
	g.o.Settling = time.Hour
	s, err := g.take(t.Context(), false)
	check(t, err)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("who had it waited for %v", took)
	}
	check(t, s.close())
}

func TestHolder(t *testing.T) {
	start := time.Date(2026, 11, 28, 12, 0, 0, 5, time.UTC)
	me := Holder{4711, "web1.shop.example", start}
	if h := parseHolder(me.String()); !h.same(me) || h.Host != me.Host {
		t.Errorf("%q is %v", me, h)
	}
	if h := parseHolder(me.String()[:len(me.String())-8]); !h.same(me) {
		t.Errorf("cut: %v", h)
	}
	for _, name := range []string{"", "psql", "mailblast", "mailblast send", "mailblast send x y z", "mailblast send 1 yesterday web1"} {
		if h := parseHolder(name); h != (Holder{}) {
			t.Errorf("%q is %v", name, h)
		}
	}
}

// The server is told to find out soon when we are gone without a word, and what it says of that is what its system has.
func TestMortal(t *testing.T) {
	t.Parallel()
	g := take(t, machine(t, pgtest.DSN(t), "alpha"))
	for name, want := range map[string]string{"tcp_keepalives_idle": "20", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4", "tcp_user_timeout": "40000"} {
		var got string
		if check(t, g.s.ask(t.Context(), "SHOW "+name, &got)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	check(t, g.Close())
}
