package campaign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/mailblast/mailblast/cmd/campaign/secret"
)

// Nothing that prints a campaign prints its secrets.
func TestSecretsAreMasked(t *testing.T) {
	c, err := Load("testdata/campaigns/full.yaml", examples)
	if err != nil {
		t.Fatal(err)
	}
	s := secret.New("canary")
	var out bytes.Buffer
	for _, v := range []any{s, &s, []Secret{s}, struct{ S Secret }{s}, map[string]Secret{"k": s}, *c, c.SMTP, c.Recipients, c.Settings()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.3s"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		asYAML, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(asJSON)
		out.Write(asYAML)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	if strings.Contains(out.String(), "canary") || strings.Contains(out.String(), fmt.Sprintf("%x", "canary")) {
		t.Errorf("a secret is shown:\n%s", out.String())
	}
	if !strings.Contains(out.String(), secret.Masked) {
		t.Error("nothing is masked")
	}
}

func TestPasswordFile(t *testing.T) {
	text := base + "smtp: {host: a.example, user: ana, password_file: pw}\n"
	c := load(t, Options{}, "campaign.yaml", text, "pw!", "canary pass\r\nsecond\n")
	if s, err := c.SMTP.Credential(t.Context()); err != nil || s.Reveal() != "canary pass" {
		t.Errorf("%q %v", s.Reveal(), err)
	}
	folder(t, "campaign.yaml", text, "pw", "canary\n")
	if _, err := Load("campaign.yaml", Options{}); err == nil || !strings.Contains(err.Error(), "has mode 0644: others can read it") {
		t.Errorf("mode 0644: %v", err)
	}
	if _, err := secret.ReadFile("pw"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("mode 0644 when read: %v", err)
	}
}

func TestPasswordCommand(t *testing.T) {
	for argv, want := range map[string]string{
		"[printf, 'canary\\nmore']":                              "canary",
		"[sh, -c, 'cat here']":                                   "beside",
		"[sh, -c, 'echo locked >&2; echo canary; exit 3']":       "error: password_command: exit status 3: locked",
		"[sh, -c, 'echo']":                                       "error: password_command: the first line is empty",
		"[no-such-program-here]":                                 `error: password_command: exec: "no-such-program-here": executable file not found in $PATH`,
		"[sh, -c, 'head -c 300000 /dev/zero | tr \"\\0\" x; :']": strings.Repeat("x", 64<<10),
	} {
		c := load(t, Options{}, "campaign.yaml", base+"smtp: {host: a.example, user: ana, password_command: "+argv+"}\n", "here", "beside\n")
		s, err := c.SMTP.Credential(t.Context())
		got := s.Reveal()
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: %.80q, want %.80q", argv, got, want)
		}
	}
}

func TestInlinePassword(t *testing.T) {
	text := base + "smtp: smtp://ana:canary@a.example\n"
	c := load(t, Options{}, "campaign.yaml!", text)
	if len(c.Warnings) != 1 || strings.Contains(fmt.Sprint(c.Warnings), "canary") {
		t.Errorf("%v", c.Warnings)
	}
	folder(t, "campaign.yaml", text)
	if _, err := Load("campaign.yaml", Options{}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a password that others can read: %v", err)
	}
}
