package cmd

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
	hop := func(key string, port int, more string) string {
		return fmt.Sprintf("%s:\n  host: 127.0.0.1\n  port: %d\n  tls: none\n  insecure_auth: true\n  user: ana\n  %s\n", key, port, more)
	}
	smtp := func(more string) string { return hop("smtp", relay, more) }
	second := func(more string) string { return hop("fallback", fallback, more) }
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
		"file.yaml":    named("file", smtp("password_file: pw")+second("password_command: [./command.sh, --for, smtp]")),
		"token.yaml":   named("token", smtp("token_command: [./token.sh]")+second("password: '"+secretOf("inline")+"'")),
		"env.yaml":     named("env", smtp("password: ${SMTP_PASSWORD}")+"fallback: ${FALLBACK}\n"),
		"url.yaml":     named("url", "smtp: ${SMTP_URL}\n"),
		"db.yaml":      database("${DATABASE_URL}"),
		"query.yaml":   database("postgres://127.0.0.1:1/shop?user=ana&sslmode=disable&password=" + url.QueryEscape(secretOf("query"))),
		"nowhere.yaml": database("postgres://ana:" + esc(secretOf("nowhere")) + "@no-such-host.invalid/shop"),
		"bad.yaml":     named("bad", smtp("pasword: '"+secretOf("bad")+"'\n  hello: x y\n  password: "+secretOf("worse"))) + "unknown: 1\n",
		"torn.yaml":    named("torn", "smtp:\n  password: |\n    "+secretOf("torn")+"\n   host: [\n"),
		"ca.pem":       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]})),
		"list.csv":     list("jo@acme.test", "gone@acme.test", "bo@acme.test"),
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

// cages are the campaigns that can be sent, with where their secrets come from: the relay's, and the fallback's.
var cages = map[string][]string{"file.yaml": {"file", "command"}, "token.yaml": {"token", "inline"}, "env.yaml": {"env", "fallback"}, "url.yaml": {"url"}}

// heard demands that each secret of a cage was used: what nobody used could not get out.
func (a *aviary) heard(cage string, peers ...*smtptest.Peer) {
	a.t.Helper()
	var all strings.Builder
	for _, p := range peers {
		for _, line := range p.Commands() {
			for _, word := range strings.Fields(line) {
				b, _ := base64.StdEncoding.DecodeString(word)
				all.Write(append(b, '\n'))
			}
		}
	}
	for _, where := range cages[cage] {
		if !strings.Contains(all.String(), secretOf(where)) {
			a.t.Errorf("%s: the secret from %s was never used", cage, where)
		}
	}
}

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
