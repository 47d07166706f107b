package smtpout

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// poisoned is a letter that panics while it is opened, or in the middle of its body.
type poisoned struct {
	numbered
	late bool
}

func (l *poisoned) Open(context.Context, delivery.Form) (delivery.Body, error) {
	if !l.late {
		panic("cannot open")
	}
	l.write = func(w io.Writer) (int64, error) {
		if _, err := io.WriteString(w, l.text); err != nil {
			return 0, err
		}
		panic("cannot write on")
	}
	return &l.letter, nil
}

// Letters that panic cost themselves their mail, and their connections: no other letter goes over these, whose next command would
// be body for the server.
func TestFaultPanicOfLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPosting(t)
		host := p.host(t, "relay.example", smtptest.Options{})
		p.mx["a.example"] = []string{"relay.example"}
		p.mail(60, "a.example")
		p.poison = map[int]func(*numbered) delivery.Content{
			20: func(n *numbered) delivery.Content { return &poisoned{*n, false} },
			40: func(n *numbered) delivery.Content { return &poisoned{*n, true} },
		}
		p.run()
		synctest.Wait() // until the peer knows what was closed
		var told *panicked.Contained
		if !errors.As(p.err, &told) || told.Times != 4 {
			t.Errorf("%v", p.err)
		}
		if n := p.totals(); n["sent"] != 58 || n["failed"] != 2 {
			t.Errorf("%v; %s; %s", n, p.story(20), p.story(40))
		}
		got := p.accepted()
		for id, n := range got {
			if n != 1 {
				t.Errorf("%s was taken %d times", id, n)
			}
		}
		if made, _, open := host.Connections(); len(got) != 58 || open != 0 || made < 2 {
			t.Errorf("the peer took %d letters, over %d connections of which %d are open", len(got), made, open)
		}
	})
	t.Attr("fault", "R21 panic of a letter, before MAIL and in its body")
	t.Attr("expected", "its connection is closed, it fails as a fault of ours, the campaign goes on")
	t.Attr("seen", "by the peer's log: 58 others once each, none of the 2, no breach, no connection left open")
}
