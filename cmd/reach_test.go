package cmd

import "testing"

// reaching are the packages by which code gets at the network, starts programs or leaves what the language guards, and the
// rooms that may import them, each with what it does there. Nobody else fetches, dials, listens or starts anything.
var reaching = map[string]map[string]string{
	"net": {
		"cmd": "the resolver, the capture server's address", "cmd/campaign": "checks addresses and networks that are written down",
		"composer/rows": "PostgreSQL's connection", "composer/rows/alert": "dials the database, and reads ahead", "composer/rows/pgtest": "tests", "composer/rows/pulse": "asks whether the database is there",
		"delivery/capture": "listens on loopback", "delivery/journal/refusal": "reads errors", "delivery/journal/server": "a journal in PostgreSQL",
		"delivery/route": "lookups", "delivery/smtpout": "SMTP", "delivery/smtpout/conn": "SMTP", "delivery/smtpout/fault": "reads errors",
		"delivery/smtpout/hosts": "reads errors", "delivery/smtptest": "tests",
	},
	"net/http": {"delivery/capture": "serves its page; asks nobody"},
	"os/exec": {
		"cmd": "opens the browser for preview --open", "cmd/campaign/secret": "password_command, token_command", "composer/rows/pgtest": "tests",
		"delivery/journal/journaltest": "tests",
	},
	"unsafe": {}, "plugin": {}, "net/smtp": {}, "net/rpc": {}, "net/http/httputil": {}, "net/http/pprof": {}, "expvar": {},
}

// No room gets at the network or at other programs but those whose task it is.
func TestWhoReachesOut(t *testing.T) {
	used := map[string]bool{}
	for _, p := range rooms(t) {
		for _, i := range p.Imports {
			may, ok := reaching[i]
			room := relative(p.ImportPath)
			if used[i+" "+room] = true; ok && may[room] == "" {
				t.Errorf("%s imports %s", room, i)
			}
		}
	}
	for i, rooms := range reaching {
		for room := range rooms {
			if !used[i+" "+room] {
				t.Errorf("%s no longer imports %s: take it off the table", room, i)
			}
		}
	}
}
