package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// everything is all that loading a campaign lets out: its faults, or its warnings and settings.
func everything(t testing.TB, o Options, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "campaign.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, o)
	if err != nil {
		return fmt.Sprintf("%v\n%+v", err, err)
	}
	return fmt.Sprintf("%v\n%+v\n%+v\n%#v", c.Warnings, c.Settings(), *c, c.SMTP)
}

// Whatever is wrong on and around the lines with a password, no fault shows it.
func TestFaultsShowNoPassword(t *testing.T) {
	const smtp = "smtp:\n  host: a.example\n  user: ana\n"
	for name, text := range map[string]string{
		"below its key":        smtp + "  password:\n    canary-8\n  prot: 1\n",
		"block":                smtp + "  password: |\n    canary-8\n   x: y\n",
		"folded":               smtp + "  password: >\n    canary-8: x\n  port: x\n",
		"quote left open":      smtp + "  password: \"canary-8\n  port: 1\n",
		"single quote":         smtp + "  password: 'canary-8\n  port: 1\n",
		"text after the quote": smtp + "  password: \"x\" canary-8\n",
		"two lines":            smtp + "  password: \"canary-8\n    canary-9\" x\n",
		"tab":                  smtp + "\tpassword: canary-8\n",
		"no space":             smtp + "  password:canary-8\n",
		"equals sign":          smtp + "  password=canary-8\n",
		"colon in it":          smtp + "  password: canary-8: x\n",
		"colon before it":      smtp + "  password: x: canary-8\n",
		"alias":                smtp + "  password: *canary-8\n",
		"tag":                  smtp + "  password: !canary-8 x\n",
		"anchor":               smtp + "  password: &canary-8\n",
		"reserved":             smtp + "  password: @canary-8\n",
		"percent":              smtp + "  password: %canary-8\n",
		"backquote":            smtp + "  password: `canary-8`\n",
		"brace":                smtp + "  password: {canary-8\n",
		"mapping":              smtp + "  password: {canary-8: 1}\n",
		"list":                 smtp + "  password: [canary-8, x]\n",
		"bracket":              smtp + "  password: [canary-8\n",
		"variable in it":       smtp + "  password: canary${NO_SUCH}-8\n",
		"odd variable":         smtp + "  password: ${canary-8}\n",
		"odd default":          smtp + "  password: ${PW:+canary-8}\n",
		"default":              smtp + "  password: ${PW:-canary-8}\n  port: x\n",
		"open variable":        smtp + "  password: canary-8${\n",
		"misspelt":             smtp + "  passwrod: canary-8\n",
		"misspelt again":       smtp + "  pasword: canary-8\n  smtp_pass: canary-8\n  Passwort: canary-8\n",
		"elsewhere":            smtp + "password: canary-8\ntoken: canary-8\nsecert: canary-8\n",
		"repeated":             smtp + "  password: canary-8\n  password: canary-9\n",
		"of two":               smtp + "  password: canary-8\n  password_file: pw\n",
		"without user":         "smtp:\n  host: a.example\n  password: canary-8\n",
		"in braces":            "smtp: {host: a.example, user: ana, password: canary-8, prot: 1}\n",
		"in braces, quoted":    "smtp: {host: a.example, user: ana, password: \"canary-8, prot: 1}\n",
		"in braces, misspelt":  "smtp: {host: a.example, user: ana, pasword: canary-8, port: x}\n",
		"in braces, open":      "smtp: {host: a.example, user: ana, password: canary-8\nport: 1\n",
		"over lines":           "smtp: {host: a.example, user: ana, password:\n  canary-8, port: x}\n",
		"of another kind":      "smtp:\n- host: a.example\n  password: canary-8\n",
		"URL":                  "smtp: smtp://ana:canary-8@a.example:x\n",
		"URL without host":     "smtp: smtp://ana:canary-8\n",
		"URL with space":       "smtp: smtp://ana:canary 8-canary@a.example\n",
		"URL with slash":       "smtp: smtp://ana:1/canary-8@a.example\n",
		"URL with question":    "smtp: smtp://ana:1?canary-8@a.example\n",
		"URL with hash":        "smtp: smtp://ana:1#canary-8@a.example\n",
		"URL with percent":     "smtp: smtp://ana:%canary-8@a.example\n",
		"URL with at":          "smtp: smtp://ana:canary-8@canary-9@a.example:x\n",
		"URL of another kind":  "smtp: imap://ana:canary-8@a.example\n",
		"URL with demand":      "smtp: smtp://ana:canary-8@a.example?tls=always&x=y\n",
		"URLs in a list":       "smtp: [\"smtp://ana:canary-8@a.example\", smtp://ana:canary-9@a.example]\n",
		"fallback":             "smtp: capture\nfallback: smtp://ana:canary-8@\n",
		"secret":               "smtp: capture\nsecret: canary-8\n",
		"DSN":                  "smtp: capture\nrecipients: {dsn: \"postgres://ana:canary-8@db.example:x/shop\", query: SELECT 1}\n",
		"DSN with slash":       "smtp: capture\nrecipients: {dsn: \"postgres://ana:1/canary-8@db.example/shop\", query: SELECT 1}\n",
		"DSN with hash":        "smtp: capture\nrecipients: {dsn: \"postgres://ana:1#canary-8@db.example/shop\", query: SELECT 1}\n",
		"DSN in words":         "smtp: capture\nrecipients: {dsn: \"host=db user=ana password='canary 8-canary'\", query: SELECT 1}\n",
		"DSN without slashes":  "smtp: capture\nrecipients: {dsn: \"postgres:ana:canary-8@db.example/shop\", query: SELECT 1}\n",
		"DSN as a list":        "smtp: capture\nrecipients: postgres://ana:canary-8@db.example/shop\n",
		"DSN's parameter":      "smtp: capture\nrecipients: {dsn: \"postgres://db.example/shop?user=ana&password=canary-8\", qeury: SELECT 1}\n",
		"DSN's key":            "smtp: capture\ndatabase_url: postgres://ana:canary-8@db.example/shop\n",
		"template":             smtp + "  password: {{ canary-8 }}\n",
		"not UTF-8":            smtp + "  password: canary-8\xff\n",
		"control character":    smtp + "  password: canary-8\x01\n",
		"two documents":        smtp + "  password: canary-8\n---\npassword: canary-9\n",
	} {
		for _, head := range []string{base, base + "on_null: wrong\n", "\tbroken: [\n" + base} {
			if strings.Contains(text, "recipients:") {
				head = strings.ReplaceAll(head, "recipients: a.csv\n", "")
			}
			all := everything(t, Options{}, head+text)
			if strings.Contains(all, "canary") || strings.Contains(all, "8-can") {
				t.Errorf("%s:\n%s", name, all)
			}
		}
	}
}

// FuzzPassword writes any password into campaign.yaml as people do, without quotes, on a line that is at fault as well.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"hunter2-hunter2", `"a" hunter2`, "'", "a # hunter2", "{a: hunter2}", "x: hunter2", "*hunter2", "${PW:-hunter2}", "a, hunter2]", "smtp://a:b@c hunter2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		// A line break ends the value, and what is short or as long as a rule is in any text.
		if len(password) < 8 || len(password) > 200 || strings.ContainsAny(password, "\r\n") || strings.Trim(password, "* \t") == "" {
			t.Skip()
		}
		text := base + "smtp:\n  host: a.example\n  user: ana\n  password: " + password + "\n  port: x\n"
		all := everything(t, Options{}, text)
		if strings.Contains(all, password) && !strings.HasPrefix(strings.TrimSpace(password), "${") {
			t.Errorf("%q is in\n%s", password, all)
		}
	})
}

// FuzzSecretURL puts any password into the variable of a relay's or a database's URL: it is refused, or taken whole, and shown
// in neither case.
func FuzzSecretURL(f *testing.F) {
	for i, s := range []string{"hunter2-hunter2", "p@ss/w0rd#hunter2", "1?hunter2-hunter2", "1/hunter2", "1#hunter2@x", "%zzhunter2", "[hunter2]", "hunter2&x=hunter2", "hunter2\nhunter3", "hunter2\x00", "a:b:c:hunter2"} {
		f.Add(i, s)
	}
	f.Fuzz(func(t *testing.T, kind int, password string) {
		rest := []string{"db.example:5432/shop?sslmode=verify-full", "mail.example:587", "mail.example"}[uint(kind)%3]
		key := []string{"smtp: capture\nrecipients: {dsn: \"${URL}\", query: SELECT 1}\n", "smtp: ${URL}\n", "smtp: capture\nfallback: ${URL}\n"}[uint(kind)%3]
		scheme := []string{"postgres", "smtp", "smtps"}[uint(kind)%3]
		raw := scheme + "://ana:" + password + "@" + rest
		text := strings.ReplaceAll(base, "recipients: a.csv\n", "") + key
		if !strings.Contains(key, "recipients") {
			text = base + key
		}
		o := Options{Env: func(name string) (string, bool) { return raw, name == "URL" }}
		all := everything(t, o, text)
		if len(password) >= 8 && strings.Trim(password, "*") != "" && strings.Contains(all, password) {
			t.Errorf("%q is in\n%s", password, all)
		}
		path := filepath.Join(t.TempDir(), "campaign.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, o)
		if err != nil {
			return
		}
		want, err := url.PathUnescape(password)
		switch uint(kind) % 3 {
		case 0:
			u, perr := url.Parse(c.Recipients.DSN.Reveal())
			if got, _ := u.User.Password(); perr != nil || err != nil || got != want || u.Hostname() != "db.example" {
				t.Errorf("%q: %v, %v", raw, u, perr)
			}
		case 1:
			if c.SMTP.Password.Reveal() != want || c.SMTP.Host != "mail.example" || err != nil {
				t.Errorf("%q: %q at %s", raw, c.SMTP.Password.Reveal(), c.SMTP.Host)
			}
		default:
			if c.Fallback.Password.Reveal() != want || c.Fallback.Host != "mail.example" || err != nil {
				t.Errorf("%q: %q at %s", raw, c.Fallback.Password.Reveal(), c.Fallback.Host)
			}
		}
	})
}

// FuzzEnv reads any .env: it gives variables, or says that there are none, without saying what is in it.
func FuzzEnv(f *testing.F) {
	for _, s := range []string{"A=b\n", "export A='b c' # x\n", "A=\"b\\n$C\"\nC: d\n", "hunter2\n", "A='open\n", "#\n#\n=x\n", "A\xff=\x00\n", "A=$B\nB=$A\n", "A B=c\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Count(text, []byte("$")) > 16 { // a file of one's own may be made to grow
			t.Skip()
		}
		vars, err := parseEnv(text)
		if err != nil && !errors.Is(err, errNoEnv) {
			t.Errorf("%v", err)
		}
		if err != nil && len(vars) > 0 {
			t.Errorf("%v with %q", err, vars)
		}
	})
}

// A file that never ends, or that waits for somebody, is refused at once; so is one made to take long.
func TestFilesMadeToHurt(t *testing.T) {
	pipe := func(name string) {
		t.Helper()
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	huge := func(name string) {
		t.Helper()
		err := os.WriteFile(name, nil, 0o600)
		if err == nil {
			err = os.Truncate(name, 1<<30)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var keys strings.Builder
	for i := range 4900 {
		fmt.Fprintf(&keys, ", k%d: password", i)
	}
	for name, c := range map[string]struct {
		text string
		make func()
		want string
	}{
		"1 GB":            {"", func() { huge("campaign.yaml") }, "larger than 1 MiB"},
		"1 GB of .env":    {base + "smtp: capture\n", func() { huge(".env") }, "larger than 1 MiB"},
		"pipe":            {"", func() { _ = os.Remove("campaign.yaml"); pipe("campaign.yaml") }, "not a regular file"},
		"device":          {"", func() { _ = os.Remove("campaign.yaml"); _ = os.Symlink("/dev/zero", "campaign.yaml") }, "not a regular file"},
		".env pipe":       {base + "smtp: capture\n", func() { pipe(".env") }, ".env: not a regular file"},
		".env device":     {base + "smtp: capture\n", func() { _ = os.Symlink("/dev/zero", ".env") }, ".env: not a regular file"},
		"shared pipe":     {base + "smtp: capture\n", func() { pipe("mailblast.yaml") }, "mailblast.yaml: it cannot be read"},
		"password pipe":   {base + "smtp: {host: a.example, user: ana, password_file: pw}\n", func() { pipe("pw") }, "the file is not a regular file"},
		"thousand faults": {"{name: x" + keys.String() + "}\n", func() {}, "more faults from here on"},
		"thousand lines":  {strings.Repeat("password: [x\n", 10_000), func() {}, "campaign.yaml:"},
		"many passwords":  {"{" + strings.Repeat("password: password: ", 1<<14) + "\n", func() {}, "campaign.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			folder(t, "campaign.yaml!", c.text)
			c.make()
			began := time.Now()
			_, err := Load("campaign.yaml", Options{})
			if took := time.Since(began); took > slower*time.Second {
				t.Errorf("it took %v", took)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 100_000 {
				t.Errorf("%.200v", err)
			}
		})
	}
}

// Secrets in files that others can read, or in the open, are warned of; a .env that others can write is not taken.
func TestSecretsInTheOpen(t *testing.T) {
	const database = "smtp: capture\nrecipients: {query: SELECT 1, dsn: \""
	plain := strings.ReplaceAll(base, "recipients: a.csv\n", "")
	for text, want := range map[string]string{
		base + "smtp: capture\nsecret: canary-0123456789\n":                                  "secret: it is written out in this file",
		plain + database + "postgres://ana:canary@localhost/shop\"}\n":                       "recipients.dsn: a password is written out",
		plain + database + "postgres://ana:${PW}@localhost/shop\"}\n":                        "",
		plain + database + "postgres://ana@db.example/shop\"}\n":                             "",
		plain + database + "postgres://ana:${PW}@db.example/shop\"}\n":                       "its certificate is not checked",
		plain + database + "postgres://ana:${PW}@db.example/x?sslmode=require\"}\n":          "its certificate is not checked",
		plain + database + "postgres://ana:${PW}@db.example/x?sslmode=disable\"}\n":          "over an unencrypted connection",
		plain + database + "postgres://ana:${PW}@[::1]/x?sslmode=disable\"}\n":               "",
		plain + database + "postgres:///x?host=/run/pg&password=${PW}\"}\n":                  "",
		plain + database + "postgres://db.example/x?sslmode=verify-full&password=${PW}\"}\n": "",
	} {
		c := load(t, Options{Env: env("PW=canary")}, "campaign.yaml", text)
		got := fmt.Sprint(c.Warnings)
		if strings.Contains(got, "canary") || (want == "") != (len(c.Warnings) == 0) || !strings.Contains(got, want) {
			t.Errorf("%s\n%s", text, got)
		}
	}
	for mode, want := range map[os.FileMode]string{0o600: "", 0o640: "warning: others can read", 0o644: "warning: others can read", 0o666: "fault: everybody can write"} {
		folder(t, "campaign.yaml", base+"smtp: capture\n", ".env", "A=b\n")
		if err := os.Chmod(".env", mode); err != nil {
			t.Fatal(err)
		}
		got := ""
		if c, err := Load("campaign.yaml", Options{}); err != nil {
			got = "fault: " + err.(Faults)[0].Text
		} else if len(c.Warnings) > 0 {
			got = "warning: " + c.Warnings[0].Text
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%o: %q, want %q", mode, got, want)
		}
		if _, err := Load("campaign.yaml", Options{EnvFile: ".env"}); err != nil {
			t.Errorf("%o, asked for by name: %v", mode, err)
		}
	}
}
