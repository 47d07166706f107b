package cmd

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
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
		at = stateAt{campaign.StateDir(absolute(".")), campaign.NewSecret(e.stateIn)}
	case e.stateIn != "":
		at = stateAt{dir: absolute(e.stateIn)}
	}
	return at, name
}

// stateGiven is what --state or MAILBLAST_STATE says. A password on a command line is there for everybody on the machine to see.
func (e *env) stateGiven() error {
	if scheme, _, ok := strings.Cut(e.stateIn, "://"); ok && !campaign.IsServer(e.stateIn) {
		return failf(exitUsage, "--state: %s:// is no place for it", scheme).hinted("a directory, or postgres://user@host/database")
	}
	if !campaign.IsServer(e.stateIn) || e.stateIn == e.value("MAILBLAST_STATE") {
		return nil
	}
	u, err := url.Parse(e.stateIn)
	if err != nil {
		return failf(exitUsage, "--state: it is no URL such as postgres://user@host/database")
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return failf(exitUsage, "--state: a password has no place on a command line, where others can see it").
			hinted("write state: postgres://user:${DB_PASSWORD}@host/database into the campaign, or set MAILBLAST_STATE, or use ~/.pgpass")
	}
	return nil
}
