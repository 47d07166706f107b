package cmd

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/jhillyerd/enmime/v2"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// hostileRow is a row of which one column means harm. Those with a harmless address have one of their own.
type hostileRow struct{ email, head, body string }

const hostileCampaign = `name: lab
from: Ana <ana@acme.test>
to: "{{ .head }} <{{ .email }}>"
subject: "Hi {{ .head }}!"
headers: {X-Value: "{{ .head }}"}
template: letter.html
text: letter.txt
unsubscribe: false
recipients: %s
smtp: {host: 127.0.0.1, port: %d, tls: none}
`

// hostileRows are rows with each harmful value in the header, in the body, and as the address.
func hostileRows(t *testing.T) (rows []hostileRow) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(lettersDir, "hostile.txt"))
	must(err)
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		n, err1 := strconv.Atoi(f[1])
		v, err2 := strconv.Unquote(f[2])
		must(errors.Join(err1, err2))
		v = strings.Repeat(v, n)
		i := len(rows)
		rows = append(rows, hostileRow{fmt.Sprintf("head%d@a.test", i), v, "x"}, hostileRow{fmt.Sprintf("body%d@a.test", i), "Ana", v}, hostileRow{v, "Ana", "x"})
	}
	return rows
}

// meant are the harmful values that are addresses, and are written to.
var meant = []string{"eve@x.test", "eve%x.test@y.test"}

// Rows that mean harm, out of a file and out of a database, sent by the real program: the server is told of those
// recipients only who are meant, gets one message a row, and nothing else; who gets none is in the report with the reason;
// and no control character reaches the terminal.
func TestHostileRows(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(*testing.T, *sending, []hostileRow) string{"csv": hostileCSV, "sqlite": hostileSQLite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
			s := newSending(t, map[string]string{"letter.txt": "[{{ .body }}]\n",
				"letter.html": "<!doctype html><html lang=\"en\"><head><title>x</title></head><body><p title=\"{{ .body }}\">{{ .body }}</p></body></html>\n"})
			rows := hostileRows(t)
			s.write("campaign.yaml", fmt.Sprintf(hostileCampaign, fill(t, s, rows), peer.Port()))
			clean(t, s.run("check"), exitOK, exitData)
			clean(t, s.run("check", "--show", "skipped"), exitOK, exitData)
			onTerminal(t, s, "send", "--yes", "-v")
			clean(t, s.run("status"), exitOK)
			clean(t, s.run("report"), exitOK)
			onTerminal(t, s, "report")
			clean(t, s.run("report", "-o", "json"), exitOK)
			clean(t, s.run("send", "-n", "--json", "-v"), exitOK)
			clean(t, s.run("preview", "--to", "eve@x.test"), exitOK)
			hostileLetters(t, peer, rows, hostileReport(t, s, len(rows)))
		})
	}
}

func hostileCSV(t *testing.T, s *sending, rows []hostileRow) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	must(w.Write([]string{"email", "head", "body"}))
	for _, r := range rows {
		must(w.Write([]string{r.email, r.head, r.body}))
	}
	w.Flush()
	s.write("list.csv", b.String())
	return "list.csv"
}

func hostileSQLite(t *testing.T, s *sending, rows []hostileRow) string {
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "list.db"))
	must(err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE people (email text, head text, body text)")
	must(err)
	for _, r := range rows {
		_, err = db.Exec("INSERT INTO people VALUES (?, ?, ?)", r.email, r.head, r.body)
		must(err)
	}
	return "{dsn: \"sqlite:list.db\", query: \"SELECT email, head, body FROM people ORDER BY rowid\"}"
}

// clean demands that nothing a terminal would act on is printed.
func clean(t *testing.T, e ended, codes ...int) {
	t.Helper()
	if !slices.Contains(codes, e.code) {
		t.Fatalf("exit code %d\n%.2000s%.2000s", e.code, e.out, e.err)
	}
	for _, text := range []string{e.out, e.err} {
		data := strings.HasPrefix(text, "{") // JSON, where turned text is data like any other
		if i := strings.IndexFunc(text, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' || !data && unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
		}); i >= 0 {
			t.Errorf("%q is printed raw", text[max(0, i-60):min(len(text), i+30)])
		}
	}
}

// onTerminal runs a command on a terminal, where a bar is drawn, and demands that no value is printed that would move it.
func onTerminal(t *testing.T, s *sending, args ...string) {
	t.Helper()
	s.wrap = []string{need(t, "python3", "python3"), "-c", "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"}
	defer func() { s.wrap = nil }()
	e := s.run(args...).exits(exitOK)
	if !strings.Contains(e.out, "sent") {
		t.Errorf("the terminal shows %.300q", e.out)
	}
	for _, raw := range []string{"\x1b[2J", "\x1b]0;", "\u009b", "\x9b31m", "\a", "\u202e", "\u2066", "\u2028", "\x00"} {
		if i := strings.Index(e.out, raw); i >= 0 {
			t.Errorf("%q reaches the terminal", e.out[max(0, i-60):min(len(e.out), i+30)])
		}
	}
}

// hostileReport tells how many letters were sent, and demands a reason for each row without its mail.
func hostileReport(t *testing.T, s *sending, rows int) (sent int) {
	t.Helper()
	r := s.report()
	if r.Total != rows {
		t.Errorf("the report has %d rows, want %d", r.Total, rows)
	}
	table, err := csv.NewReader(strings.NewReader(s.run("report", "-o", "csv").exits(exitOK).out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	state, reason := slices.Index(table[0], "state"), slices.Index(table[0], "error")
	if len(table) != 1+rows {
		t.Errorf("%d rows are reported, want %d", len(table)-1, rows)
	}
	for _, row := range table[1:] {
		if ok := row[state] == "sent"; ok != (row[reason] == "") || !ok && row[state] != "failed" && row[state] != "skipped" {
			t.Errorf("%.80q", row)
		}
	}
	return r.Sent
}

func hostileLetters(t *testing.T, peer *smtptest.Peer, rows []hostileRow, sent int) {
	t.Helper()
	byAddress := map[string]hostileRow{}
	for _, r := range rows {
		byAddress[r.email] = r
	}
	for _, c := range peer.Commands() {
		_, c, _ = strings.Cut(c, " ")
		verb, arg, _ := strings.Cut(c, " ")
		switch to := strings.TrimSuffix(strings.TrimPrefix(arg, "TO:<"), ">"); verb {
		case "RCPT":
			if _, own := byAddress[to]; !own || !strings.HasSuffix(to, "@a.test") && !slices.Contains(meant, to) {
				t.Errorf("%q", c)
			}
		case "EHLO", "MAIL", "DATA", "RSET", "NOOP", "QUIT":
		default:
			t.Errorf("%q", c)
		}
	}
	seen := map[string]bool{}
	for _, m := range peer.Messages() {
		if len(m.To) != 1 || seen[m.To[0]] {
			t.Errorf("a message to %q", m.To)
			continue
		}
		seen[m.To[0]] = true
		env, err := enmime.NewParser(enmime.DisableCharacterDetection(true)).ReadEnvelope(strings.NewReader(m.Data))
		if err != nil || len(env.Errors) > 0 {
			t.Errorf("%s: %v, %v", m.To[0], err, env.Errors)
			continue
		}
		r := byAddress[m.To[0]]
		if got := env.GetHeader("Subject"); got != "Hi "+r.head+"!" {
			t.Errorf("%s: subject %.80q, want %.80q", m.To[0], got, r.head)
		}
		if got, want := strings.ReplaceAll(env.Text, "\r\n", "\n"), strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace("["+r.body+"]\n"); got != want {
			t.Errorf("%s: text %.80q, want %.80q", m.To[0], got, want)
		}
		for _, key := range []string{"From", "To", "Subject", "Date", "Message-Id", "X-Value", "Mime-Version", "Content-Type"} {
			if n := len(env.GetHeaderValues(key)); n != 1 {
				t.Errorf("%s: %d fields %s", m.To[0], n, key)
			}
		}
		if len(env.GetHeaderKeys()) != 8 {
			t.Errorf("%s: header %q", m.To[0], env.GetHeaderKeys())
		}
	}
	if len(seen) != sent || sent < len(rows)/2 {
		t.Errorf("%d messages, %d are reported as sent", len(seen), sent)
	}
}
