package journal

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// A panic of the writer ends the writing, and nobody waits for it for ever. What was on disk before is there, and whose dot may
// have left is in doubt.
func TestFaultPanicOfTheWriter(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	b := open(t, dir)
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring", Key: "w1"})
	check(t, r.Intend([]*delivery.Message{message(r, 0), message(r, 1)})(ctx))
	r.Record([]delivery.Outcome{{ID: id(r, 0), To: "p@x.test", Status: delivery.Sent, Attempt: 1, Try: 1}})
	check(t, r.Flush(ctx))
	poison, err := b.give(nil, func(p *part) { p.intents = []byte{1} }) // a run that is none
	check(t, err)
	var p *panicked.Error
	if err := poison.wait(ctx); !errors.As(err, &p) {
		t.Errorf("who waited: %v", err)
	}
	if err := r.Intend([]*delivery.Message{message(r, 2)})(ctx); !errors.As(err, &p) {
		t.Errorf("who came later: %v", err)
	}
	if err := stop(); !errors.As(err, &p) {
		t.Errorf("Serve: %v", err)
	}
	check(t, b.Close())

	b = open(t, dir)
	stop = serve(b)
	r = begin(t, b, Spec{Campaign: "spring", Key: "w1"})
	got, err := r.Lookup(ctx, []delivery.ID{id(r, 0), id(r, 1), id(r, 2)})
	check(t, err)
	if got[0].Status != delivery.Sent || got[1].Status != delivery.Unknown || got[2].Status != delivery.NotTried {
		t.Errorf("afterwards: %+v", got)
	}
	check(t, stop())
	t.Attr("fault", "R21 panic of the journal's writer")
	t.Attr("expected", "the run stops cleanly with what is on disk")
	t.Attr("seen", "every waiting and later intent is refused; reopened: sent is sent, intended is unknown, the rest was not tried")
}
