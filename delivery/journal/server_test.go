package journal

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// Two machines share a journal on a server: each goes on where the other was, by one secret, and neither is taken for the other.
func TestSharedJournal(t *testing.T) { t.Run(onServer, testSharedJournal) }

func testSharedJournal(t *testing.T) {
	ctx := context.Background()
	one := at(t, t.TempDir())
	two := Options{Dir: t.TempDir(), Server: one.Server}
	send := func(o Options, host string, n int) {
		t.Helper()
		b, err := Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := b.Secret(ctx, []byte(host+" made it up"))
		if check(t, err); !bytes.Equal(secret, []byte("one made it up")) {
			t.Errorf("%s has the secret %q", host, secret)
		}
		stop := serve(b)
		r, err := b.Begin(ctx, Spec{Campaign: "spring", Secret: secret, Host: host})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range statesOf(t, r, n) {
			if s.Status != delivery.Sent {
				t.Errorf("%s: %d is %s", host, i, s.Status)
			}
		}
		check(t, r.Intend([]*delivery.Message{message(r, n)})(ctx))
		r.Record([]delivery.Outcome{{ID: id(r, n), Status: delivery.Sent, Text: "2.0.0 \x00\xff ok"}})
		check(t, stop())
		check(t, errors.Join(r.Close(), b.Close()))
	}
	for n, turn := range []string{"one", "two", "one", "two"} {
		send(map[string]Options{"one": one, "two": two}[turn], turn, n)
	}
}

// A machine that sent a campaign by a file of its own does not send it again by a server.
func TestMovedToServer(t *testing.T) { t.Run(onServer, testMovedToServer) }

func testMovedToServer(t *testing.T) {
	o := at(t, t.TempDir())
	check(t, try(t, Options{Dir: o.Dir}, Spec{Campaign: "spring"}))
	var lost *refusal.LostError
	if err := try(t, o, Spec{Campaign: "spring"}); !errors.As(err, &lost) || !strings.Contains(err.Error(), "postgres://postgres@") {
		t.Errorf("%v", err)
	}
	check(t, try(t, o, Spec{Campaign: "autumn"}))
	if err := try(t, Options{Dir: o.Dir}, Spec{Campaign: "autumn"}); !errors.As(err, &lost) {
		t.Errorf("back to the file: %v", err)
	}
}

// A trial of a journal on a server is a copy in a file, which shows what would come of it.
func TestTrialOfServer(t *testing.T) { t.Run(onServer, testTrialOfServer) }

func testTrialOfServer(t *testing.T) {
	ctx := context.Background()
	o := at(t, t.TempDir())
	b, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring"})
	r.Record([]delivery.Outcome{{ID: id(r, 0), Status: delivery.Sent}, {ID: id(r, 1), Status: delivery.Failed}})
	check(t, stop())
	o.StartOver = true
	trial, err := OpenTrial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	tried := begin(t, trial, Spec{Campaign: "spring", StartOver: true})
	if got := statesOf(t, tried, 2); got[0].Status != delivery.Sent || got[1].Status != delivery.Failed {
		t.Errorf("%+v", got)
	}
	_, err = tried.Reopen(ctx, delivery.Failed, 0, nil)
	check(t, errors.Join(err, tried.Close(), trial.Close(), r.Close(), b.Close()))
	b = open(t, o.Dir)
	if got := statesOf(t, begin(t, b, Spec{Campaign: "spring"}), 2); got[1].Status != delivery.Failed {
		t.Errorf("the trial was written to the journal: %+v", got)
	}
}

// A process whose run another has taken meanwhile sends nothing more, and still records what it had on the wire: their locks may be in
// sessions of two servers, the journal is one.
func TestFaultRunTaken(t *testing.T) { t.Run(onServer, testRunTaken) }

func testRunTaken(t *testing.T) {
	ctx := context.Background()
	o := at(t, t.TempDir())
	one, two := open(t, o.Dir), open(t, o.Dir)
	stopOne, stopTwo := serve(one), serve(two)
	r := begin(t, one, Spec{Campaign: "spring"})
	other := begin(t, one, Spec{Campaign: "autumn"})
	check(t, r.Intend([]*delivery.Message{message(r, 1)})(ctx))
	taken := begin(t, two, Spec{Campaign: "spring"})
	var gone *refusal.TakenError
	if err := r.Intend([]*delivery.Message{message(r, 2)})(ctx); !errors.As(err, &gone) || gone.Run != "spring" {
		t.Errorf("an intent is kept: %v", err)
	}
	// What the other has in doubt since is not closed by what this one did not do.
	r.Record([]delivery.Outcome{{ID: id(r, 1), Status: delivery.Sent}, {ID: id(r, 2), Status: delivery.NotTried}, {ID: id(r, 3), Status: delivery.Deferred}})
	check(t, r.Flush(ctx))
	if err := r.Finish(ctx); !errors.As(err, &gone) {
		t.Errorf("it is finished: %v", err)
	}
	if err := other.Intend([]*delivery.Message{message(other, 1)})(ctx); err == nil {
		t.Error("a process that lost one run is not at its end")
	}
	check(t, taken.Intend([]*delivery.Message{message(taken, 2)})(ctx))
	if err := stopOne(); !errors.As(err, &gone) {
		t.Errorf("%v", err)
	}
	check(t, stopTwo())
	if all := collect(t, two, taken); len(all) != 1 || all[0].Status != delivery.Sent {
		t.Errorf("%+v", all)
	}
	check(t, errors.Join(taken.Close(), two.Close()))
	last := begin(t, open(t, o.Dir), Spec{Campaign: "spring"})
	if got := statesOf(t, last, 3); last.Info().Found != 1 || got[2].Status != delivery.Unknown {
		t.Errorf("%d found, %+v", last.Info().Found, got)
	}
	t.Attr("fault", "R16 two machines carry on one run, their locks being in sessions of two servers")
	t.Attr("expected", "the first sends nothing more, and records what it has on the wire")
	t.Attr("seen", "as expected")
}
