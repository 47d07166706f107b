package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/suppress"
)

// ledgerOfBars is the suppression list while a command changes it.
type ledgerOfBars struct {
	*env
	book    *journal.Book
	at      stateAt
	have    map[bar]journal.Suppression
	waiting []journal.Suppression

	added, changed, same, removed, strange int
}

// bar is what an entry is for.
type bar struct{ whom, scope string }

const mostOdd = 20 // that are named

// standing gives the entries that hold now, in the order they were made.
func standing(ctx context.Context, book *journal.Book) (map[bar]journal.Suppression, error) {
	have := map[bar]journal.Suppression{}
	for x, err := range book.Suppressions(ctx, 0) {
		if err != nil {
			return nil, stateFault(err)
		}
		k := bar{x.Whom, x.Scope}
		if delete(have, k); !x.Removed {
			have[k] = x
		}
	}
	return have, nil
}

func (l *ledgerOfBars) load(ctx context.Context) (err error) {
	l.have, err = standing(ctx, l.book)
	return err
}

// add notes an entry, unless it says nothing new.
func (l *ledgerOfBars) add(ctx context.Context, x suppress.Entry) error {
	k := bar{x.Whom, x.Scope}
	old, ok := l.have[k]
	switch {
	case ok && old.Until.Equal(x.Until) && (x.Reason == "" || x.Reason == old.Reason):
		l.same++
		return nil
	case ok:
		l.changed++
	default:
		l.added++
	}
	n := journal.Suppression{Whom: x.Whom, Scope: x.Scope, Reason: x.Reason, Until: x.Until, At: x.At}
	l.have[k] = n
	return l.write(ctx, n)
}

func (l *ledgerOfBars) remove(ctx context.Context, args []string, scope string) error {
	if scope == "all" {
		scope = ""
	}
	for _, arg := range args {
		whom, err := suppress.Parse(arg)
		if err != nil {
			l.odd(wayward{arg, err.Error()})
			continue
		}
		k := bar{whom, scope}
		if _, ok := l.have[k]; !ok {
			l.odd(wayward{arg, "not on the list" + l.elsewhere(whom)})
			continue
		}
		delete(l.have, k)
		l.removed++
		if err := l.write(ctx, journal.Suppression{Whom: whom, Scope: scope, At: l.now(), Removed: true}); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere says under which other scope somebody is on the list.
func (l *ledgerOfBars) elsewhere(whom string) string {
	for k := range l.have {
		switch {
		case k.whom == whom && k.scope == "":
			return "; the entry is for all campaigns: leave --scope out"
		case k.whom == whom:
			return "; the entry is for one campaign: --scope " + k.scope
		}
	}
	return ""
}

func (l *ledgerOfBars) write(ctx context.Context, x journal.Suppression) error {
	if l.waiting = append(l.waiting, x); len(l.waiting) < 1000 {
		return nil
	}
	return l.flush(ctx)
}

func (l *ledgerOfBars) flush(ctx context.Context) error {
	if len(l.waiting) == 0 {
		return nil
	}
	err := l.book.Suppress(ctx, l.waiting)
	l.waiting = l.waiting[:0]
	if err != nil {
		return stateFault(err)
	}
	return nil
}

// odd names what cannot be understood, the first few of it.
func (l *ledgerOfBars) odd(w wayward) {
	if l.strange++; l.strange <= mostOdd {
		fmt.Fprintf(l.err, "%s: %s\n", screen.Printable(w.where), screen.Printable(w.text))
	}
}

func (l *ledgerOfBars) verdict() error {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{l.added, "added"}, {l.changed, "changed"}, {l.removed, "removed"}, {l.same, "there already"}} {
		if p.n > 0 {
			parts = append(parts, screen.Comma(p.n)+" "+p.what)
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing changed")
	}
	l.say("%s; the list has %s (%s)\n", joined(parts), verb(len(l.have), "entry", "entries"), l.at)
	if l.strange > 0 {
		return failf(exitData, "%s could not be understood or found", verb(l.strange, "entry", "entries"))
	}
	return nil
}

func joined(parts []string) string {
	s := parts[0]
	for _, p := range parts[1:] {
		s += ", " + p
	}
	return s
}

// holds tells whether an entry says something now.
func holds(x journal.Suppression, now time.Time) bool { return x.Until.IsZero() || now.Before(x.Until) }
