package campaign

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite what the tests want")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is an environment for tests.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if n, v, _ := strings.Cut(p, "="); n == name {
				return v, true
			}
		}
		return "", false
	}
}

var examples = Options{Env: env("DATABASE_URL=postgres://ana:canary-db@db.example/shop?sslmode=verify-full&password=canary-query", "SMTP_URL=smtp://ana:canary-url@smtp.acme.example:587",
	"SMTP_PASSWORD=canary-password", "MAILBLAST_SECRET=canary-0123456789")}

// folder makes a folder with files and goes there. Names that end in ! are readable by their owner alone.
func folder(t *testing.T, files ...string) {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name, private := strings.CutSuffix(files[i], "!")
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if private {
			mode = 0o600
		}
		if err := os.WriteFile(path, []byte(files[i+1]), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

const base = "name: spring\nfrom: Ana <ana@acme.example>\nsubject: Hello\ntemplate: a.md\nrecipients: a.csv\n"

func load(t *testing.T, o Options, files ...string) *Campaign {
	t.Helper()
	folder(t, files...)
	c, err := Load("campaign.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each bad campaign of testdata/bad gives the faults beside it, every one at its place.
func TestBad(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d bad campaigns, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := filepath.Abs(strings.TrimSuffix(path, ".yaml") + ".want")
			if err != nil {
				t.Fatal(err)
			}
			folder(t, "campaign.yaml", string(text))
			_, err = Load("campaign.yaml", Options{Env: env("PW=canary-pw")})
			faults, ok := errors.AsType[Faults](err)
			if !ok {
				t.Fatalf("no faults, but %v", err)
			}
			got := fmt.Sprintf("%v\n", faults)
			checkWords(t, faults, got)
			compare(t, want, got)
		})
	}
}

// checkWords holds faults against what goes for all of them.
func checkWords(t *testing.T, faults Faults, all string) {
	t.Helper()
	for _, f := range faults {
		if f.File == "" || f.Line < 1 || f.Column < 1 {
			t.Errorf("a fault without place: %q", f.Error())
		}
	}
	for _, word := range []string{"canary", "campaign.Campaign", "int64", "map[", "interface", "unmarshal", "\x1b"} {
		if strings.Contains(all, word) {
			t.Errorf("the faults hold %q:\n%s", word, all)
		}
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestExamples(t *testing.T) {
	c, err := Load("testdata/campaigns/minimal.yaml", examples)
	if err != nil {
		t.Fatal(err)
	}
	if c.SMTP.Host != "smtp.acme.example" || c.SMTP.User != "ana" || c.SMTP.Password.Reveal() != "canary-url" || c.SMTP.TLS != "starttls" {
		t.Errorf("smtp: %+v", c.SMTP)
	}
	if c.Recipients.DSN.Reveal() != "postgres://ana:canary-db@db.example/shop?sslmode=verify-full&password=canary-query" || !strings.HasPrefix(c.Recipients.Query, "SELECT email") {
		t.Errorf("recipients: %+v", c.Recipients)
	}
	if !c.Unsubscribe.Required || c.Layout != "none" || c.Repeat != "never" || c.MaxMessage != 25e6 || c.Retry.For != 4*time.Hour || !c.Retry.Jitter {
		t.Errorf("defaults: %+v", c)
	}
	full, err := Load("testdata/campaigns/full.yaml", examples)
	if err != nil {
		t.Fatal(err)
	}
	if len(full.Warnings) > 0 {
		t.Errorf("warnings: %v", full.Warnings)
	}
	if len(full.Queues) != 2 || full.Queues[0].Rate != (Rate{50, time.Second}) || full.Fallback == nil || full.Fallback.Port != 587 {
		t.Errorf("sending: %+v %+v", full.Queues, full.Fallback)
	}
	if full.Rate.PerDomain["*"] != (Rate{2, time.Second}) || full.Vars["discount"] != int64(20) || full.Attachments[1].Name != "prices.pdf" ||
		full.Attachments[2] != (Attachment{"invoices/${YEAR}-{{ .number }}.pdf", "{{ .number }}.pdf", true}) {
		t.Errorf("values: %+v", full)
	}
}

func TestPos(t *testing.T) {
	c := load(t, Options{}, "campaign.yaml", "name: x\nfrom: \"a@b.example\"\nsubject: >-\n  Hello\ntemplate: a.md\nrecipients: a.csv\nsmtp: capture\n"+
		"cc:\n  - '{{ .x }}'\nheaders: {X-A: \"v\"}\n")
	for field, want := range map[string][2]int{"name": {1, 7}, "from": {2, 8}, "subject": {4, 3}, "cc[0]": {9, 6}, "headers.X-A": {10, 17}, "bcc[0]": {0, 0}} {
		if file, line, col := c.Pos(field); file != "campaign.yaml" || line != want[0] || col != want[1] {
			t.Errorf("Pos(%s) = %s:%d:%d, want %v", field, file, line, col, want)
		}
	}
	if c.Subject != "Hello" {
		t.Errorf("subject %q", c.Subject)
	}
}

func TestOrigins(t *testing.T) {
	o := Options{Env: env("RATE=7/s"), Overrides: []Override{{"rate", "5/s", "--rate"}, {"rate", "6/s", "MAILBLAST_RATE"}, {"connections", "9", "MAILBLAST_CONNECTIONS"}, {"retry.for", "1h", "--retry-for"}}}
	folder(t, "mailblast.yaml", "smtp: capture\nrate: {total: 9/s, per_domain: {a.example: 1/s}}\nreply_to: x@acme.example\nfrom: shared@acme.example\n",
		"sub/campaign.yaml", base+"retry: {max: 10m}\n")
	c, err := Load("sub/campaign.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Rate.Total != (Rate{5, time.Second}) || len(c.Rate.PerDomain) != 1 || c.Connections != 9 || c.From != "Ana <ana@acme.example>" || c.Retry.Max != 10*time.Minute {
		t.Errorf("%+v", c)
	}
	want := map[string]string{"rate.total": "5/s --rate", "connections": "9 MAILBLAST_CONNECTIONS", "retry.for": "1h --retry-for", "from": "Ana <ana@acme.example> campaign.yaml:2",
		"reply_to": "x@acme.example mailblast.yaml:3", "smtp": "capture mailblast.yaml:1", "memory": "8MB default", "retry.max": "10m campaign.yaml:6"}
	for _, s := range c.Settings() {
		if w, ok := want[s.Key]; ok && w != s.Value+" "+s.Origin {
			t.Errorf("%s: %s %s, want %s", s.Key, s.Value, s.Origin, w)
		}
		delete(want, s.Key)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

func TestSharedFaults(t *testing.T) {
	folder(t, "mailblast.yaml", "name: x\nsmtp: capture\nrate: 5\n", "a/b/campaign.yaml", base+"on_null: never\n")
	_, err := Load("a/b/campaign.yaml", Options{Overrides: []Override{{"connections", "x", "--max-connections"}}})
	text := fmt.Sprint(err)
	for _, want := range []string{"a/b/campaign.yaml:6:10: on_null", "mailblast.yaml:1:1: name", `mailblast.yaml:3:7: rate: rate "5" needs a unit`, "--max-connections: connections:"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

// A mailblast.yaml above the campaign may name commands: one that others can write is refused.
func TestForeignSharedFile(t *testing.T) {
	folder(t, "mailblast.yaml", "smtp: {host: a.example, user: x, password_command: [evil]}\n", "sub/campaign.yaml", base)
	if err := os.Chmod("mailblast.yaml", 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load("sub/campaign.yaml", Options{}); err == nil || !strings.Contains(err.Error(), "mailblast.yaml:1:1: this file is not yours") {
		t.Errorf("%v", err)
	}
}

func TestEnvironment(t *testing.T) {
	c := load(t, Options{Env: env("A=process", "TAB=a: b\nname: evil")}, "campaign.yaml", base+"smtp: capture\nvars: {a: \"${A}\", b: \"${B}\", c: \"${C:-none}\", d: $5, e: \"${TAB}\", f: 5, g: \"${A}-$A-${B}\"}\non_null: ${NULLS:-}\nconnections: ${N:-7}\n",
		".env", "A=file\nB=from-file\n")
	want := map[string]any{"a": "process", "b": "from-file", "c": "none", "d": "$5", "e": "a: b\nname: evil", "f": int64(5), "g": "process-$A-from-file"}
	for k, v := range want {
		if c.Vars[k] != v {
			t.Errorf("%s: %v, want %v", k, c.Vars[k], v)
		}
	}
	if c.Name != "spring" || c.OnNull.Default.Do != "" || c.Connections != 7 {
		t.Errorf("%+v", c)
	}
	if _, err := Load("campaign.yaml", Options{EnvFile: "no.env"}); err == nil || !strings.Contains(err.Error(), "no.env: no such file") {
		t.Errorf("a missing --env-file: %v", err)
	}
}

func TestEnvFileKeepsItsSecrets(t *testing.T) {
	folder(t, "campaign.yaml", base+"smtp: capture\n", ".env", "canary value with no sign\n=canary\n")
	if _, err := Load("campaign.yaml", Options{}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

func TestAliases(t *testing.T) {
	c := load(t, Options{Env: env("DB=sqlite:people.db")}, "campaign.yaml", "name: x\nfrom_email: a@b.example\nreply-to: c@d.example\nbody: letter.md\nsubject: s\nsmtp: capture\ndatabase_url: ${DB}\nrecipients: {query: SELECT 1}\n")
	if c.From != "a@b.example" || c.ReplyTo != "c@d.example" || c.Template != "letter.md" || c.Recipients.DSN.Reveal() != "sqlite:"+filepath.Join(c.Dir, "people.db") {
		t.Errorf("%+v", c)
	}
	if len(c.Warnings) != 4 || c.Warnings[0].Error() != `campaign.yaml:2:1: "from_email" is taken for "from"` {
		t.Errorf("%v", c.Warnings)
	}
}

func TestRelays(t *testing.T) {
	for text, want := range map[string]string{
		"smtp://mail.acme.example":                       "mail.acme.example 587 starttls auto",
		"smtps://mail.acme.example":                      "mail.acme.example 465 implicit auto",
		"smtp://localhost:1025":                          "localhost 1025 opportunistic auto",
		"smtp://[::1]:25?tls=none":                       "::1 25 none auto",
		"smtp://BÜCHER.example":                          "xn--bcher-kva.example 587 starttls auto",
		"{host: relay, tls: implicit}":                   "relay 465 implicit auto",
		"{host: relay, user: a, token_command: [token]}": "relay 587 starttls xoauth2",
	} {
		t.Run(text, func(t *testing.T) {
			c := load(t, Options{}, "campaign.yaml", base+"smtp: "+text+"\n")
			if got := fmt.Sprint(c.SMTP.Host, c.SMTP.Port, " ", c.SMTP.TLS, " ", c.SMTP.Auth); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestRunKey(t *testing.T) {
	now := time.Date(2027, 1, 1, 8, 9, 10, 0, time.FixedZone("", 3600))
	for repeat, want := range map[string]string{"never": "once", "daily": "2027-01-01", "weekly": "2026-W53", "monthly": "2027-01", "on-change": "abc", "always": "20270101T070910.000Z"} {
		c := Campaign{Repeat: repeat}
		if got := c.RunKey(now, "abc"); got != want {
			t.Errorf("%s: %s, want %s", repeat, got, want)
		}
	}
}

func TestStateDir(t *testing.T) {
	folder(t, "a/b/c/x", "", ".mailblast/x", "", "a/.mailblast", "a file does not count")
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	if got := StateDir(filepath.Join(dir, "a/b/c")); got != filepath.Join(dir, ".mailblast") {
		t.Errorf("above: %s", got)
	}
	folder(t, "x", "")
	if dir, err = filepath.Abs("."); err != nil {
		t.Fatal(err)
	}
	if got := StateDir(dir); !strings.HasSuffix(got, ".mailblast") {
		t.Errorf("none: %s", got)
	}
}

func TestUnreadable(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "campaign.yaml"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
}

// Every kind of list is taken, in the short form and the long one, and what is said about it.
func TestRecipients(t *testing.T) {
	head := "name: x\nfrom: a@b.example\nsubject: s\ntemplate: a.md\nsmtp: capture\nrecipients: "
	for _, c := range []struct {
		text, file, charset, sheet string
		delimiter                  byte
	}{
		{text: "a.csv", file: "a.csv"}, {text: "a.TSV", file: "a.TSV"}, {text: "a.txt", file: "a.txt"}, {text: "a.jsonl", file: "a.jsonl"}, {text: "a.ndjson.gz", file: "a.ndjson.gz"},
		{text: "a.json", file: "a.json"}, {text: "a.csv.zst", file: "a.csv.zst"}, {text: "a.xlsx", file: "a.xlsx"},
		{text: "-", file: Stdin}, {text: "-  # from a pipe", file: Stdin}, {text: `"-"`, file: Stdin}, {text: "{file: -}", file: Stdin}, {text: "\n  file: \"-\"\n  sheet: One\n", file: Stdin, sheet: "One"},
		{text: "{file: a.csv, charset: CP1252, delimiter: tab}", file: "a.csv", charset: "windows-1252", delimiter: '\t'},
		{text: `{file: a.txt, charset: utf-8, delimiter: ";"}`, file: "a.txt", charset: "utf-8", delimiter: ';'},
		{text: "{file: a.xlsx, sheet: Old & new}", file: "a.xlsx", sheet: "Old & new"},
	} {
		got := load(t, Options{}, "campaign.yaml", head+c.text+"\n")
		want := Recipients{File: c.file, Charset: c.charset, Delimiter: c.delimiter, Sheet: c.sheet}
		if c.file != Stdin {
			want.File = filepath.Join(got.Dir, c.file)
		}
		if !reflect.DeepEqual(got.Recipients, want) {
			t.Errorf("%s: %+v, want %+v", c.text, got.Recipients, want)
		}
	}
}
