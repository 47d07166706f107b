// Package capture is an SMTP server that keeps what it is sent and shows it on a page of this machine: the target of
// dry runs. No mail leaves it.
//
//  1. a client connects; each recipient and each message may be refused by a fail rule;
//  2. the message goes, as it came and unparsed, to the end of a file; the index has a few numbers of it;
//  3. the last Keep messages can be read, the rest only counts;
//  4. the page and the JSON API parse a message when somebody looks at it.
package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"github.com/mailblast/mailblast/delivery/capture/refuse"
	"github.com/mailblast/mailblast/delivery/capture/store"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// Options of a Server. The zero value of each field but SMTP is usable.
type Options struct {
	SMTP string // address to take mail on, as "127.0.0.1:1025"; port 0 picks a free one. Must be set
	HTTP string // address of the page, likewise; "" is no page
	// User and Password are asked for by the page (basic authentication) and by SMTP (AUTH PLAIN). An address that
	// other machines can reach is refused without them.
	User, Password string
	Dir            string        // where the messages lie while the server lives; "" is the system's place for temporary files
	Keep           int           // so many messages can be read, older ones are dropped; 0 is 10,000
	Discard        bool          // count only, keep nothing
	Fail           []refuse.Rule // what to refuse
	Latency        time.Duration // waited before the reply to each message
	Random         *rand.Rand    // decides for rules with a percentage; nil is seeded by chance. Not to be used elsewhere
	Log            *slog.Logger  // nil is silent
}

const (
	defaultKeep = 10_000
	maxMessage  = 64 << 20 // octets, as announced by SIZE (RFC 1870)
	maxRcpt     = 1000     // per message; RFC 5321 §4.5.3.1.8 wants at least 100
	stopWithin  = 5 * time.Second
)

// Server is a listening capture server.
type Server struct {
	opts    Options
	log     *slog.Logger
	smtp    *listener
	http    net.Listener // nil: no page
	store   *store.Store[summary]
	tally   *tally
	fail    *refuse.Chooser
	page    *page
	started time.Time
	stop    chan struct{} // closed when Serve ends
}

// New checks the options and listens; mail is taken once Serve runs. Close it at the end.
func New(o Options) (*Server, error) {
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	if o.Keep < 0 || o.Latency < 0 {
		return nil, errors.New("capture: keep and latency must not be negative")
	}
	if (o.User == "") != (o.Password == "") {
		return nil, errors.New("capture: user and password are set together or not at all")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: o, log: o.Log, tally: newTally(), fail: refuse.New(o.Fail, o.Random), stop: make(chan struct{}), started: time.Now()}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.page = newPage(s.loopback())
	st, err := store.New[summary](o.Dir, o.Keep)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("capture: %w", err), s.Close())
	}
	s.store = st
	return s, nil
}

func (s *Server) listen() error {
	l, err := listen(s.opts.SMTP, s.opts.User != "")
	if err != nil {
		return fmt.Errorf("capture: smtp: %w", err)
	}
	s.smtp = newListener(l)
	if s.opts.HTTP == "" {
		return nil
	}
	if s.http, err = listen(s.opts.HTTP, s.opts.User != ""); err != nil {
		return fmt.Errorf("capture: http: %w", err)
	}
	return nil
}

// listen refuses what other machines could reach, unless a password guards it.
func listen(addr string, guarded bool) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if !guarded && !isLoopback(l.Addr().String()) {
		return nil, errors.Join(fmt.Errorf("%s can be reached by other machines: listen on 127.0.0.1, or set a user and password", addr), l.Close())
	}
	return l, nil
}

func isLoopback(hostPort string) bool {
	ap, err := netip.ParseAddrPort(hostPort)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

func (s *Server) loopback() bool { return s.http == nil || isLoopback(s.http.Addr().String()) }

// Serve takes mail and shows the page until ctx ends; connections are cut then. What was captured stays readable by
// Export until Close. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	ss := s.smtpServer()
	hs := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer panicked.Contain(&err)
		return s.serveSMTP(gctx, ss)
	})
	if s.http != nil {
		g.Go(func() (err error) {
			defer panicked.Contain(&err)
			if err := hs.Serve(s.http); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("capture: http: %w", err)
			}
			return nil
		})
	}
	g.Go(func() (err error) {
		defer panicked.Contain(&err)
		<-gctx.Done()
		close(s.stop)
		s.smtp.shut()
		return hs.Close()
	})
	return g.Wait()
}

// serveSMTP returns when every connection has ended.
func (s *Server) serveSMTP(ctx context.Context, ss *smtp.Server) error {
	err := ss.Serve(s.smtp)
	s.smtp.shut()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	// The listener is closed already; Shutdown only waits for the connections' goroutines here.
	if werr := ss.Shutdown(end); errors.Is(werr, context.DeadlineExceeded) {
		s.log.Warn("capture: a connection did not end in time")
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("capture: smtp: %w", err)
}

// Close stops listening and removes what was captured. Call it after Serve has returned.
func (s *Server) Close() error {
	var errs []error
	if s.smtp != nil {
		s.smtp.shut()
	}
	if s.http != nil {
		if err := s.http.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// SMTPAddr is the address mail is taken on, as "127.0.0.1:1025".
func (s *Server) SMTPAddr() string { return s.smtp.Addr().String() }

// URL is where the page is, as "http://127.0.0.1:8025"; "" without one.
func (s *Server) URL() string {
	if s.http == nil {
		return ""
	}
	return "http://" + s.http.Addr().String()
}

// Export writes the messages that can be read, each as it came, into dir (made if needed, 0700) as NNNNNN-RECIPIENT.eml
// (0600), and tells how many. A file of that name is overwritten.
func (s *Server) Export(ctx context.Context, dir string) (int, error) {
	n, err := s.store.Export(ctx, dir)
	if err != nil {
		return n, fmt.Errorf("capture: export: %w", err)
	}
	return n, nil
}
