package cmd

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
)

// ledger is a run of the journal as composer and dispatcher know it. It counts what ended in each queue, and tells of
// each person where that was asked for.
type ledger struct {
	*journal.Run
	memory delivery.Journal // Run, but in a program that measures what it costs
	queues map[string]*atomic.Int64
	people *screen.Events // nil: not asked for
	alone  *guarded       // what else a dot must wait for
}

func newLedger(r *journal.Run, c *campaign.Campaign, people *screen.Events, alone *guarded) *ledger {
	l := &ledger{Run: r, memory: remembering(r), queues: map[string]*atomic.Int64{general: {}}, people: people, alone: alone}
	for _, q := range c.Queues {
		l.queues[q.Name] = &atomic.Int64{}
	}
	return l
}

// general is the name of the general queue.
const general = "general"

// Past gives what became of deliveries before this process began.
func (l *ledger) Past(ctx context.Context, ids []delivery.ID, to func(i int) string) ([]composer.Past, error) {
	var who []string
	if !l.Info().Doubt.IsZero() { // whoever is unknown for that is listed by name
		for i := range ids {
			who = append(who, to(i))
		}
	}
	states, err := l.Lookup(ctx, ids, who...)
	past := make([]composer.Past, len(states))
	for i, s := range states {
		past[i] = composer.Past(s)
	}
	return past, err
}

// Skip notes rows that are not sent.
func (l *ledger) Skip(ctx context.Context, rows []composer.Skipped) error {
	out := make([]journal.Skipped, len(rows))
	for i, r := range rows {
		out[i] = journal.Skipped(r)
	}
	return l.Run.Skip(ctx, out)
}

// Intend notes that messages are about to be sent. Their dot also waits until nobody else can be at the campaign.
func (l *ledger) Intend(ms []*delivery.Message) func(context.Context) error {
	onDisk := l.memory.Intend(ms)
	return func(ctx context.Context) error {
		if err := onDisk(ctx); err != nil {
			return err
		}
		return l.alone.hold(ctx)
	}
}

// Record notes outcomes.
func (l *ledger) Record(os []delivery.Outcome) {
	l.memory.Record(os)
	for i := range os {
		if n := l.queues[os[i].Queue]; n != nil && os[i].Status.Final() {
			n.Add(1)
		}
		if l.people != nil && os[i].Status != delivery.NotTried {
			l.tell(&os[i])
		}
	}
}

// tell writes the event of one person. A reader that has gone stops no campaign.
func (l *ledger) tell(o *delivery.Outcome) {
	_ = l.people.Emit("recipient", struct {
		To       string    `json:"to"`
		Status   string    `json:"status"`
		Stage    string    `json:"stage"`
		Class    string    `json:"class,omitempty"`
		Code     int       `json:"code,omitempty"`
		Enhanced string    `json:"enhanced,omitempty"`
		Text     string    `json:"text,omitempty"`
		Host     string    `json:"host,omitempty"`
		Queue    string    `json:"queue"`
		Try      int       `json:"try"`
		At       time.Time `json:"at"`
	}{o.To, o.Status.String(), o.Stage.String(), o.Class.String(), o.Code, o.Enhanced, o.Text, o.Host, o.Queue, o.Try, o.At})
}
