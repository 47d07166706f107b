package smtpout

import (
	"context"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
)

// Peer is what a path leads to, as a greeting shows it.
type Peer struct {
	Host       string // "mx.example.org [192.0.2.1]"
	TLS        string // as Outcome.TLS
	Extensions []string
	Size       int64  // the largest message taken, in octets; 0 is no limit told
	Auth       string // the mechanism logged in with
}

// Probe connects over a path, logs in and says goodbye, without sending anything. The error is a *delivery.Halt: a
// login or TLS that is refused, or a server that cannot be reached. It dials whatever is remembered of the server, and
// nothing is held against it afterwards: who probes again wants to know whether it is back.
func (t *Transport) Probe(ctx context.Context, path int) (Peer, error) {
	if path < 0 || path >= len(t.o.Paths) {
		return Peer{}, fmt.Errorf("smtp: no path %d", path)
	}
	s := &sender{t: t, o: QueueOptions{Name: "\x00probe", PerConnection: 1, Idle: defaultIdle}}
	afresh := &Transport{o: t.o, log: t.log, conns: t.conns, hosts: hosts.New(), cache: t.cache}
	c, f, err := afresh.connection(ctx, s, aim{via: path}, nil)
	switch {
	case err != nil:
		return Peer{}, fmt.Errorf("smtp: %w", err)
	case f != nil && f.dns != nil:
		return Peer{}, &delivery.Halt{Stage: delivery.StageConnect, Host: f.Host, Text: f.dns.Text}
	case f != nil:
		return Peer{}, f.Halt()
	}
	p := Peer{Host: c.Name, TLS: c.TLS, Extensions: c.Ext.Names, Size: c.Ext.Size, Auth: c.Login}
	c.Unbind()
	c.quit()
	return p, nil
}
