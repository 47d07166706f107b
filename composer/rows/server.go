package rows

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/mailblast/mailblast/composer/rows/alert"
)

// Server is the PostgreSQL server that a list comes from, for those who have more to ask of it than the list.
type Server struct {
	p    *postgres
	dial *alert.Dialer
}

// soon is the longest break between two tries of Connect. Read can wait longer.
const soon = 250 * time.Millisecond

// Reach gives the server of src; nil: the list comes from elsewhere. It connects to nothing. Trouble with src is an *Error.
func Reach(src Source, o Options) (*Server, error) {
	if scheme, _, _ := strings.Cut(src.DSN, ":"); src.Path != "" || src.Stdin != nil || !strings.HasPrefix(scheme, "postgres") {
		return nil, nil
	}
	r, err := open(src, o.filled())
	if err != nil {
		return nil, err
	}
	s := &Server{r.(*postgres), alert.NewDialer()}
	s.p.most = soon
	s.p.connector.Dialer(s.dial)
	return s, nil
}

// Connect gives a connection, the only one at a time. It tries for as long as Options.Wait says, unless the server refuses. Its
// error is an *Error, or ctx's.
func (s *Server) Connect(ctx context.Context) (*sql.Conn, error) {
	c, err := s.p.connect(ctx)
	if err != nil {
		return nil, err
	}
	return c.Conn, nil
}

// Explain makes an *Error of what the server or the driver says of a connection.
func (s *Server) Explain(err error) error { return s.p.explain(err) }

// News has a value when the server said something unasked, or the connection ended.
func (s *Server) News() <-chan struct{} { return s.dial.News() }

// Cut closes the connection's socket, whatever is waited for from it.
func (s *Server) Cut() { s.dial.Cut() }

// Name is the server's DSN with nothing secret in it.
func (s *Server) Name() string { return s.p.name }

// Close ends the connection.
func (s *Server) Close() error { return s.p.close() }
