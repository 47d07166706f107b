package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/capture"
	"github.com/mailblast/mailblast/delivery/capture/refuse"
)

// captureHTTP is where the page is looked for.
const captureHTTP = "127.0.0.1:8025"

type captureOptions struct {
	smtp, http string
	keep       int
	discard    bool
	fail       string
	latency    time.Duration
}

func (e *env) captureCommand() *cobra.Command {
	var o captureOptions
	c := &cobra.Command{
		Use:     "capture",
		GroupID: "servers",
		Short:   "Take mail and show it on a page instead of delivering it",
		Example: `  mailblast capture                                       then: smtp: {host: 127.0.0.1, port: 1025, tls: none}
  mailblast capture --fail "rcpt 2%=550 5.1.1, gmail.example once=451 4.7.1" --latency 80ms
  mailblast capture --discard --http ""                   only count, without a page`,
		Long: "Take mail over SMTP, keep it in memory and temporary files, and show it on a page of this machine, until Ctrl-C. No mail\n" +
			"leaves the machine. The page has the HTTP API of Mailpit for the common calls.\n\n" +
			"--fail has rules, separated by commas: [rcpt|data] [DOMAIN|ADDRESS] [N%|once]=CODE [X.Y.Z] [TEXT]. The stage is rcpt unless\n" +
			"given; \"once\" refuses each address the first time only; the first rule that hits wins.\n" +
			"An address that is in use ends with " + fmt.Sprint(exitUnavailable) + ".",
		Args:        usage(cobra.NoArgs),
		Annotations: captureCodes(),
		RunE:        func(c *cobra.Command, _ []string) error { return e.runCapture(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.smtp, "smtp", "127.0.0.1:1025", "take mail on `ADDR` of this machine; port 0 picks a free one")
	f.StringVar(&o.http, "http", captureHTTP, "show the page on `ADDR`; empty: no page")
	f.IntVar(&o.keep, "keep", 10_000, "show the last `N` messages; older ones are only counted")
	f.BoolVar(&o.discard, "discard", false, "count messages and keep none")
	f.StringVar(&o.fail, "fail", "", "refuse some mail by these `RULES`")
	f.DurationVar(&o.latency, "latency", 0, "wait so long before the reply to each message")
	return c
}

// captureCodes words the one code that means something else here.
func captureCodes() map[string]string {
	m := codes(exitOK, exitUsage, exitIO)
	m[exits] += fmt.Sprintf("  %-4d %s\n", exitUnavailable, "an address to listen on is in use or not this machine's")
	return m
}

func (o captureOptions) server(log *slog.Logger) (*capture.Server, error) {
	if o.keep < 1 || o.latency < 0 {
		return nil, failf(exitUsage, "--keep counts from 1 (see --discard), --latency from 0")
	}
	rules, err := refuse.Parse(o.fail)
	if err != nil {
		return nil, failf(exitUsage, "--fail: %w", err).hinted("[rcpt|data] [DOMAIN|ADDRESS] [N%%|once]=CODE [X.Y.Z] [TEXT], …")
	}
	for flag, addr := range map[string]string{"smtp": o.smtp, "http": o.http} {
		if _, _, err := net.SplitHostPort(addr); err != nil && (addr != "" || flag == "smtp") {
			return nil, failf(exitUsage, "--%s %s: not an address such as 127.0.0.1:1025", flag, addr)
		}
	}
	s, err := capture.New(capture.Options{
		SMTP: o.smtp, HTTP: o.http, Keep: o.keep, Discard: o.discard, Fail: rules, Latency: o.latency, Log: log,
	})
	var op *net.OpError
	switch {
	case err == nil:
		return s, nil
	case errors.As(err, &op):
		return nil, failf(exitUnavailable, "%w", err).hinted("--smtp and --http choose other addresses; port 0 picks a free one")
	}
	if f := judge(err); f.code != exitBug {
		return nil, f
	}
	return nil, failf(exitUsage, "%w", err)
}

func (e *env) runCapture(ctx context.Context, o captureOptions) (err error) {
	ctx, stop := e.interruptible(ctx)
	defer stop()
	log := slog.New(slog.DiscardHandler)
	if e.verbose {
		log = screen.New(screen.Options{Out: e.err}).Logger(slog.LevelInfo)
	}
	s, err := o.server(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	e.say("SMTP on %s", s.SMTPAddr())
	if s.URL() != "" {
		e.say(", page on %s", s.URL())
	}
	e.say("   (Ctrl-C ends)\n")
	err = s.Serve(ctx)
	if _, ok := cause(ctx); !ok && err != nil {
		return ioFault(err)
	}
	n := s.Stats()
	e.say("%s to %s, %s refused\n", plural(int(n.Messages), "message"), plural(int(n.Recipients), "recipient"), screen.Comma(int(n.Refused)))
	return nil
}
