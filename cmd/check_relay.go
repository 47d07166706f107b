package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/smtpout"
)

// relay talks to the mail servers of the campaign up to the login.
func (k *checkup) relay(ctx context.Context) error {
	c := k.c
	switch {
	case c.SMTP.Capture && c.Delivery == "relay":
		k.ok("smtp: the built-in capture server: no mail leaves this machine")
		return nil
	case k.o.offline:
		k.ok("mail server: not asked (--offline)")
		return nil
	}
	t, err := k.env.transport(c, nil, nil)
	if err != nil {
		return k.found(err)
	}
	if c.Delivery == "direct" {
		k.ok("delivery: direct to the recipients' mail exchangers, which are not asked beforehand")
	} else if err := k.probe(ctx, t, 0, &c.SMTP); err != nil {
		return err
	}
	if c.Fallback == nil {
		return nil
	}
	return k.probe(ctx, t, 1, c.Fallback)
}

func (k *checkup) probe(ctx context.Context, t *smtpout.Transport, path int, r *campaign.Relay) error {
	within, cancel := context.WithTimeout(ctx, k.o.patience)
	defer cancel()
	peer, err := t.Probe(within, path)
	name := net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	if path > 0 {
		name = "fallback " + name
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return k.found(failf(exitUnavailable, "%s: no answer within %s", name, k.o.patience))
	case err != nil:
		f := judge(err)
		if f.code == exitBug {
			return err
		}
		return k.found(&fault{code: f.code, err: f.err, hint: f.hint}) // which is not to test it with this very command
	}
	k.ok("%s", peerText(name, peer))
	if peer.Size > 0 && k.largest > peer.Size {
		return k.found(failf(exitData, "%s takes letters of at most %s, the largest has %s", name, bytesText(peer.Size), bytesText(k.largest)))
	}
	return nil
}

// peerText says what a server offers, in the words of its protocol.
func peerText(name string, p smtpout.Peer) string {
	said := []string{"no TLS"}
	if p.TLS != "" {
		said[0] = p.TLS
	}
	if p.Auth != "" {
		said = append(said, "login accepted ("+p.Auth+")")
	}
	if p.Size > 0 {
		said = append(said, "SIZE "+bytesText(p.Size))
	}
	for _, x := range p.Extensions {
		switch word, _, _ := strings.Cut(x, " "); word {
		case "PIPELINING", "8BITMIME", "SMTPUTF8":
			said = append(said, word)
		}
	}
	return fmt.Sprintf("%s %s", name, strings.Join(said, ", "))
}
