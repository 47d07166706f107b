package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maildev is a running MailDev, read through its HTTP API.
type maildev struct {
	t         *testing.T
	smtp, web int
}

func startMaildev(t *testing.T) *maildev {
	t.Helper()
	m := &maildev{t: t, smtp: freePort(t), web: freePort(t)}
	c := exec.Command(need(t, "maildev", "maildev with: npm install -g maildev@2"), "--ip", "127.0.0.1", "--smtp", fmt.Sprint(m.smtp),
		"--web-ip", "127.0.0.1", "--web", fmt.Sprint(m.web), "--mail-directory", t.TempDir())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	await(t, "MailDev", func() bool {
		r, err := http.Get(m.url("/email"))
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	return m
}

func (m *maildev) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", m.web, path) }

func (m *maildev) get(path string) []byte {
	m.t.Helper()
	r, err := http.Get(m.url(path))
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s, %v", path, r.Status, err)
	}
	return b
}

// caught is a message as MailDev understood it.
type caught struct {
	ID, Subject, Text, HTML string
	Envelope                struct{ To []struct{ Address string } }
	To, From                []struct{ Address, Name string }
	Attachments             []struct{ FileName, GeneratedFileName, ContentType string }
}

// messages waits for n messages, and gives them by recipient.
func (m *maildev) messages(n int) map[string]caught {
	m.t.Helper()
	var all []caught
	await(m.t, fmt.Sprintf("%d messages in MailDev", n), func() bool {
		if err := json.Unmarshal(m.get("/email"), &all); err != nil {
			m.t.Fatal(err)
		}
		return len(all) >= n
	})
	by := map[string]caught{}
	for _, c := range all {
		for _, to := range c.Envelope.To {
			if _, twice := by[to.Address]; twice {
				m.t.Errorf("%s has two letters", to.Address)
			}
			by[to.Address] = c
		}
	}
	if len(by) != n {
		m.t.Errorf("letters for %d people, want %d", len(by), n)
	}
	return by
}

// A rehearsal into MailDev: every letter of the quickstart, and one with all that can be in a letter, is intact there.
func TestMaildevDryRun(t *testing.T) {
	t.Parallel()
	dev := startMaildev(t)
	target := fmt.Sprintf("--dry-run=127.0.0.1:%d", dev.smtp)
	s := newSending(t, nil)
	if err := os.CopyFS(s.dir, os.DirFS("../testdata/quickstart")); err != nil {
		t.Fatal(err)
	}
	s.run("send", target).exits(exitOK)
	if _, err := os.Stat(filepath.Join(s.dir, ".mailblast")); err == nil {
		t.Error("a rehearsal left a journal")
	}
	got := dev.messages(12)
	for to, name := range map[string]string{"ana.silva@gmail.example": "Ana", "chloe.martin@gmail.example": "Chloé", "gone@yahoo.example": "Grace", "later@gmx.example": "Ivo"} {
		c := got[to]
		if c.Subject != name+", your spring offer" || !strings.Contains(c.HTML, "<h1>Hello "+name+"!</h1>") || !strings.Contains(c.Text, "Hello "+name+"!") {
			t.Errorf("%s: %+v", to, c)
		}
	}

	pdf := "%PDF-1.4\n" + strings.Repeat("\x00\xff\r\n.\r\n\n.", 5000)
	rich := newSending(t, map[string]string{
		"letter.html": "<html><body><p>Grüße an {{ .name }} 🌷</p>\n<p>.dots stay</p>\n<p>" + strings.Repeat("long ", 500) + "</p></body></html>",
		"plain.txt":   "Grüße an {{ .name }} 🌷\n.dots stay\n..\n.\nend  of it\n" + strings.Repeat("long ", 500) + "\n",
		"a/terms.pdf": pdf, "list.csv": "email,name\nzoe@b.test,\"Zoë \"\"Z\"\" O'Neil\"\n",
		"campaign.yaml": strings.NewReplacer("letter.txt", "letter.html", "Spring", `"🌷 Frühling für {{ .name }}: ein langer Betreff, der gefaltet werden muss, weil er über die Zeile geht"`).Replace(campaignHead) +
			"to: \"{{ .name }} <{{ .email }}>\"\ntext: plain.txt\nattachments: [{path: a/terms.pdf, name: Bedingungen für Zoë.pdf}]\nsmtp: capture\n",
	})
	rich.run("send", target).exits(exitOK)
	c := dev.messages(13)["zoe@b.test"]
	const name = `Zoë "Z" O'Neil`
	if c.Subject != "🌷 Frühling für "+name+": ein langer Betreff, der gefaltet werden muss, weil er über die Zeile geht" {
		t.Errorf("subject %q", c.Subject)
	}
	if len(c.To) != 1 || c.To[0].Address != "zoe@b.test" || c.To[0].Name != name || c.From[0].Name != "Ana" {
		t.Errorf("from %+v to %+v", c.From, c.To)
	}
	if want := "Grüße an " + name + " 🌷\n.dots stay\n..\n.\nend  of it\n" + strings.Repeat("long ", 500); strings.TrimSpace(c.Text) != strings.TrimSpace(want) {
		t.Errorf("text %q, want %q", c.Text, want)
	}
	if !strings.Contains(c.HTML, "<p>.dots stay</p>") || !strings.Contains(c.HTML, strings.Repeat("long ", 500)) || !strings.Contains(c.HTML, "🌷") {
		t.Errorf("HTML %q", c.HTML)
	}
	if len(c.Attachments) != 1 || c.Attachments[0].FileName != "Bedingungen für Zoë.pdf" || c.Attachments[0].ContentType != "application/pdf" {
		t.Fatalf("attachments %+v", c.Attachments)
	}
	if b := dev.get("/email/" + c.ID + "/attachment/" + strings.ReplaceAll(c.Attachments[0].GeneratedFileName, " ", "%20")); string(b) != pdf {
		t.Errorf("the attachment has %d octets, want %d as they were", len(b), len(pdf))
	}
}
