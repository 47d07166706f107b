package cmd

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// canary is part of every secret of this test. What follows it tells where it got out.
const canary = "Kanarienvogel7"

func secretOf(where string) string { return canary + "/" + where + "+&ü 8" }

// traces finds a canary in a text: as it is, escaped for a URL, in base64 wherever in a group of three it begins, or in hex.
func traces(text []byte) string {
	forms := []string{canary, url.QueryEscape(canary), hex.EncodeToString([]byte(canary))}
	for shift := range 3 {
		b64 := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		forms = append(forms, strings.TrimRight(b64, "=")[shift+1:len(b64)-4])
	}
	for _, form := range forms {
		if i := bytes.Index(text, []byte(form)); i >= 0 {
			return fmt.Sprintf("%q", text[max(0, i-80):min(len(text), i+80)])
		}
	}
	return ""
}

// aviary is the folder of a campaign with canaries in it.
type aviary struct {
	*sending
	inputs map[string]bool // files that hold a canary, and are not to be looked at
}

// run runs a command and looks at what it printed.
func (a *aviary) run(args ...string) ended {
	a.t.Helper()
	e := a.sending.run(args...)
	if found := traces([]byte(e.out + e.err)); found != "" {
		a.t.Errorf("mailblast %s printed %s", strings.Join(args, " "), found)
	}
	return e
}

// look searches every file that the commands left behind.
func (a *aviary) look() (files int) {
	a.t.Helper()
	walk(a.t, a.dir, func(path string, info fs.FileInfo) {
		if a.inputs[path] || !info.Mode().IsRegular() {
			return
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			a.t.Error(err)
		}
		if found := traces(b); found != "" {
			a.t.Errorf("%s holds %s", strings.TrimPrefix(path, a.dir), found)
		}
		if found := traces([]byte(filepath.Base(path))); found != "" {
			a.t.Errorf("a file is named %s", found)
		}
	})
	return files
}

// dumper is a program that prints a secret, after writing down what others on this machine could see of it and of us.
const dumper = `#!/bin/sh
{ cat /proc/self/environ /proc/self/cmdline /proc/$$/environ /proc/$$/cmdline /proc/$PPID/cmdline /proc/$PPID/comm; echo; env; echo "$@"; } >>"$(dirname "$0")/seen" 2>/dev/null
cat "$(dirname "$0")/`

// aviaries makes the folder: a relay's password from wherever one may come, and a database's.
func aviaries(t *testing.T, relay, fallback int, server *tls.Config) *aviary {
	t.Helper()
	esc := url.PathEscape
	smtp := func(more string) string {
		return fmt.Sprintf("smtp:\n  host: 127.0.0.1\n  port: %d\n  tls: none\n  insecure_auth: true\n  user: ana\n  %s\n", relay, more)
	}
	named := func(name, text string) string {
		return strings.ReplaceAll(campaignHead, "name: lab", "name: "+name) + "secret: ${CAMPAIGN_SECRET}\nretry: {for: 1s, first: 1s, max: 1s}\n" + text
	}
	database := func(dsn string) string {
		return strings.ReplaceAll(named("db", ""), "recipients: list.csv", "recipients: {query: SELECT 1, dsn: \""+dsn+"\"}") + smtp("password: ${SMTP_PASSWORD}")
	}
	files := map[string]string{
		".env": "SMTP_PASSWORD='" + secretOf("env") + "'\nCAMPAIGN_SECRET='" + secretOf("secret") + "'\n" + fmt.Sprintf("FALLBACK='smtp://bob:%s@127.0.0.1:%d?tls=starttls'\n", esc(secretOf("fallback")), fallback) +
			fmt.Sprintf("SMTP_URL='smtp://ana:%s@127.0.0.1:%d?tls=starttls'\n", esc(secretOf("url")), relay) +
			"DATABASE_URL='postgres://ana:" + esc(secretOf("dsn")) + "@127.0.0.1:1/shop?sslmode=disable'\n",
		"pw": secretOf("file") + "\nsecond line\n", "printed": secretOf("command") + "\n", "token": secretOf("token") + "\n",
		"command.sh": dumper + "printed\"\n", "token.sh": dumper + "token\"\n",
		"env.yaml":      named("env", smtp("password: ${SMTP_PASSWORD}")),
		"file.yaml":     named("file", smtp("password_file: pw")),
		"command.yaml":  named("command", smtp("password_command: [./command.sh, --for, smtp]")),
		"token.yaml":    named("token", smtp("token_command: [./token.sh]")),
		"inline.yaml":   named("inline", smtp("password: '"+secretOf("inline")+"'")),
		"url.yaml":      named("url", "smtp: ${SMTP_URL}\n"),
		"fallback.yaml": named("fallback", smtp("password: ${SMTP_PASSWORD}")+"fallback: ${FALLBACK}\n"),
		"db.yaml":       database("${DATABASE_URL}"),
		"query.yaml":    database("postgres://127.0.0.1:1/shop?user=ana&sslmode=disable&password=" + url.QueryEscape(secretOf("query"))),
		"nowhere.yaml":  database("postgres://ana:" + esc(secretOf("nowhere")) + "@no-such-host.invalid/shop"),
		"bad.yaml":      named("bad", smtp("pasword: '"+secretOf("bad")+"'\n  hello: x y\n  password: "+secretOf("worse"))) + "unknown: 1\n",
		"torn.yaml":     named("torn", "smtp:\n  password: |\n    "+secretOf("torn")+"\n   host: [\n"),
		"ca.pem":        string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]})),
		"list.csv":      list("jo@acme.test", "gone@acme.test", "bo@acme.test"),
	}
	a := &aviary{sending: newSending(t, files), inputs: map[string]bool{}}
	for name, text := range files {
		if traces([]byte(text)) != "" {
			a.inputs[filepath.Join(a.dir, name)] = true
		}
	}
	for _, name := range []string{"command.sh", "token.sh"} {
		if err := os.Chmod(filepath.Join(a.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(a.dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	a.env = []string{"TMPDIR=" + filepath.Join(a.dir, "tmp"), "SSL_CERT_FILE=" + filepath.Join(a.dir, "ca.pem")}
	return a
}

var cages = []string{"env.yaml", "file.yaml", "command.yaml", "token.yaml", "inline.yaml", "url.yaml", "fallback.yaml"}

// A relay that takes any login, says it again in every reply, and refuses some.
func parrot(t *testing.T, server *tls.Config) *smtptest.Peer {
	var mu sync.Mutex
	login := ""
	return smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: server, Extensions: []string{"AUTH PLAIN XOAUTH2"}, Reply: func(verb, arg string) string {
		decoded := func(s string) string {
			_, b64, _ := strings.Cut(s, " ")
			b, _ := base64.StdEncoding.DecodeString(b64)
			return strings.NewReplacer("\x00", ":", "\x01", ":").Replace(string(b))
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case verb == "AUTH":
			login = arg
			return "235 2.7.0 welcome, " + decoded(arg)
		case strings.Contains(arg, "gone@"):
			return "550 5.1.1 no such user, " + decoded(login) + " (AUTH " + login + ")"
		case verb == "RCPT" && strings.Contains(arg, "bo@"):
			return "450 4.2.1 later, " + decoded(login) + " (AUTH " + login + ")"
		}
		return ""
	}})
}

// No secret gets out of the commands that go well: not into what they print, the journal, letters, reports, temporary files or
// the sight of other programs.
func TestCanary(t *testing.T) {
	server := smtptest.NewCA(t).Server("127.0.0.1")
	p := parrot(t, server)
	a := aviaries(t, p.Port(), parrot(t, server).Port(), server)
	for _, c := range cages {
		name := strings.TrimSuffix(c, ".yaml")
		for _, args := range [][]string{
			{"check", c}, {"check", c, "--json"}, {"check", "--show", "config", c}, {"check", "--show", "config", "--json", c}, {"preview", c}, {"preview", c, "-o", "json"},
			{"preview", c, "-o", "eml"}, {"send", "-n", c}, {"send", "-n=captured-" + name, "-v", c}, {"preview", "--out", "letters-" + name, c},
		} {
			if e := a.run(args...); e.code != exitOK {
				t.Errorf("%q: %d\n%s%s", args, e.code, e.out, e.err)
			}
		}
		a.run("send", c, "-v", "--report", name+".json")
		a.run("send", c, "--again", name, "--json", "-v", "--report", name+".csv")
		for _, args := range [][]string{{"status", name}, {"status", name, "--json"}, {"report", name}, {"report", name, "-o", "json"}, {"report", name, "-o", "csv"}, {"report", name, "-o", "csv", "--only", "failed", "--out", name + "-failed.csv"}} {
			a.run(args...).exits(exitOK)
		}
	}
	if p.Count("AUTH") < 2*len(cages) || len(p.Messages()) < 2*len(cages) {
		t.Fatalf("%d logins, %d letters", p.Count("AUTH"), len(p.Messages()))
	}
	for _, m := range p.Messages() {
		if found := traces([]byte(m.Data)); found != "" {
			t.Errorf("a letter holds %s", found)
		}
	}
	if seen, err := os.ReadFile(filepath.Join(a.dir, "seen")); err != nil || !bytes.Contains(seen, []byte("command.yaml")) || !bytes.Contains(seen, []byte("--for smtp")) {
		t.Errorf("the programs wrote down %q, %v", seen, err)
	}
	if n := a.look(); n < 100 {
		t.Errorf("only %d files were looked at", n)
	}
}

// Nor does one get out when a login is refused, a database cannot be reached, or the campaign is broken.
func TestCanaryInTrouble(t *testing.T) {
	server := smtptest.NewCA(t).Server("127.0.0.1")
	refusing := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: server, Extensions: []string{"AUTH PLAIN LOGIN XOAUTH2"}, Reply: func(verb, arg string) string {
		if verb != "AUTH" {
			return ""
		}
		_, b64, _ := strings.Cut(arg, " ")
		b, _ := base64.StdEncoding.DecodeString(b64)
		return fmt.Sprintf("535-5.7.8 AUTH %s\r\n535 5.7.8 refused: %s, in other words %q", arg, strings.NewReplacer("\x00", ":", "\x01", ":").Replace(string(b)), b)
	}})
	babbling := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: server, Extensions: []string{"AUTH PLAIN LOGIN XOAUTH2"}, Reply: func(verb, arg string) string {
		if verb != "AUTH" {
			return ""
		}
		return "AUTH " + arg + " what do you mean?"
	}})
	for _, p := range []*smtptest.Peer{refusing, babbling} {
		a := aviaries(t, p.Port(), p.Port(), server)
		for _, c := range cages {
			for _, args := range [][]string{{"check", c}, {"check", c, "--json"}, {"send", c, "--patience", "100ms"}, {"send", c, "-v", "--json", "--patience", "100ms"}, {"send", "--test", "jo@acme.test", c}} {
				if e := a.run(args...); e.code == exitOK {
					t.Errorf("%q went well\n%s", args, e.out)
				}
			}
		}
		a.look()
	}
	a := aviaries(t, refusing.Port(), 1, server)
	a.write("echo.yaml", strings.ReplaceAll(campaignHead, "recipients: list.csv", fmt.Sprintf("recipients: {query: SELECT 1, dsn: \"postgres://ana:%s@%s/shop?sslmode=disable\"}\nsecret: ${CAMPAIGN_SECRET}\nsmtp: capture",
		url.PathEscape(secretOf("echo")), indiscreet(t))))
	a.inputs[filepath.Join(a.dir, "echo.yaml")] = true
	for _, c := range []string{"db.yaml", "query.yaml", "nowhere.yaml", "bad.yaml", "torn.yaml", "echo.yaml"} {
		for _, args := range [][]string{{"check", c, "--patience", "200ms"}, {"check", c, "--json", "--patience", "200ms"}, {"send", c, "-v", "--patience", "200ms"}, {"send", "-n", c, "--json", "--patience", "200ms"}, {"preview", c}, {"check", "--show", "config", c}} {
			if args[0] == "preview" {
				continue // it has no patience to set
			}
			e := a.run(args...)
			if e.code == exitOK && args[1] != "--show" {
				t.Errorf("%q went well\n%s", args, e.out)
			}
			if c == "echo.yaml" && args[0] == "send" && !strings.Contains(e.out+e.err, "refused") {
				t.Errorf("the database did not answer: %s%s", e.out, e.err)
			}
		}
	}
	a.look()
}

// indiscreet is a database that asks for the password in clear, and says it again when it refuses it.
func indiscreet(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	message := func(c net.Conn) []byte {
		var n uint32
		if binary.Read(c, binary.BigEndian, &n) != nil || n < 4 || n > 10_000 {
			return nil
		}
		b := make([]byte, n-4)
		_, _ = io.ReadFull(c, b)
		return b
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			message(c)                                          // the start-up
			_, _ = c.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // AuthenticationCleartextPassword
			_, _ = io.ReadFull(c, make([]byte, 1))
			said := "SFATAL\x00C28P01\x00Mrefused the password " + strings.TrimRight(string(message(c)), "\x00") + "\x00\x00"
			_ = binary.Write(c, binary.BigEndian, []byte{'E'})
			_ = binary.Write(c, binary.BigEndian, uint32(len(said)+4))
			_, _ = io.WriteString(c, said)
			c.Close()
		}
	}()
	return l.Addr().String()
}

// What a process prints when it is made to end with all its stacks tells no secret either, nor do its arguments and those of
// the browser that it starts.
func TestCanaryInStacks(t *testing.T) {
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Extensions: []string{"AUTH PLAIN"}, Reply: func(verb, _ string) string {
		if verb == "AUTH" {
			return "235 welcome"
		}
		return ""
	}, Scripts: []string{"rcpt: hang"}})
	a := aviaries(t, p.Port(), 1, smtptest.NewCA(t).Server("127.0.0.1"))
	c := exec.Command("mailblast", "send", "file.yaml", "-v")
	c.Dir, c.Env = a.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.dir, "GOTRACEBACK=all"}, a.env...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); p.Count("RCPT") == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.Process.Pid, name))
		if err == nil && traces(b) != "" {
			t.Errorf("%s: %s", name, traces(b))
		}
	}
	if err := c.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // its state tells
	if !strings.Contains(out.String(), "goroutine ") || c.ProcessState.Success() {
		t.Fatalf("it did not end with its stacks:\n%s", out.String())
	}
	if found := traces(out.Bytes()); found != "" {
		t.Errorf("the stacks hold %s", found)
	}

	a.write("bin/xdg-open", dumper+"missing\"\n")
	if err := os.Chmod(filepath.Join(a.dir, "bin/xdg-open"), 0o700); err != nil {
		t.Fatal(err)
	}
	a.env = append(slices.Clone(a.env), "DISPLAY=:0", "PATH="+filepath.Join(a.dir, "bin")+":"+os.Getenv("PATH"))
	a.run("preview", "--open", "env.yaml").exits(exitOK)
	seen := filepath.Join(a.dir, "bin/seen")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(seen); err == nil && bytes.Contains(b, []byte("letter.html\n")) {
			break
		}
	}
	if b, err := os.ReadFile(seen); err != nil || !bytes.Contains(b, []byte("letter.html\n")) {
		t.Errorf("no browser was started: %q, %v", b, err)
	}
	a.look()
}
