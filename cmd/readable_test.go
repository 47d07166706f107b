package cmd

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readStrictly gives every message as Python's email package reads it, with every defect as an error.
const readStrictly = `
import email, email.policy, hashlib, json, sys
policy = email.policy.strict + email.policy.SMTP
out = []
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        msg = email.message_from_bytes(f.read(), policy=policy)
    parts = []
    for part in msg.walk():
        assert not part.defects, (name, part.defects)
        for key, value in part.items():
            assert not getattr(value, "defects", None), (name, key, value.defects)
        if not part.is_multipart():
            body = part.get_content()
            if isinstance(body, bytes):
                body = hashlib.sha256(body).hexdigest()
            parts.append([part.get_content_type(), part.get_filename() or "", body.replace("\r\n", "\n")])
    for key in ("from", "to", "subject", "date", "message-id", "mime-version"):
        assert len(msg.get_all(key)) == 1, (name, key)
    assert msg["bcc"] is None
    out.append({"To": msg["to"].addresses[0].addr_spec, "Subject": msg["subject"], "Parts": parts})
json.dump(out, sys.stdout)
`

// A letter of each kind, delivered by Postfix to its next hop, reads without a defect and says what it should.
func TestPostfixLettersRead(t *testing.T) {
	t.Parallel()
	python := need(t, "python3", "python3")
	next, address := onward(t)
	relay := startPostfix(t, address, "")
	const pdf = "%PDF-1.4\n\x00\xff\r\n.\r\n\n."
	kinds := map[string]map[string]string{
		"text": {"letter.txt": "Grüße 🌷 {{ .name }}\n.\n..dots\n" + strings.Repeat("long ", 400) + "\n"},
		"html": {"letter.html": "<html><body><p>Grüße 🌷 {{ .name }}</p>\n<p>.dots</p></body></html>\n"},
		"markdown": {"letter.md": "# Grüße 🌷 {{ .name }}\n\n**.dots** [here](https://acme.test/?a=1&b=2)\n",
			"layouts/base.html": "<html><body class=\"lab\">{{ template \"content\" . }}</body></html>\n", "layouts/base.txt": "{{ template \"content\" . }}\n-- \nlab\n"},
		"attachment": {"letter.txt": "Grüße 🌷 {{ .name }}\n", "terms.pdf": pdf},
	}
	var to []string
	for kind, files := range kinds {
		letter := "letter.txt"
		for _, name := range []string{"letter.html", "letter.md"} {
			if files[name] != "" {
				letter = name
			}
		}
		config := strings.NewReplacer("letter.txt", letter, "subject: Spring", `subject: "🌷 Für {{ .name }}"`).Replace(campaignHead) + relay.trusted()
		if kind == "attachment" {
			config += "attachments: [{path: terms.pdf, name: Für Zoë.pdf}]\n"
		}
		files["campaign.yaml"], files["list.csv"] = config, "email,name\n"+kind+"@a.test,Zoë & Co\n"
		s := newSending(t, files)
		s.env = relayPassword
		s.run("send").exits(exitOK)
		to = append(to, kind+"@a.test")
	}
	arrived(t, next, to)
	args, dir := []string{"-c", readStrictly}, t.TempDir()
	for _, m := range next.Messages() {
		args = append(args, filepath.Join(dir, m.To[0]))
		if err := os.WriteFile(args[len(args)-1], []byte(m.Data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, args...).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	var read []struct {
		To, Subject string
		Parts       [][3]string
	}
	if err := json.Unmarshal(out, &read); err != nil || len(read) != len(kinds) {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[string][]string{ // of each part its type, name, and what it holds
		"text@a.test":       {"text/plain||Grüße 🌷 Zoë & Co\n.\n..dots\n" + strings.Repeat("long ", 400) + "\n"},
		"html@a.test":       {"text/plain||Grüße 🌷 Zoë & Co", "text/html||<html><body><p>Grüße 🌷 Zoë &amp; Co</p>\n<p>.dots</p></body></html>\n"},
		"markdown@a.test":   {"text/plain||-- \nlab", `text/html||<body class="lab"><h1>Grüße 🌷 Zoë &amp; Co</h1>`},
		"attachment@a.test": {"text/plain||Grüße 🌷 Zoë & Co\n", fmt.Sprintf("application/pdf|Für Zoë.pdf|%x", sha256.Sum256([]byte(pdf)))},
	}
	for _, m := range read {
		if m.Subject != "🌷 Für Zoë & Co" || len(m.Parts) != len(want[m.To]) {
			t.Errorf("%s: subject %q, %d parts, want %d", m.To, m.Subject, len(m.Parts), len(want[m.To]))
			continue
		}
		for i, w := range want[m.To] {
			f := strings.SplitN(w, "|", 3)
			if p := m.Parts[i]; p[0] != f[0] || p[1] != f[1] || !strings.Contains(p[2], f[2]) {
				t.Errorf("%s: part %d is %q, want %q", m.To, i, p, f)
			}
		}
	}
}
