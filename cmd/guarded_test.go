package cmd

import (
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

const tableCampaign = `name: %s
from: Shop <news@shop.example>
subject: News for {{ .name }}
template: letter.txt
recipients:
  dsn: %q
  query: %q
unsubscribe: false
connections: 4
smtp: {host: 127.0.0.1, port: %d, tls: none}
`

// peopled is a database with people in it, whom campaigns of any number of machines write to through one peer.
type peopled struct {
	dsn  string
	db   *sql.DB
	peer *smtptest.Peer
	open func()        // has the peer answer MAIL
	came chan struct{} // one for each MAIL
}

// newPeopled makes a database with n people, and a peer that takes their letters once open was called.
func newPeopled(t *testing.T, n int) *peopled {
	t.Helper()
	b := &peopled{dsn: pgtest.DSN(t), came: make(chan struct{}, 1000)}
	var err error
	if b.db, err = sql.Open("postgres", b.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close() })
	b.exec(t, fmt.Sprintf("CREATE TABLE people AS SELECT n, 'p' || n || '@d' || n %% 7 || '.example' AS email, 'Jo' AS name FROM generate_series(1, %d) n", n))
	opened := make(chan struct{})
	b.open = sync.OnceFunc(func() { close(opened) })
	b.peer = smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, _ string) string {
		if verb == "MAIL" {
			b.came <- struct{}{}
			<-opened
		}
		return ""
	}})
	t.Cleanup(b.open)
	return b
}

func (b *peopled) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := b.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// machine makes a campaign's folder with a state directory of its own.
func (b *peopled) machine(t *testing.T, dsn, query string) (dir string) {
	return folder(t, map[string]string{"campaign.yaml": fmt.Sprintf(tableCampaign, "spring", dsn, query, b.peer.Port()), "letter.txt": "Dear {{ .name }},\n\nnews.\n"})
}

const everybody = "SELECT email, name FROM people ORDER BY n"

// sessions tells what the server knows of those of our programs.
func (b *peopled) sessions(t *testing.T) (all []string) {
	t.Helper()
	r, err := b.db.QueryContext(t.Context(), `SELECT pid, application_name, coalesce(state, ''), xact_start IS NULL AND backend_xmin IS NULL AND backend_xid IS NULL
		FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'mailblast%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for r.Next() {
		var pid int
		var name, state string
		var outside bool
		if err := r.Scan(&pid, &name, &state, &outside); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d %s: %s %v", pid, name, state, outside))
	}
	return all
}

// lockSession gives the number of the one session with a lock, which is idle outside of any transaction.
func (b *peopled) lockSession(t *testing.T, r *child) (pid int) {
	t.Helper()
	want := fmt.Sprintf(" mailblast send %d ", r.Process.Pid)
	var all []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) { // it may be asked at the very moment whether it has the lock
		all = b.sessions(t)
		if len(all) == 1 && strings.Contains(all[0], want) && strings.HasSuffix(all[0], ": idle true") {
			break
		}
		if len(all) != 1 || time.Now().After(end) {
			t.Fatalf("while mail is sent the server has %q", all)
		}
	}
	if _, err := fmt.Sscan(all[0], &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func (b *peopled) mail(t *testing.T, r *child) {
	t.Helper()
	select {
	case <-b.came:
	case <-r.done:
		t.Fatalf("it has ended\n%s%s", r.out.String(), r.err.String())
	case <-time.After(time.Minute):
		t.Fatalf("no mail comes\n%s", r.err.String())
	}
}

// Two machines with nothing in common but the database do not send one campaign at once. The first needs no more of the
// database than to be let in, and leaves nothing open in it but an idle session.
func TestFaultOtherMachine(t *testing.T) {
	t.Parallel()
	p, b := build(t), newPeopled(t, 40)
	role := fmt.Sprintf("reader%d", time.Now().UnixNano())
	b.exec(t, `CREATE ROLE `+role+` LOGIN PASSWORD 'r'; GRANT SELECT ON people TO `+role+`; ALTER ROLE `+role+` SET default_transaction_read_only = on`)
	t.Cleanup(func() { _, _ = b.db.ExecContext(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	dsn := strings.Replace(b.dsn, "postgres:"+pgtest.Password, role+":r", 1)
	first := p.start(t, b.machine(t, dsn, everybody), "send", "-y")
	b.mail(t, first)
	pid := b.lockSession(t, first)
	second := p.start(t, b.machine(t, b.dsn, everybody), "send", "-y")
	if code := second.code(t, time.Minute); code != exitPaused || !strings.Contains(second.err.String(), fmt.Sprintf("spring is being sent by process %d on ", first.Process.Pid)) {
		t.Errorf("the second: exit code %d\n%s", code, second.err.String())
	}
	b.exec(t, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	if err := first.when(t, func() bool {
		all := b.sessions(t)
		return len(all) == 1 && strings.Contains(all[0], " mailblast send ") && !strings.HasPrefix(all[0], fmt.Sprint(pid))
	}); err != nil {
		t.Fatal(err)
	}
	b.lockSession(t, first)
	b.open()
	if code := first.code(t, time.Minute); code != exitOK || b.peer.Accepted() != 40 {
		t.Errorf("the first: exit code %d, %d letters\n%s", code, b.peer.Accepted(), first.err.String())
	}
	if all := b.sessions(t); len(all) > 1 { // one may take a moment to end
		t.Errorf("afterwards the server has %q", all)
	}
	t.Attr("fault", "R16 the same campaign from another machine; B3 what is open in the database while mail is sent")
	t.Attr("expected", "the second ends with 75 and names the first; one idle session, no transaction")
	t.Attr("seen", "so it was, through a role that may only read; a lock session that was cut was there again, 40 letters to 40 people")
}

// Who lost the lock to another sends nothing more.
func TestFaultLockTaken(t *testing.T) {
	t.Parallel()
	p, b := build(t), newPeopled(t, 40)
	lost := &overheard{word: "lock in the database is lost", heard: make(chan struct{})}
	r := &child{Cmd: exec.Command(string(p), "send", "-y", "--json"), done: make(chan struct{})}
	r.Stdout = lost
	r.startIn(t, b.machine(t, b.dsn, everybody))
	b.mail(t, r)
	pid := b.lockSession(t, r)
	other, err := b.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	var key string
	err = b.db.QueryRowContext(t.Context(), `SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = $1`, pid).Scan(&key)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { // is next in the server's queue for the lock
		_, err := other.ExecContext(t.Context(), "SET application_name = 'mailblast send 99 2026-11-28T12:00:00Z web2.example'; SELECT pg_advisory_lock("+key+")")
		waiting <- err
	}()
	if err := r.when(t, func() bool { return len(b.sessions(t)) == 2 && b.queued(t) }); err != nil {
		t.Fatal(err)
	}
	b.exec(t, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	select {
	case <-lost.heard:
	case <-time.After(time.Minute):
		t.Fatal("it never notices")
	}
	b.open() // four letters were announced, and may not have their dots
	code := r.code(t, time.Minute)
	if said := r.err.String(); code != exitPaused || !strings.Contains(said, "spring is being sent by process 99 on web2.example since ") || strings.Contains(said, "intent") {
		t.Errorf("exit code %d\n%s%s", code, lost.all, said)
	}
	sent := b.peer.Accepted()
	states := map[string]int{}
	for _, e := range p.reported(t, r.Dir, "") {
		states[e.state]++
	}
	if states["sent"] != sent || states["unknown"] != 0 || sent != 0 {
		t.Errorf("%d letters, states %v", sent, states)
	}
	t.Attr("fault", "R16 the lock is lost, and another machine takes it")
	t.Attr("expected", "exit code 75 naming the other; nobody is unknown, nothing is sent after that")
	t.Attr("seen", fmt.Sprintf("exit code %d, %d letters, states %v", code, sent, states))
}

// The database's host dies without a word while mail is sent: the second interrupt ends everything all the same.
func TestFaultDatabaseSilent(t *testing.T) {
	t.Parallel()
	p, b := build(t), newPeopled(t, 40)
	way, vanish, _ := pgtest.Behind(t, b.dsn)
	r := p.start(t, b.machine(t, way, everybody), "send", "-y")
	b.mail(t, r)
	b.lockSession(t, r)
	vanish()
	time.Sleep(1100 * time.Millisecond) // into a look at the lock
	must(r.Process.Signal(syscall.SIGINT))
	time.Sleep(50 * time.Millisecond)
	must(r.Process.Signal(syscall.SIGINT))
	begun := time.Now()
	code := r.code(t, 20*time.Second)
	took := time.Since(begun)
	if code != exitInterrupted || took > time.Second || b.peer.Accepted() != 0 {
		t.Errorf("exit code %d after %v, %d letters\n%s", code, took, b.peer.Accepted(), r.err.String())
	}
	t.Attr("fault", "R6 a second SIGINT while the database's host is silent")
	t.Attr("expected", "exit within 1 s")
	t.Attr("seen", fmt.Sprintf("exit code %d after %d ms", code, took.Milliseconds()))
}

// overheard waits for a word of a program.
type overheard struct {
	word  string
	heard chan struct{}
	all   string
}

func (l *overheard) Write(b []byte) (int, error) {
	before := strings.Contains(l.all, l.word)
	l.all += string(b)
	if !before && strings.Contains(l.all, l.word) {
		close(l.heard)
	}
	return len(b), nil
}

// queued tells that somebody waits for an advisory lock.
func (b *peopled) queued(t *testing.T) (yes bool) {
	t.Helper()
	err := b.db.QueryRowContext(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
		WHERE locktype = 'advisory' AND NOT granted AND datname = current_database())`).Scan(&yes)
	if err != nil {
		t.Fatal(err)
	}
	return yes
}
