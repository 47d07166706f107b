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
		"${}": "! ${} is not a variable: its name must be letters, digits and _", "${A:+x}": "! ${A:+x} must be ${VAR}, ${VAR:-default} or ${VAR:?message}",
		"${1}": "! ${1} is not a variable: its name must be letters, digits and _",
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
		`  password: "a \" b", port: 1`:     `  password: ********, port: 1`,
		`smtp: smtp://ana:p@ss@h:25`:        `smtp: smtp://ana:****@h:25`,
		`dsn: host=h password=x`:            `dsn: host=h password=*`,
		`password: ${PW}`:                   `password: ${PW}`,
		`{secret: abc, name: x}`:            `{secret: ***, name: x}`,
		`password_file: /run/pw`:            `password_file: /run/pw`,
		`token_command: [get, token]`:       `token_command: [get, token]`,
		"a\x1b[31m\tb":                      "a [31m b",
		`subject: my password is no secret`: `subject: my password is no secret`,
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
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
