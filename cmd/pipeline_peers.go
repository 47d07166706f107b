package cmd

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/capture"
	"github.com/mailblast/mailblast/delivery/capture/refuse"
)

// openPeers starts the capture server where the mail is to stay here, and makes the way out.
func (p *pipeline) openPeers(context.Context) (err error) {
	switch dry := p.o.dryRun; {
	case p.o.test != "" && !p.c.SMTP.Capture && dry == "":
	case strings.Contains(dry, ":") && !strings.ContainsRune(dry, filepath.Separator):
		host, port, err := net.SplitHostPort(dry)
		n, err2 := strconv.ParseUint(port, 10, 16)
		if err != nil || err2 != nil {
			return failf(exitUsage, "--dry-run=%s: not HOST:PORT", dry)
		}
		p.target = &campaign.Relay{Host: host, Port: int(n), TLS: "none", Auth: "auto"}
	case p.rehearsal():
		if err := p.openCapture(); err != nil {
			return err
		}
	}
	p.transport, err = p.env.transport(p.c, p.target, p.log)
	return err
}

func (p *pipeline) openCapture() error {
	rules, err := refuse.Parse(p.c.Capture.Fail)
	if err != nil {
		return failf(exitData, "capture: fail: %w", err)
	}
	o := capture.Options{SMTP: "127.0.0.1:0", HTTP: "127.0.0.1:0", Dir: p.store.temp, Fail: rules, Latency: p.c.Capture.Latency, Log: p.log}
	if l, err := net.Listen("tcp", captureHTTP); err == nil { // the page's usual address, when it is free
		l.Close()
		o.HTTP = captureHTTP
	}
	if p.capture, err = capture.New(o); err != nil {
		return err
	}
	p.later(p.capture.Close)
	host, port, err := net.SplitHostPort(p.capture.SMTPAddr())
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	p.target = &campaign.Relay{Host: host, Port: n, TLS: "none", Auth: "auto"}
	return err
}
