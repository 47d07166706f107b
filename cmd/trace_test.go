package cmd

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// What a power cut leaves behind is what was synced. So before the final dot of a message leaves, the journal's log has been synced
// since the intent with this recipient was written into it; the secret, without which all would be strangers to the next process,
// and the names of these files are on disk as well. And no outcome is written before its reply was read. The witness is the system:
// strace.
func TestFaultPowerCut(t *testing.T) {
	t.Parallel()
	const people, connections = 200, 8
	o := smtptest.Options{Addr: "127.0.0.1:0", Latency: 2 * time.Millisecond}
	for c := range 2 * people {
		var b strings.Builder
		for n := range perConnection {
			fmt.Fprintf(&b, "dot#%d: accept; 250 2.0.0 taken-%d-%d.\n", n+1, c, n)
		}
		o.Scripts = append(o.Scripts, b.String())
	}
	set := setting{peer: o, queues: 1, copies: 1, pipelines: true}
	peer := smtptest.Start(t, o)
	dir := set.folder(t, peer.Port())
	set.grow(t, dir, 0, people)
	calls := trace(t, build(t), dir)
	w := watch(calls)
	if len(w.faults) > 0 {
		t.Errorf("%d faults: %s", len(w.faults), strings.Join(w.faults[:min(len(w.faults), 20)], "\n"))
	}
	if w.dots != peer.Accepted() || len(w.sent) != 2*people || len(w.recorded) != w.dots || len(w.links) < connections {
		t.Errorf("%d messages to %d people, %d of them recorded, over %d connections: the trace is not whole", w.dots, len(w.sent), len(w.recorded), len(w.links))
	}
	calls = slices.DeleteFunc(calls, func(c call) bool { return c.name == "fsync" || c.name == "fdatasync" })
	if blind := watch(calls); len(blind.faults) < people {
		t.Errorf("without syncs there are %d faults only", len(blind.faults))
	}
	t.Attr("fault", "R4 power loss")
	t.Attr("expected", "each intent is synced before its dot, each reply read before its outcome is written")
	t.Attr("seen", fmt.Sprintf("%d messages to %d people over %d connections, %d journal syncs: %d dots before their sync, %d outcomes before their reply",
		w.dots, len(w.sent), len(w.links), w.syncs, w.early, w.hasty))
}

// needTracing leaves a test out where strace is missing, or may not trace, as in some containers.
func needTracing(t *testing.T) {
	t.Helper()
	if b, err := exec.Command(need(t, "strace", "strace"), "-f", "true").CombinedOutput(); err != nil {
		lack(t, fmt.Sprintf("strace may not trace here: %v\n%s", err, b))
	}
}

// trace runs a campaign under strace.
func trace(t *testing.T, p program, dir string) []call {
	t.Helper()
	needTracing(t)
	out := filepath.Join(t.TempDir(), "trace")
	r := &child{Cmd: exec.Command("strace", "-f", "--seccomp-bpf", "-yy", "-s", "65536", "-e", "signal=none", "-o", out, "-e",
		"trace=read,write,writev,pwrite64,pwritev,fsync,fdatasync,sendto,sendmsg,?link,linkat", string(p), "send", "-y"), done: make(chan struct{})}
	r.Stdout = &r.out
	r.startIn(t, dir)
	if code := r.code(t, 2*time.Minute); code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, r.out.String(), r.err.String())
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	calls, err := parseTrace(f)
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// watching follows a trace event by event.
type watching struct {
	written  map[string]bool    // recipients whose intent was written into the log, and not synced since
	synced   map[string]bool    // and whose was
	syncing  map[*call][]string // what a sync that has begun brings to disk
	links    map[string]*link
	replies  map[string]bool // to dots, by what the peer called the message
	sent     map[string]bool // recipients whose dot left
	recorded map[string]bool // replies that are in the journal
	secret   [2]bool         // its octets, its name

	dots, syncs, early, hasty int
	faults                    []string
}

// link is one SMTP connection.
type link struct {
	said, heard string // the rest of what was not understood yet
	inBody      bool
	to          []string
}

// watch gives what it saw, and every step that came too early.
func watch(calls []call) *watching {
	w := &watching{written: map[string]bool{}, synced: map[string]bool{}, syncing: map[*call][]string{}, links: map[string]*link{},
		replies: map[string]bool{}, sent: map[string]bool{}, recorded: map[string]bool{}}
	type event struct {
		line  int
		after bool
		c     *call
	}
	var events []event
	for i := range calls {
		c := &calls[i]
		events = append(events, event{c.begin, false, c}, event{c.end, true, c})
	}
	slices.SortStableFunc(events, func(x, y event) int { return cmp.Compare(x.line, y.line) })
	for _, e := range events {
		if e.after {
			w.ended(e.c)
		} else {
			w.begins(e.c)
		}
	}
	return w
}

var (
	addresses = regexp.MustCompile(`(p|boss)[0-9]+@[a-z]+[0-9]+\.example`)
	names     = regexp.MustCompile(`taken-[0-9]+-[0-9]+\.`)
)

func (w *watching) begins(c *call) {
	switch {
	case strings.HasPrefix(c.object, "TCP:"):
		if c.name == "write" {
			w.say(c)
		} else if c.name != "read" {
			w.fault(c, "%s is not understood", c.name)
		}
	case !strings.Contains(c.object, "journal.db"):
	case c.syncs():
		for to := range w.written {
			w.syncing[c] = append(w.syncing[c], to)
		}
	default:
		for _, name := range names.FindAllString(c.data, -1) {
			if !w.replies[name] {
				w.hasty++
				w.fault(c, "the outcome of %s is written, its reply was not read", name)
			}
			w.recorded[name] = true
		}
	}
}

func (c *call) syncs() bool { return c.name == "fsync" || c.name == "fdatasync" }

func (w *watching) ended(c *call) {
	dir, file := filepath.Split(c.object)
	switch {
	case c.result < 0:
	case strings.HasPrefix(c.object, "TCP:") && c.name == "read":
		w.hear(c)
	case c.syncs() && strings.HasPrefix(file, "secret"):
		w.secret[0] = true
	case c.syncs() && file == ".mailblast":
		w.secret[1] = w.secret[0]
	case !strings.HasSuffix(dir, "/.mailblast/") || !strings.HasPrefix(file, "journal.db"):
	case c.syncs():
		w.syncs++
		for _, to := range w.syncing[c] {
			delete(w.written, to)
			w.synced[to] = true
		}
	default:
		for _, to := range addresses.FindAllString(c.data, -1) {
			if !w.synced[to] {
				w.written[to] = true
			}
		}
	}
}

// say takes what goes to a peer: commands, and after DATA a body up to its final dot.
func (w *watching) say(c *call) {
	l := w.links[c.object]
	if l == nil {
		l = &link{}
		w.links[c.object] = l
	}
	for l.said += c.data; ; {
		if l.inBody {
			_, rest, ok := strings.Cut(l.said, "\r\n.\r\n")
			if !ok {
				return
			}
			w.dot(c, l)
			l.said, l.inBody, l.to = rest, false, nil
			continue
		}
		line, rest, ok := strings.Cut(l.said, "\r\n")
		if !ok {
			return
		}
		l.said, l.inBody = rest, line == "DATA"
		if to, ok := strings.CutPrefix(line, "RCPT TO:<"); ok {
			l.to = append(l.to, strings.TrimSuffix(to, ">"))
		}
	}
}

func (w *watching) dot(c *call, l *link) {
	w.dots++
	for _, to := range l.to {
		w.sent[to] = true
		if !w.synced[to] {
			w.early++
			w.fault(c, "the dot to %s leaves before its intent is synced", to)
		}
	}
	if w.secret != [2]bool{true, true} {
		w.fault(c, "a dot leaves before the secret and its name are synced")
	}
}

// hear takes what comes from a peer.
func (w *watching) hear(c *call) {
	l := w.links[c.object]
	if l == nil {
		return // the greeting
	}
	l.heard += c.data
	at := strings.LastIndexByte(l.heard, '\n') + 1
	for _, name := range names.FindAllString(l.heard[:at], -1) {
		w.replies[name] = true
	}
	l.heard = l.heard[at:]
}

func (w *watching) fault(c *call, format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf("line %d: ", c.begin)+fmt.Sprintf(format, args...))
}

// The witness tells what is in order from what is not.
func TestWatchPowerCut(t *testing.T) {
	const (
		secret = `1 fsync(3</c/.mailblast/secret.X.new>) = 0
1 fsync(3</c/.mailblast>) = 0
`
		rcpt = `2 write(5<TCP:[127.0.0.1:40->127.0.0.1:25]>, "MAIL FROM:<a@b>\r\nRCPT TO:<p1@small1.example>\r\nDATA\r\n", 60) = 60
2 write(5<TCP:[127.0.0.1:40->127.0.0.1:25]>, "Subject: x\r\n\r\nnews\r\n", 22) = 22
`
		intent = `1 pwrite64(4</c/.mailblast/journal.db-wal>, "\1p1@small1.example", 20, 0) = 20
`
		synced = `1 fsync(4</c/.mailblast/journal.db-wal>) = 0
`
		dot = `2 write(5<TCP:[127.0.0.1:40->127.0.0.1:25]>, ".\r\n", 3) = 3
`
		reply = `2 read(5<TCP:[127.0.0.1:40->127.0.0.1:25]>, "250 2.0.0 taken-0-0.\r\n", 4096) = 22
`
		outcome = `1 pwrite64(4</c/.mailblast/journal.db-wal>, "p1@small1.example taken-0-0.", 30, 0) = 30
`
		begun = `1 fsync(4</c/.mailblast/journal.db-wal> <unfinished ...>
`
		done = `1 <... fsync resumed>) = 0
`
		other = `3 pwrite64(4</c/.mailblast/journal.db-wal>, "\1p1@small1.example", 20, 0) = 20
`
	)
	for _, c := range []struct {
		name, trace string
		faults      int
	}{
		{"in order", secret + rcpt + intent + synced + dot + reply + outcome, 0},
		{"in order, in two lines", secret + rcpt + intent + begun + done + dot + reply + outcome, 0},
		{"the dot before the sync", secret + rcpt + intent + dot + synced + reply + outcome, 1},
		{"the dot while it syncs", secret + rcpt + intent + begun + dot + done + reply + outcome, 1},
		{"the dot before the intent", secret + rcpt + synced + dot + intent + reply + outcome, 1},
		{"the sync began before the intent", secret + rcpt + begun + other + done + dot + reply + outcome, 1},
		{"a sync that failed", secret + rcpt + intent + strings.Replace(synced, "= 0", "= -1 EIO (Input/output error)", 1) + dot + reply + outcome, 1},
		{"another file's sync", secret + rcpt + intent + strings.Replace(synced, "journal.db-wal", "rows", 1) + dot + reply + outcome, 1},
		{"the outcome before the reply", secret + rcpt + intent + synced + dot + outcome + reply, 1},
		{"no secret", rcpt + intent + synced + dot + reply + outcome, 1},
	} {
		calls, err := parseTrace(strings.NewReader(c.trace))
		if err != nil {
			t.Fatal(err)
		}
		if w := watch(calls); len(w.faults) != c.faults || w.dots != 1 || len(w.recorded) != 1 {
			t.Errorf("%s: %d dots, %d recorded, faults %q", c.name, w.dots, len(w.recorded), w.faults)
		}
	}
}
