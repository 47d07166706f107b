package server

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// place is where a journal is.
type place struct {
	cfg    pq.Config
	schema string
	name   string // with nothing secret in it
}

const (
	usual       = "mailblast" // schema
	mostSchema  = 36          // octets of its name, of which a repair makes longer ones; PostgreSQL cuts them at 63
	dialTimeout = 10 * time.Second
)

// errDSN does not repeat the DSN, as it may hold a password.
var errDSN = errors.New("the state is no valid PostgreSQL URL, such as postgres://user:password@host/database")

func locate(dsn string) (p place, err error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return p, errDSN
	}
	if p.cfg, err = pq.NewConfig(dsn); err != nil {
		return p, errDSN
	}
	if p.cfg.ConnectTimeout == 0 {
		p.cfg.ConnectTimeout = dialTimeout
	}
	if p.cfg.ApplicationName == "" {
		p.cfg.ApplicationName = "mailblast journal"
	}
	p.schema = usual
	if path := u.Query().Get("search_path"); path != "" {
		first, _, _ := strings.Cut(path, ",")
		p.schema = strings.Trim(strings.TrimSpace(first), `"`)
	}
	if len(p.schema) > mostSchema || p.schema == "" {
		return p, fmt.Errorf("the search_path of the state names a schema of %d characters: 1 to %d are allowed", len(p.schema), mostSchema)
	}
	name := url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}
	if user := u.User.Username(); user != "" {
		name.User = url.User(user)
	}
	if p.schema != usual {
		name.RawQuery = url.Values{"search_path": {p.schema}}.Encode()
	}
	p.name = name.String()
	return p, nil
}

// habits are how a connection is set up: whatever the server's own are, a commit is on its disk when it returns, and who is gone
// holds nobody up.
type habits struct {
	answer time.Duration // how long a reply may take
	set    string
}

var (
	writing = habits{30 * time.Second, `SET synchronous_commit = on; SET statement_timeout = 0; SET lock_timeout = '25s'; SET idle_in_transaction_session_timeout = '60s';
		SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4`}
	reading = habits{3 * time.Minute, `SET statement_timeout = 0`}
)

// dial makes connections of a kind; none is opened yet.
func (p *place) dial(h habits, open *sockets) (*sqlx.DB, error) {
	cfg := p.cfg.Clone()
	delete(cfg.Runtime, "search_path")
	c, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, errDSN
	}
	c.Dialer(&dialer{h.answer, open})
	set := fmt.Sprintf("%s; SET search_path = %s, pg_temp", h.set, pq.QuoteIdentifier(p.schema))
	return sqlx.NewDb(sql.OpenDB(&setUp{c, set}), "postgres"), nil
}

// setUp sets every new connection up. Settings are not sent with its login, of which pools refuse those that they do not know.
type setUp struct {
	*pq.Connector
	statements string
}

// Connect gives a connection.
func (s *setUp) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.(driver.ExecerContext).ExecContext(ctx, s.statements, nil); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
