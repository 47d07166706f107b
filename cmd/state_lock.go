package cmd

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/guard"
)

// serverPatience is how long a journal's server is waited for by who wants it for himself, or wants to know who has it.
const serverPatience = 30 * time.Second

// lockSource is a journal's database, for who takes locks there.
func (p stateAt) lockSource() rows.Source {
	return rows.Source{DSN: p.server.Reveal(), Query: "SELECT"}
}

// lockName is what a campaign's lock is called in the database of its journal, which may have other journals in other schemas. Who
// reaches the server by another name or address must not get another lock, so no more of the URL is in it.
func (p stateAt) lockName(campaign string) string { return "state " + p.schema() + " " + campaign }

// schema is the one that has the journal's tables: the first of the search_path.
func (p stateAt) schema() string {
	if u, err := url.Parse(p.server.Reveal()); err == nil {
		first, _, _ := strings.Cut(u.Query().Get("search_path"), ",")
		if first != "" {
			return strings.Trim(strings.TrimSpace(first), `"`)
		}
	}
	return "mailblast"
}

// sender tells who sends a campaign from any machine, as the server of its journal knows.
func (p stateAt) sender(ctx context.Context, campaign string) (h guard.Holder, held bool, err error) {
	server, err := rows.Reach(p.lockSource(), rows.Options{Wait: serverPatience})
	if err != nil || server == nil {
		return h, false, err
	}
	h, held, err = guard.Peek(ctx, guard.Options{Connect: server.Connect, Cut: server.Cut, Campaign: campaign, Lock: p.lockName(campaign)})
	return h, held, errors.Join(explained(ctx, server, err), server.Close())
}

// takeLock takes a lock in a database, until release; wait is for how long the server is tried. Nil without an error: there are no
// such locks, which a lock with a name of its own is refused for.
func (e *env) takeLock(ctx context.Context, src rows.Source, wait time.Duration, o guard.Options) (g *guard.Guard, release func() error, err error) {
	server, err := rows.Reach(src, rows.Options{Wait: wait, Log: o.Log})
	if err != nil || server == nil {
		return nil, nil, err
	}
	o.Connect, o.Cut, o.News = server.Connect, server.Cut, server.News()
	o.Me = guard.Holder{PID: e.pid, Host: e.host, Start: e.now()}
	g, err = guard.Take(ctx, o)
	if err == nil && g != nil {
		return g, func() error { return errors.Join(g.Close(), server.Close()) }, nil
	}
	if err = explained(ctx, server, err); err == nil && o.Lock != "" {
		err = failf(exitDenied, "%s: it cannot keep two machines from sending the same campaign", server.Name()).
			hinted("state: needs a connection to PostgreSQL itself, not through a pool that gives every statement another session")
	}
	return nil, nil, errors.Join(err, server.Close())
}

// explained is an error of a lock's session in our words.
func explained(ctx context.Context, server *rows.Server, err error) error {
	if err == nil || ctx.Err() != nil || errors.As(err, new(*guard.HeldError)) || errors.As(err, new(*rows.Error)) {
		return err
	}
	return server.Explain(err)
}

// excluding takes the locks that campaigns have in the database of their journal, so that none of them is sent from anywhere until
// release. A journal in a directory has none.
func (e *env) excluding(ctx context.Context, at stateAt, campaigns []string) (release func() error, err error) {
	var undo []func() error
	release = func() error {
		var errs []error
		for _, f := range slices.Backward(undo) {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	if !at.shared() {
		return release, nil
	}
	slices.Sort(campaigns)
	for _, name := range slices.Compact(campaigns) {
		_, free, err := e.takeLock(ctx, at.lockSource(), serverPatience, guard.Options{Campaign: name, Lock: at.lockName(name)})
		if err != nil {
			return release, errors.Join(err, release())
		}
		undo = append(undo, free)
	}
	return release, nil
}
