package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/suppress"
)

// suppressed is who must not be written to by a campaign: what the journal has, and the campaign's own files.
type suppressed struct {
	*suppress.List
	now  func() time.Time
	last int64 // place of the latest entry read from the journal
}

// newSuppressed reads both. A nil book has nothing.
func (e *env) newSuppressed(ctx context.Context, c *campaign.Campaign, book *journal.Book) (*suppressed, error) {
	s := &suppressed{List: suppress.NewList(c.Name), now: e.now}
	if book != nil {
		if err := s.follow(ctx, book); err != nil {
			return nil, stateFault(err)
		}
	}
	for _, file := range c.Suppress {
		var odd []wayward
		err := e.readSuppressed(ctx, file, func(x suppress.Entry) error { s.Add(x); return nil }, func(w wayward) { odd = append(odd, w) })
		if err != nil {
			return nil, err
		}
		if len(odd) > 0 {
			return nil, failf(exitData, "%s: %s%s. Nothing was sent", odd[0].where, odd[0].text, andMore(len(odd)-1)).
				hinted("who is not understood cannot be left out: mend the file that suppress: names")
		}
	}
	return s, nil
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %s more)", plural(n, "line"))
}

// stateSuppressed reads what a campaign's state knows, where there is one, and leaves it alone.
func (e *env) stateSuppressed(ctx context.Context, c *campaign.Campaign) (s *suppressed, err error) {
	ok, err := journal.Exists(c.State)
	if err != nil {
		return nil, stateFault(err)
	}
	if !ok {
		return e.newSuppressed(ctx, c, nil)
	}
	book, err := journal.Look(ctx, journal.Options{Dir: c.State})
	if err != nil {
		return nil, stateFault(err)
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	return e.newSuppressed(ctx, c, book)
}

// follow reads what was added since.
func (s *suppressed) follow(ctx context.Context, book *journal.Book) error {
	for x, err := range book.Suppressions(ctx, s.last) {
		if err != nil {
			return err
		}
		s.last = x.Seq
		s.Add(suppress.Entry{Whom: x.Whom, Scope: x.Scope, Reason: x.Reason, Until: x.Until, At: x.At, Removed: x.Removed})
	}
	return nil
}

// keepUp follows the journal once a second, until ctx ends: who unsubscribes meanwhile gets nothing from then on.
func (s *suppressed) keepUp(ctx context.Context, book *journal.Book) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.follow(ctx, book); err != nil && ctx.Err() == nil {
				return fmt.Errorf("suppression list: %w", err)
			}
		}
	}
}

// address answers for the composer.
func (s *suppressed) address(a address.Address) (why string, barred bool) { return s.Why(a, s.now()) }

// message answers for the dispatcher.
func (s *suppressed) message(m *delivery.Message) (why string, barred bool) { return s.to(m.To) }

// to answers for an address that is a text again.
func (s *suppressed) to(addr string) (why string, barred bool) {
	if s.Len() == 0 {
		return "", false
	}
	a, err := address.Parse(addr)
	if err != nil { // it was parsed from one
		return "", false
	}
	return s.Why(a, s.now())
}
