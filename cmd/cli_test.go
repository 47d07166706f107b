package cmd

import (
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// TestMain lets more tests run at once than there are processors, unless -parallel says how many: most of them wait for other
// processes, and for time to pass there.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(suite{m}, map[string]func(){"mailblast": func() { os.Exit(Main()) }})
}

// Each session in testdata/*.txtar is a command line as people use it. Beside testscript's own commands there are those of
// sessions below. A session sees none of the test's environment, so neither MAILBLAST_… nor NO_COLOR.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			env.Values["t"] = env.T()
			env.Values["peers"] = map[string]*smtptest.Peer{}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TZ", "UTC")
			lists, err := filepath.Abs("../testdata/lists")
			if err != nil {
				return err
			}
			env.Setenv("LISTS", lists)
			env.Vars = append(env.Vars, quickExit)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsWith, "eventually": eventually, "peer": peer, "free": free, "listening": listening, "postgres": postgres,
			"mode": mode, "accepted": accepted, "heard": heard, "sql": runSQL, "damage": damage, "identities": identities,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SESSIONS") != "",
	})
}

// testOf gives the test that a session runs in.
func testOf(ts *testscript.TestScript) testing.TB { return ts.Value("t").(testing.TB) }

// exitsWith runs a program that must end with a code: exits 65 mailblast check
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, ts.ReadFile("stdout"))
	}
}

// patience is how long a session waits for another program.
const patience = 20 * time.Second

// eventually runs a program until its output matches: eventually REGEXP PROGRAM [ARG…]
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP PROGRAM [ARG…]")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout")
		if err == nil && want.MatchString(out) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s did not come in %v; the last output:\n%s\n%v", args[0], patience, out, err)
		}
	}
}

// peer starts a mail server and puts its port into a variable: peer PORT [user=ana password=…] [REPLY…]. A reply is given
// to every command of its verb, as in "MAIL=550 5.7.1 not you", or to one of them: "RCPT ana@acme.example=550 5.1.1 no", or to
// those of a domain: "RCPT @acme.example=…". With after=N the first N messages are taken before any such reply is given.
// latency=20ms makes it slow; tls=NAME offers STARTTLS with a certificate for NAME that nobody vouches for.
func peer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: peer VARIABLE [user=… password=…] [VERB=REPLY…]")
	}
	o := smtptest.Options{Addr: "127.0.0.1:0"}
	replies, after := map[string]string{}, 0
	var self atomic.Pointer[smtptest.Peer]
	for _, arg := range args[1:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "user":
			o.User = value
		case "password":
			o.Password = value
		case "extensions":
			o.Extensions = strings.Split(value, ",")
		case "latency":
			var err error
			o.Latency, err = time.ParseDuration(value)
			ts.Check(err)
		case "after":
			var err error
			after, err = strconv.Atoi(value)
			ts.Check(err)
		case "tls":
			o.TLS = smtptest.NewCA(testOf(ts)).Server(value)
		default:
			replies[name] = value
		}
	}
	o.Reply = func(verb, arg string) string {
		_, one, _ := strings.Cut(arg, "<")
		one, _, _ = strings.Cut(one, ">")
		if after > 0 && self.Load().Accepted() < after {
			return ""
		}
		for _, whom := range []string{" " + one, " @" + one[strings.LastIndexByte(one, '@')+1:], ""} {
			if r, ok := replies[verb+whom]; ok {
				return r
			}
		}
		return ""
	}
	p := smtptest.Start(testOf(ts), o)
	self.Store(p) // before anybody knows its port
	ts.Value("peers").(map[string]*smtptest.Peer)[args[0]] = p
	ts.Setenv(args[0], strconv.Itoa(p.Port()))
}

// free puts a port on which nobody listens into a variable: free PORT
func free(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: free VARIABLE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0], port)
}

// listening waits until somebody listens: listening 127.0.0.1:$PORT
func listening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening ADDRESS")
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			ts.Check(c.Close())
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nobody listens on %s: %v", args[0], err)
		}
	}
}

// postgres puts the URL of an empty database into a variable; without a server the session is left out.
func postgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: postgres VARIABLE")
	}
	ts.Setenv(args[0], pgtest.DSN(testOf(ts)))
}

// mode holds the rights of a file against what they must be: mode 600 FILE
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
