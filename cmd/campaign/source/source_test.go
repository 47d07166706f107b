package source

import (
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "1", "B": "${A}", "E": ""}[name]
		return v, ok
	}
	for in, want := range map[string]string{
		"": "", "plain $5 $A": "plain $5 $A", "${A}": "1", "x${A}y${A}": "x1y1", "${B}": "${A}", "${E}": "", "${E:-d}": "d", "${NO:-d:e}": "d:e",
		"${NO:-}": "", "${A:?m}": "1", "$${A}": "$1",
		"${NO}": "! the variable NO is not set", "é${NO:?say it}": "! the variable NO is not set: say it", "${A": "! ${ is never closed by }",
		"${}": "! ${ } holds no variable: its name must be letters, digits and _", "${A:+x}": "! ${A:…} must be ${VAR}, ${VAR:-default} or ${VAR:?message}",
		"${1}": "! ${ } holds no variable: its name must be letters, digits and _",
	} {
		got, at, err := Expand(in, env)
		if err != nil {
			got = "! " + err.Error()
			if want := strings.Count(in[:strings.Index(in, "${")], "") - 1; at != want {
				t.Errorf("Expand(%q): the fault is at %d, want %d", in, at, want)
			}
		}
		if got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		`password: hunter2`:                 `password: *******`,
		`  password: "a \" b", port: 1`:     `  password: *****************`,
		`smtp: smtp://ana:p@ss@h:25`:        `smtp: smtp://ana:****@h:25`,
		`dsn: host=h password=x`:            `dsn: host=h password=*`,
		`password: ${PW}`:                   `password: ${PW}`,
		`{secret: abc, name: x}`:            `{secret: ***, name: x}`,
		`password_file: /run/pw`:            `password_file: /run/pw`,
		`password: a, b} c #d e # f`:        `password: ****************`,
		`{password: a#b, host: h}`:          `{password: ***, host: h}`,
		`password: 'it''s' # x`:             `password: ******* # x`,
		`password: "a\" b`:                  `password: ******`,
		`password: ${PW:-abc}`:              `password: **********`,
		`password: ${PW:?say it}`:           `password: ${PW:?say it}`,
		`password: ${PW}x`:                  `password: ******`,
		`password:abc`:                      `password:***`,
		`{"password":"abc","port":1}`:       `{"password":*****,"port":1}`,
		`pasword: abc`:                      `pasword: ***`,
		`smtp_passwd : abc`:                 `smtp_passwd : ***`,
		`Passwort: abc`:                     `Passwort: ***`,
		`secert: abc`:                       `secert: ***`,
		`port: 25`:                          `port: 25`,
		`dsn: password='a b' user=x`:        `dsn: password=***** user=x`,
		`d: postgres://h/?a=1&password=x&b`: `d: postgres://h/?a=1&password=*&b`,
		`smtp://ana:a b/c@d@h`:              `smtp://ana:*******@h`,
		`smtp: "smtp://ana:hunter"`:         `smtp: "smtp://ana:*******`,
		`smtp://ana:${PW}@h`:                `smtp://ana:${PW}@h`,
		`smtp://ana:${PW}x@h`:               `smtp://ana:******@h`,
		`smtp://${USER}:pw@h`:               `smtp://${USER}:**@h`,
		`smtp://h.example:587 # me@x`:       `smtp://h.example:587 # me@x`,
		`smtp://h:${PORT}`:                  `smtp://h:${PORT}`,
		`smtp://[::1]:25`:                   `smtp://[::1]:25`,
		`[smtp://a:b@h, smtp://c:d@i]`:      `[smtp://a:*@h, smtp://c:*@i]`,
		`https://x/u?t={token}, a@b`:        `https://x/u?t={token}, a@b`,
		`token_command: [get, token]`:       `token_command: [get, token]`,
		"a\x1b[31m\tb":                      "a [31m b",
		`subject: my password is no secret`: `subject: my password is no secret`,
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

// What goes on with a secret on further lines is hidden as well, and what comes after is not.
func TestExcerpt(t *testing.T) {
	for in, want := range map[string]string{
		"password: |\n  two\n\n  lines\nport: 1":            "password: *|  ***||  *****|port: 1",
		"smtp:\n  password:\n    abc\n  port: 1":            "smtp:|  password:|    ***|  port: 1",
		"password: \"a\nb\" \nport: 1":                      "password: **|** |port: 1",
		"password: 'a\n\n  b'\nport: 1":                     "password: **||  **|port: 1",
		"- password: a\n  port: 1":                          "- password: *|  port: 1",
		"- password:\n    a\n  port: 1":                     "- password:|    *|  port: 1",
		"smtp: {host: h, password:\n a, port: 1}\nname: x":  "smtp: {host: h, password:| ***********|name: x",
		"smtp: {\n password:\n abc }\nname: x":              "smtp: {| password:| *****|name: x",
		"password: ${PW}\nport: 1":                          "password: ${PW}|port: 1",
		"password_file:\n  /run/pw":                         "password_file:|  /run/pw",
		"password:\nport: 1":                                "password:|port: 1",
		"{password: \"a, secret: b\nc\", port: 1}\nname: x": "{password: *************|************|name: x",
	} {
		f := Parse("c.yaml", []byte(in))
		var got []string
		for i := range f.lines {
			got = append(got, f.excerpt(i+1))
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q shows\n%s, want\n%s", in, s, want)
		}
	}
}

// Two characters wide or none: the caret stands below what is meant.
func TestFormat(t *testing.T) {
	f := Fault{Pos: Pos{"c.yaml", 12, 4}, Text: "wrong", Hint: "right", Excerpt: "日本 x: y", Width: 2}
	want := "c.yaml:12:4: wrong\n  12 | 日本 x: y\n     |      ^^\n  hint: right"
	if got := f.Format(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
