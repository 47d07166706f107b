package cmd

import "testing"

// A command that is suggested finds the state that this one found.
func TestTyped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dir, state, fromEnv, want string }{
		{"", "", "", "mailblast send 'my list.yaml'"},
		{"d", "X", "", "mailblast -C d --state X send 'my list.yaml'"},
		{"", "Y", "Y", "mailblast send 'my list.yaml'"}, // it is there for the next one, too
		{"", "X", "Y", "mailblast --state X send 'my list.yaml'"},
	} {
		e := &env{dir: c.dir, stateIn: c.state, lookup: func(name string) (string, bool) { return c.fromEnv, name == "MAILBLAST_STATE" }}
		if got := e.typed("send", "my list.yaml"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
