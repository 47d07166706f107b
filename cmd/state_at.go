package cmd

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

// stateAt is where a campaign's state is.
type stateAt struct {
	dir    string          // of what this machine has for itself, and of the journal unless that is on a server
	server campaign.Secret // the journal's database; empty: there is none
}

func stateOf(c *campaign.Campaign) stateAt { return stateAt{c.State, c.Server} }

// options is where the journal is.
func (p stateAt) options() journal.Options {
	return journal.Options{Dir: p.dir, Server: p.server.Reveal(), Brief: true}
}

// journal is where the journal is, for those who look at it as it is.
func (p stateAt) journal() salvage.Place { return salvage.Place{Dir: p.dir, Server: p.server.Reveal()} }

// shared tells that the journal is on a server, which other machines may use as well.
func (p stateAt) shared() bool { return !p.server.Empty() }

// String is what the place is called.
func (p stateAt) String() string {
	if p.shared() {
		return campaign.Redact(p.server.Reveal())
	}
	return filepath.Clean(p.dir)
}

// whereabouts gives where the state is, and the campaign of this directory if it has one. A campaign that is being edited, and faulty
// at the moment, keeps nobody from its results.
func (e *env) whereabouts() (at stateAt, name string) {
	at.dir = campaign.StateDir(absolute("."))
	if c, err := campaign.Load(defaultFile, campaign.Options{Env: e.lookup, EnvFile: e.envFile}); err == nil {
		at, name = stateOf(c), c.Name
	}
	switch {
	case campaign.IsServer(e.stateIn):
		at = e.serverGiven()
	case e.stateIn != "":
		at = stateAt{dir: absolute(e.stateIn)}
	}
	return at, name
}

// stateGiven looks at what --state or MAILBLAST_STATE says. Nothing of a faulty one is repeated, as it may hold a password; one on a
// command line is there for everybody on the machine to see.
func (e *env) stateGiven() error {
	called := "MAILBLAST_STATE"
	if e.stateIn != e.value(called) {
		called = "--state"
	}
	if text, hint := campaign.StateFault(e.stateIn); text != "" {
		return failf(exitUsage, "%s: %s", called, text).hinted("%s", hint)
	}
	if !campaign.IsServer(e.stateIn) {
		return nil
	}
	at := e.serverGiven()
	server, err := rows.Reach(at.lockSource(), rows.Options{}) // connects to nothing
	if err == nil {
		err = server.Close()
	}
	if err != nil {
		return failf(exitUsage, "%s: it is no valid PostgreSQL URL", called).hinted("postgres://user:password@host:5432/database?sslmode=require; is a part of it misspelled, behind the ?")
	}
	if u, err := url.Parse(at.server.Reveal()); called == "--state" && err == nil && withPassword(u) {
		return failf(exitUsage, "--state: a password has no place on a command line, where others can see it").
			hinted("write state: postgres://user:${DB_PASSWORD}@host/database into the campaign, or set MAILBLAST_STATE, or use ~/.pgpass")
	}
	return nil
}

// serverGiven is the server that --state or MAILBLAST_STATE names.
func (e *env) serverGiven() stateAt {
	return stateAt{campaign.StateDir(absolute(".")), campaign.NewSecret(strings.TrimSpace(e.stateIn))}
}

func withPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has || u.Query().Has("password") || u.Query().Has("sslpassword")
}
