package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.Stop(); os.Exit(code) }))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func options(t testing.TB, dsn string) Options {
	return Options{DSN: dsn, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Patience: 20 * time.Second}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

// add adds an outcome in a transaction of its own.
func add(ctx context.Context, s *Store, text string) error {
	return s.Update(ctx, func(tx *ledger.Tx) error {
		tx.Meta.Outcomes++
		return tx.Put(ctx, table.Outcomes, outcome.Append(nil, outcome.Place{Seq: tx.Meta.Outcomes, Run: 1}, &delivery.Outcome{Text: text})...)
	})
}

// texts are the outcomes that a journal has, which must be intact and in their places.
func texts(t testing.TB, s *Store) (all []string) {
	t.Helper()
	m, err := s.Meta(t.Context(), s.Reader())
	check(t, err)
	check(t, s.Verify(t.Context(), table.Outcomes, 0, m.Outcomes))
	check(t, s.Reader().Select(&all, `SELECT text FROM outcomes ORDER BY seq`))
	return all
}

// proxy lets through what a client and a server say, until tell says otherwise.
type proxy struct {
	l net.Listener

	mu  sync.Mutex
	cut func(fromClient []byte) (pass, end bool) // of the next chunk of a client
}

// through gives a DSN that leads through a proxy.
func through(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p, to := &proxy{l: l}, u.Host
	var g sync.WaitGroup
	g.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.Go(func() { p.carry(c, to) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); g.Wait() })
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) carry(c net.Conn, to string) {
	defer c.Close()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	var g sync.WaitGroup
	defer g.Wait()
	g.Go(func() { _, _ = io.Copy(c, s); _ = c.Close() })
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		pass, end := p.judge(b[:n])
		if end { // nobody hears of the reply
			_ = c.Close()
		}
		if pass && n > 0 {
			_, _ = s.Write(b[:n])
		}
		if end || err != nil {
			if end && pass {
				time.Sleep(20 * time.Millisecond) // so that the server reads it before it learns of the end
			}
			_ = s.Close()
			return
		}
	}
}

func (p *proxy) judge(b []byte) (pass, end bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut == nil {
		return true, false
	}
	return p.cut(b)
}

func (p *proxy) set(f func([]byte) (pass, end bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = f
}

// A connection that breaks at any moment of a transaction: it is kept once, whether the server had heard of the commit or not.
func TestFaultCommitInDoubt(t *testing.T) {
	t.Parallel()
	p, dsn := through(t, pgtest.DSN(t))
	s := open(t, options(t, dsn))
	var want []string
	for _, at := range []string{"BEGIN", "to_regclass", "FOR UPDATE", "INSERT INTO outcomes", "INSERT INTO writers", "INSERT INTO meta", "COMMIT"} {
		for _, passes := range []bool{false, true} {
			once := true
			p.set(func(b []byte) (pass, end bool) {
				if once && bytes.Contains(b, []byte(at)) {
					once = false
					return passes, true
				}
				return true, false
			})
			text := fmt.Sprint(len(want))
			check(t, add(t.Context(), s, text))
			if want = append(want, text); once {
				t.Errorf("%s: nothing was cut", at)
			}
		}
	}
	if got := texts(t, s); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	t.Attr("fault", "part 4.2 a journal in PostgreSQL whose connection breaks at each statement of a transaction, before or after the server has it")
	t.Attr("expected", "every transaction is kept, once")
	t.Attr("seen", fmt.Sprintf("as expected, %d times", len(want)))
}

// A server that ends again and again, as by a power cut: whatever Update said is kept is there, once.
func TestFaultServerCrash(t *testing.T) {
	t.Parallel()
	own := pgtest.NewOwn(t)
	s := open(t, options(t, own.DSN))
	const crashes, each = 4, 60
	n := 0
	for crash := range crashes {
		for i := range each {
			if i == each/2 {
				go own.Crash(t)
			}
			check(t, add(t.Context(), s, fmt.Sprint(n)))
			n++
		}
		t.Logf("crash %d: %d kept", crash, n)
	}
	for i, text := range texts(t, s) {
		if text != fmt.Sprint(i) {
			t.Fatalf("place %d has %s", i, text)
		}
	}
	if got := texts(t, s); len(got) != n {
		t.Errorf("%d of %d", len(got), n)
	}
	t.Attr("fault", "part 4.2 the PostgreSQL that the journal is in is ended as by a power cut, and comes back")
	t.Attr("expected", "what was kept is there, once; writing goes on")
	t.Attr("seen", fmt.Sprintf("%d transactions over %d crashes: as expected", n, crashes))
}

// A server that stays away is the end of all writing.
func TestServerAway(t *testing.T) {
	t.Parallel()
	p, dsn := through(t, pgtest.DSN(t))
	o := options(t, dsn)
	o.Patience = 300 * time.Millisecond
	s := open(t, o)
	check(t, add(t.Context(), s, "kept"))
	p.set(func([]byte) (pass, end bool) { return false, true })
	var away *refusal.ServerError
	if err := add(t.Context(), s, "lost"); !errors.As(err, &away) || !strings.Contains(err.Error(), "not there for ") {
		t.Errorf("%v", err)
	}
	p.set(nil)
	if err := add(t.Context(), s, "after"); !errors.As(err, &away) {
		t.Errorf("it is written to again: %v", err)
	}
	if got := texts(t, open(t, o)); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// A server that says nothing is not waited for for ever.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	d := &dialer{50 * time.Millisecond, &sockets{}}
	c, err := d.Dial("tcp", l.Addr().String())
	check(t, err)
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !refusal.Broken(err) {
		t.Errorf("%v", err)
	}
}

// What is not whole is refused, by what this machine knows and by what the tables say.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for harm, says := range map[string]string{
		`DELETE FROM meta`:                                   "what it says of itself is missing",
		`UPDATE meta SET outcomes = 2`:                       "what it says of itself is not",
		`UPDATE schema SET version = 1`:                      "its tables are not",
		`UPDATE schema SET version = 3`:                      "newer version",
		`INSERT INTO schema VALUES (2)`:                      "its tables are not",
		`DELETE FROM schema`:                                 "its tables are not",
		`ALTER TABLE outcomes RENAME COLUMN status TO state`: "its tables are not",
		`DROP TABLE kept`:                                    "its tables are not",
		`DROP TABLE schema`:                                  "tables of something else",
		`DROP SCHEMA "%s" CASCADE`:                           "is missing, but",
	} {
		schema := "s" + strings.ToLower(rand.Text())
		o := options(t, pgtest.Server(t)+"&search_path="+schema)
		s, err := Open(t.Context(), o)
		check(t, err)
		check(t, errors.Join(add(t.Context(), s, "kept"), s.Close()))
		db, err := sql.Open("postgres", o.DSN)
		check(t, err)
		_, err = db.Exec(strings.ReplaceAll(harm, "%s", schema))
		check(t, err)
		if s, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", harm, err)
			if err == nil {
				check(t, s.Close())
			}
		}
		_, err = db.Exec(`DROP SCHEMA IF EXISTS "` + schema + `" CASCADE`)
		check(t, errors.Join(err, db.Close()))
	}
}

// A server that was put back from a backup has fewer commits than were seen.
func TestPutBack(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	o := options(t, dsn)
	s, err := Open(t.Context(), o)
	check(t, err)
	check(t, add(t.Context(), s, "before the backup"))
	each := func(statement string) {
		for _, name := range []string{"meta", "outcomes", "writers"} {
			_, err := s.write.Exec(fmt.Sprintf(statement, name))
			check(t, err)
		}
	}
	each(`CREATE TABLE public.%[1]s_copy AS TABLE mailblast.%[1]s`)
	check(t, add(t.Context(), s, "after it"))
	each(`DELETE FROM mailblast.%[1]s; INSERT INTO mailblast.%[1]s TABLE public.%[1]s_copy`)
	if err := add(t.Context(), s, "to what was put back"); err == nil || !strings.Contains(err.Error(), "put back while it was in use") {
		t.Errorf("%v", err)
	}
	check(t, s.Close())
	var damaged *refusal.DamagedError
	if _, err := Open(t.Context(), o); !errors.As(err, &damaged) || damaged.Gone != 1 {
		t.Errorf("%v", err)
	}
	// Another machine, which never had more, has written more since.
	other := open(t, options(t, dsn))
	for range 5 {
		check(t, add(t.Context(), other, "by another"))
	}
	if _, err := Open(t.Context(), o); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "of what this machine wrote last, 1 commits are gone") {
		t.Errorf("after others went on: %v", err)
	}
}

// A process whose server is put back, or replaced by one that had not heard of all, does not write to it, whatever others have written
// meanwhile.
func TestForkedInUse(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	s := open(t, options(t, dsn))
	check(t, add(t.Context(), s, "kept"))
	_, err := s.write.Exec(`CREATE TABLE public.meta_copy AS TABLE meta; CREATE TABLE public.outcomes_copy AS TABLE outcomes; CREATE TABLE public.writers_copy AS TABLE writers`)
	check(t, err)
	check(t, add(t.Context(), s, "lost"))
	_, err = s.write.Exec(`DELETE FROM meta; DELETE FROM outcomes; DELETE FROM writers; INSERT INTO meta TABLE public.meta_copy;
		INSERT INTO outcomes TABLE public.outcomes_copy; INSERT INTO writers TABLE public.writers_copy`)
	check(t, err)
	other := open(t, options(t, dsn))
	for range 5 {
		check(t, add(t.Context(), other, "by another"))
	}
	if err := add(t.Context(), s, "to the fork"); err == nil || !strings.Contains(err.Error(), "put back while it was in use") {
		t.Errorf("%v", err)
	}
}

// A commit that was not answered, of a server that crashed before it had it, is not taken for another's that has its number since.
func TestCommitLostInCrash(t *testing.T) {
	t.Parallel()
	own := pgtest.NewOwn(t)
	p, dsn := through(t, own.DSN)
	s, other := open(t, options(t, dsn)), open(t, options(t, own.DSN))
	once := true
	p.set(func(b []byte) (pass, end bool) {
		if !bytes.Contains(b, []byte("COMMIT")) || !once {
			return true, false
		}
		once = false
		own.Crash(t)
		for range 4 {
			if err := add(context.Background(), other, "by another"); err != nil {
				t.Error(err)
			}
		}
		return false, true
	})
	check(t, add(t.Context(), s, "mine"))
	n := 0
	for _, text := range texts(t, s) {
		if text == "mine" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it is there %d times: %q", n, texts(t, s))
	}
}

// A person who begins anew gets a new journal, whatever this machine knows of the old one.
func TestStartOver(t *testing.T) {
	t.Parallel()
	o := options(t, pgtest.DSN(t))
	s, err := Open(t.Context(), o)
	check(t, err)
	for range 3 {
		check(t, add(t.Context(), s, "old"))
	}
	_, err = s.write.Exec(`DROP SCHEMA mailblast CASCADE`)
	check(t, errors.Join(err, s.Close()))
	if is, err := Exists(t.Context(), o.DSN, o.Dir); !is || err != nil {
		t.Errorf("one that is gone counts as one that never was: %v", err)
	}
	o.StartOver = true
	s, err = Open(t.Context(), o)
	check(t, err)
	check(t, errors.Join(add(t.Context(), s, "new"), s.Close()))
	o.StartOver = false
	if got := texts(t, open(t, o)); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// Whoever ends what he asked for ends nothing else.
func TestCancelled(t *testing.T) {
	t.Parallel()
	o := options(t, pgtest.DSN(t))
	s, other := open(t, o), open(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	check(t, other.Update(t.Context(), func(*ledger.Tx) error { // which has the journal to itself meanwhile
		ended := make(chan error)
		go func() { ended <- add(ctx, s, "cancelled") }()
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		return nil
	}))
	check(t, add(t.Context(), s, "after it"))
}

func TestLongSchema(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{36: true, 37: false, 63: false} {
		if _, err := locate("postgres://u@h/d?search_path=" + strings.Repeat("s", n)); (err == nil) != want {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// Who may not make tables is told so; who may only use them can.
func TestRights(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	role := "r" + strings.ToLower(rand.Text())
	db, err := sql.Open("postgres", dsn)
	check(t, err)
	defer db.Close()
	_, err = db.Exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'p'`)
	check(t, err)
	defer func() {
		_, err := db.Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role)
		check(t, err)
	}()
	u, err := url.Parse(dsn)
	check(t, err)
	u.User = url.UserPassword(role, "p")
	poor := options(t, u.String())
	if _, err := Open(t.Context(), poor); err == nil || !strings.Contains(err.Error(), "its tables cannot be made: pq: permission denied") || strings.Contains(err.Error(), ":p@") {
		t.Errorf("%v", err)
	}
	s, err := Open(t.Context(), options(t, dsn))
	check(t, err)
	check(t, s.Close())
	_, err = db.Exec(`GRANT USAGE ON SCHEMA mailblast TO ` + role + `; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA mailblast TO ` + role)
	check(t, err)
	check(t, add(t.Context(), open(t, poor), "by a poor role"))
}

// A server that takes connections and says nothing is left as soon as whoever asked is not interested any more.
func TestSilentFromStart(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	dsn := "postgres://u@" + l.Addr().String() + "/d?sslmode=disable"
	for name, ask := range map[string]func(context.Context) error{
		"exists":  func(ctx context.Context) error { _, err := Exists(ctx, dsn, t.TempDir()); return err },
		"inspect": func(ctx context.Context) error { _, err := Inspect(ctx, dsn, t.TempDir()); return err },
		"look": func(ctx context.Context) error {
			o := options(t, dsn)
			o.Look, o.Brief = true, true
			_, err := Open(ctx, o)
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begun := time.Now()
		if err := ask(ctx); err == nil || time.Since(begun) > dialTimeout/2 {
			t.Errorf("%s: %v after %v", name, err, time.Since(begun))
		}
		cancel()
	}
}

// A server that falls silent in the middle of a transaction holds nobody up once it is cut off.
func TestCut(t *testing.T) {
	t.Parallel()
	p, dsn := through(t, pgtest.DSN(t))
	s := open(t, options(t, dsn))
	silent := make(chan struct{})
	p.set(func([]byte) (pass, end bool) {
		select {
		case <-silent:
		default:
			close(silent)
		}
		return false, false
	})
	ended := make(chan error)
	go func() { ended <- add(context.Background(), s, "lost") }()
	<-silent
	s.Cut()
	var away *refusal.ServerError
	if err := <-ended; !errors.As(err, &away) || !away.Lost {
		t.Errorf("%v", err)
	}
}

// A commit in doubt that was given up is no damage to the next one, whether it came through or not.
func TestDoubtGivenUp(t *testing.T) {
	t.Parallel()
	p, dsn := through(t, pgtest.DSN(t))
	s := open(t, options(t, dsn))
	want := []string{}
	for _, passes := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		once := true
		p.set(func(b []byte) (pass, end bool) {
			if once && bytes.Contains(b, []byte("COMMIT")) {
				once = false
				cancel()
				return passes, true
			}
			return true, false
		})
		if err := add(ctx, s, fmt.Sprint("given up ", passes)); err == nil {
			t.Error("it was answered")
		}
		check(t, add(t.Context(), s, fmt.Sprint("after ", passes)))
		if passes {
			want = append(want, "given up true")
		}
		want = append(want, fmt.Sprint("after ", passes))
	}
	if got := texts(t, s); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Many processes of one machine write side by side.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	o := options(t, pgtest.DSN(t))
	var g sync.WaitGroup
	for n := range 6 {
		g.Go(func() {
			for range 5 {
				s, err := Open(t.Context(), o)
				if err == nil {
					err = errors.Join(add(t.Context(), s, fmt.Sprint(n)), add(t.Context(), s, fmt.Sprint(n)), s.Close())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	g.Wait()
	if got := texts(t, open(t, o)); len(got) != 60 {
		t.Errorf("%d", len(got))
	}
}

// Processes of one machine tell each other what they committed: a quiet one does not go on where what another did is gone.
func TestForkedBeside(t *testing.T) {
	t.Parallel()
	o := options(t, pgtest.DSN(t))
	quiet, busy := open(t, o), open(t, o)
	check(t, add(t.Context(), quiet, "kept"))
	check(t, add(t.Context(), busy, "kept"))
	_, err := quiet.write.Exec(`CREATE TABLE public.meta_copy AS TABLE meta; CREATE TABLE public.outcomes_copy AS TABLE outcomes; CREATE TABLE public.writers_copy AS TABLE writers`)
	check(t, err)
	for range 3 {
		check(t, add(t.Context(), busy, "lost"))
	}
	_, err = quiet.write.Exec(`DELETE FROM meta; DELETE FROM outcomes; DELETE FROM writers; INSERT INTO meta TABLE public.meta_copy;
		INSERT INTO outcomes TABLE public.outcomes_copy; INSERT INTO writers TABLE public.writers_copy`)
	check(t, err)
	other := open(t, options(t, o.DSN)) // of another machine, which had nothing there
	for range 9 {
		check(t, add(t.Context(), other, "by another"))
	}
	var damaged *refusal.DamagedError
	if err := add(t.Context(), quiet, "to the fork"); !errors.As(err, &damaged) {
		t.Errorf("%v", err)
	}
}
