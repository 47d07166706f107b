// Package pgtest gives tests a PostgreSQL server:
//
//  1. the one MAILBLAST_TEST_POSTGRES names, when that is set;
//  2. else a throw-away server from the programs in PATH or /usr/lib/postgresql, started once in a test process;
//  3. else the test is left out, and says how to run it; with CI=true it fails.
//
// NewOwn gives one to crash.
//
// A server of its own ends with the test process, however that ends.
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
)

// Password is that of the user postgres on a server started here.
const Password = "s3cret-of-the-tests"

// server is the one a test process has started.
type server struct {
	once  sync.Once
	dsn   string
	err   error
	stdin io.Closer // open for as long as the server shall run
	cmd   *exec.Cmd
	dir   string
}

var shared server

// Own is a server that one test has for itself, and may restart.
type Own struct {
	DSN string // of its database postgres
	s   *server
}

// NewOwn starts a server for this test.
func NewOwn(t testing.TB) *Own {
	t.Helper()
	s := new(server)
	s.start()
	switch {
	case errors.Is(s.err, errNone) && os.Getenv("CI") != "true":
		t.Skip(errNone)
	case s.err != nil:
		t.Fatal(s.err)
	}
	t.Cleanup(s.stop)
	return &Own{s.dsn, s}
}

// Crash ends the server as a power cut would (pg_ctl stop -m immediate). It is started again at once, and recovers.
func (o *Own) Crash(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(o.s.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	// It goes once all its sessions have ended: what it still says on a busy machine is said by then.
	for end := time.Now().Add(10 * time.Second); p.Signal(syscall.Signal(0)) == nil && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
}

var errNone = errors.New("left out: no PostgreSQL server; install postgresql or set MAILBLAST_TEST_POSTGRES")

// DSN gives the URL of a database of its own for this test, which is dropped when the test ends.
func DSN(t testing.TB) string {
	t.Helper()
	base := Server(t)
	db, err := sql.Open("postgres", base)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := "t" + strings.ToLower(rand.Text())
	if _, err := db.Exec("CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		t.Fatalf("creating a database for the test: %v", err)
	}
	t.Cleanup(func() { drop(t, base, name) })
	return WithDatabase(t, base, name)
}

// WithDatabase gives the URL of another database of the same server.
func WithDatabase(t testing.TB, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func drop(t testing.TB, base, name string) {
	db, err := sql.Open("postgres", base)
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	if _, err := db.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
		t.Errorf("dropping the test's database: %v", err)
	}
}

// Server gives the URL of the server's database postgres, with a user who may create others.
func Server(t testing.TB) string {
	t.Helper()
	if dsn := os.Getenv("MAILBLAST_TEST_POSTGRES"); dsn != "" {
		return dsn
	}
	shared.once.Do(shared.start)
	switch {
	case errors.Is(shared.err, errNone) && os.Getenv("CI") != "true":
		t.Skip(errNone)
	case shared.err != nil:
		t.Fatal(shared.err)
	}
	return shared.dsn
}

// Stop ends the server, if one was started, and waits until it is gone. Without it the server ends a moment after the
// test process.
func Stop() { shared.stop() }

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.stdin.Close()
		_ = s.cmd.Wait() // it ended, however
	}
}

// script runs the server until its standard input ends, which it does when the test process is gone. While the file again is there, a
// server that ended is started again.
const script = `
bin=$1 data=$2 port=$3
umask 077
"$bin/initdb" -D "$data/db" -U postgres -A scram-sha-256 --pwfile="$data/password" --no-sync -E UTF8 --locale=C >"$data/log" 2>&1 || exit 1
exec 3<&0
touch "$data/again"
(read -r _ <&3; rm -f "$data/again"; kill -INT $(cat "$data/pid") 2>/dev/null) &
while [ -e "$data/again" ]; do
	"$bin/postgres" -D "$data/db" -p "$port" -k "$data" -c listen_addresses=127.0.0.1 -c fsync=off \
		-c synchronous_commit=off -c full_page_writes=off -c max_connections=50 </dev/null >>"$data/log" 2>&1 &
	pid=$!
	echo $pid >"$data/pid.new" && mv "$data/pid.new" "$data/pid"
	[ -e "$data/again" ] || kill -INT $pid
	wait $pid
done
rm -rf "$data"
`

func (s *server) start() {
	bin, err := programs()
	if err != nil {
		s.err = err
		return
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		s.err = err
		return
	}
	if s.err = s.run(bin, dir); s.err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		s.err = fmt.Errorf("starting PostgreSQL: %w\n%s", s.err, log)
		s.stop()
		_ = os.RemoveAll(dir) // nothing to be done about it
	}
}

func (s *server) run(bin, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(Password+"\n"), 0o600); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	s.cmd = exec.Command("sh", "-c", script, "sh", bin, dir, fmt.Sprint(port))
	s.cmd.Dir, s.dir = dir, dir
	if err := asOrdinaryUser(s.cmd, dir); err != nil {
		return err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	s.dsn = fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", Password, port)
	return await(s.dsn)
}

// await waits until the server takes connections.
func await(dsn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pq.NewConnector(dsn)
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// programs finds the folder of initdb and postgres, the newest where there are several.
func programs() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.Reverse(found)
	for _, dir := range append(dirs, found...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errNone
}
