package cmd

import (
	"os"
	"strings"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// check refuses flags that make no sense, before anything is read.
func (o sendOptions) check() error {
	switch {
	case o.limit < 0 || o.row < 0 || o.limitGiven && o.limit == 0:
		return failf(exitUsage, "--limit and --row count from 1")
	case o.row > 0 && o.test == "":
		return failf(exitUsage, "--row is for --test")
	case o.retry != "" && o.reopens() == delivery.NotTried:
		return failf(exitUsage, "--retry %s: only failed, unknown or suppressed can be tried again", o.retry)
	case o.retry != "" && o.again != "":
		return failf(exitUsage, "--retry and --again exclude each other")
	case o.test != "" && (o.retry != "" || o.again != "" || o.limit > 0 || len(o.to) > 0):
		return failf(exitUsage, "--test sends one letter and goes with no flag that chooses people")
	}
	switch o.progress {
	case "auto", "bar", "lines", "none":
		return nil
	}
	return failf(exitUsage, "--progress %s: not one of auto, bar, lines, none", o.progress)
}

func (o sendOptions) overrides() (list []campaign.Override) {
	if o.rate != "" {
		list = append(list, campaign.Override{Key: "rate", Value: o.rate, Origin: "--rate"})
	}
	if o.maxConnections != "" {
		list = append(list, campaign.Override{Key: "connections", Value: o.maxConnections, Origin: "--max-connections"})
	}
	return list
}

// reopens is the status that --retry tries again; NotTried is none.
func (o sendOptions) reopens() delivery.Status {
	switch o.retry {
	case "failed":
		return delivery.Failed
	case "unknown":
		return delivery.Unknown
	case "suppressed":
		return delivery.Suppressed
	}
	return delivery.NotTried
}

// reopens is the status of what ended and is tried again all the same: as --retry says, else what is unknown where the
// campaign has it resent. Its tries begin anew after the pause.
func (p *pipeline) reopens() (which delivery.Status, pause time.Duration) {
	which = p.o.reopens()
	if which == delivery.NotTried && p.c.OnUnknown == "resend" {
		return delivery.Unknown, delivery.ResendAfter
	}
	return which, 0
}

// again tells one of those from the others. What is resent unasked is given up in the end, as all that is retried.
func (p *pipeline) again() func(composer.Past) bool {
	which, pause := p.reopens()
	if which == delivery.NotTried {
		return nil
	}
	return func(past composer.Past) bool {
		return past.Status == which && (pause == 0 || p.now().Sub(past.First) <= p.c.Retry.For)
	}
}

// only makes --to a test of addresses; nil is everyone.
func (o sendOptions) only() (func(string) bool, error) {
	if len(o.to) == 0 {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, to := range o.to {
		list := []string{to}
		if path, ok := strings.CutPrefix(to, "@"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, failf(exitNoInput, "--to: %w", err)
			}
			list = strings.Split(string(b), "\n")
		}
		for i, s := range list {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			_, a, err := address.ParseMailbox(s)
			if err != nil {
				return nil, failf(exitUsage, "--to %s: entry %d is not an address: %w", to, i+1, err)
			}
			wanted[a.Key()] = true
		}
	}
	return func(key string) bool { return wanted[key] }, nil
}
