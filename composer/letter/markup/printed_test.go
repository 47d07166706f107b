package markup

import (
	"fmt"
	"testing"
)

func TestPrinted(t *testing.T) {
	n := Names{Columns: []string{"email", "name", "First Name", "city", "items"}, Vars: map[string]any{"x": 1}}
	for _, c := range []struct{ text, want string }{
		{"{{ .name }} {{ .first_name | upper }} {{ col \"city\" }}", "[1 2 3]"},
		{"{{ .name | default \"you\" }}{{ coalesce .city .name }}{{ ternary .city .name true }}", "[]"},
		{"{{ if .name }}Dear {{ .name }} of {{ .city }}{{ else }}{{ .first_name }}{{ end }}", "[2 3]"},
		{"{{ with .name }}{{ . }}{{ $.city }}{{ end }}", "[3]"},
		{"{{ range .items }}{{ .name }}{{ end }}{{ $x := .name }}{{ .vars.x }}", "[]"},
		{"{{ template \"a\" . }}{{ template \"b\" .items }}{{ define \"a\" }}{{ .name }}{{ $.city }}{{ end }}{{ define \"b\" }}{{ .name }}{{ $.name }}{{ end }}", "[1 3]"},
		{"{{ if and .name (gt (len .city) 3) }}{{ .city }}{{ end }}{{ print (upper .name) }}", "[1]"},
		{"{{ broken", "[]"},
	} {
		if got := fmt.Sprint(n.Printed(Source{Name: "a.txt", Text: c.text})); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}
