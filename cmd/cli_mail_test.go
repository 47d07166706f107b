package cmd

import (
	"database/sql"
	"mime"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// accepted writes to a file what a peer has taken, one line a message with its recipients and its subject, in the order
// of the recipients: accepted PORT FILE
func accepted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: accepted PORT FILE")
	}
	p := ts.Value("peers").(map[string]*smtptest.Peer)[args[0]]
	if p == nil {
		ts.Fatalf("no peer %s", args[0])
	}
	var lines []string
	for _, m := range p.Messages() {
		msg, err := mail.ReadMessage(strings.NewReader(m.Data))
		ts.Check(err)
		subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		ts.Check(err)
		slices.Sort(m.To)
		lines = append(lines, strings.Join(m.To, " ")+": "+subject+"\n")
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "")), 0o600))
}

// heard holds how many commands of a verb a peer got against what they must be: heard PORT AUTH 1
func heard(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: heard PORT VERB COUNT")
	}
	p := ts.Value("peers").(map[string]*smtptest.Peer)[args[0]]
	if p == nil {
		ts.Fatalf("no peer %s", args[0])
	}
	if n := p.Count(args[1]); strconv.Itoa(n) != args[2] {
		ts.Fatalf("%d times %s, want %s", n, args[1], args[2])
	}
}

// runSQL runs a script in a database, of SQLite or PostgreSQL: sql FILE.db|URL SCRIPT.sql
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE.db|URL SCRIPT.sql")
	}
	driver, dsn := "sqlite", ts.MkAbs(args[0])
	if strings.HasPrefix(args[0], "postgres:") {
		driver, dsn = "postgres", args[0]
	}
	db, err := sql.Open(driver, dsn)
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(ts.ReadFile(args[1]))
	ts.Check(err)
}
