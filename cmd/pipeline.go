package cmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/repeat"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/capture"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/report"
	"github.com/mailblast/mailblast/delivery/smtpout"
)

// pipeline is one campaign made ready to run. close undoes it in reverse.
type pipeline struct {
	*env
	c   *campaign.Campaign
	o   sendOptions
	log *slog.Logger

	store      *store
	held       *lock.Held // nil in a rehearsal
	guarded    guards     // none: no database to ask
	rows       *rows.Store
	letter     *letter.Letter
	letterHash string
	capture    *capture.Server // nil: mail leaves
	target     *campaign.Relay // takes the place of the campaign's way out; nil: none
	transport  *smtpout.Transport
	run        *journal.Run
	ledger     *ledger
	barred     *suppressed    // nil: nobody is
	people     *screen.Events // told of each person; nil: nobody
	composer   *composer.Composer
	dispatcher *delivery.Dispatcher
	planned    composer.Plan
	edited     []string  // what was changed since the run was carried on last
	began      time.Time // when the sending began
	found      int       // deliveries that became unknown before the sending: nobody knows what came of them
	result     *report.Report
	allowed    allowed                                             // what a person allowed
	ask        func(context.Context, string) (yes bool, err error) // nil: nobody is there to ask
	told       bool                                                // a person has read the whole result
	unheard    error                                               // why the result could not be printed; nil: it was
	undo       []func() error
}

// rehearsal tells that nothing must be remembered: the mail goes into a capture server, or to a tester.
func rehearsal(c *campaign.Campaign, o sendOptions) bool {
	return o.dryRun != "" || o.test != "" || c.SMTP.Capture && c.Delivery == "relay"
}

func (p *pipeline) rehearsal() bool { return rehearsal(p.c, p.o) }

// fallback tells that there is a second way out.
func (p *pipeline) fallback() bool { return p.c.Fallback != nil && p.target == nil }

// open makes everything ready, in the order in which faults should be told: what costs nothing to check goes first.
func (e *env) open(ctx context.Context, c *campaign.Campaign, o sendOptions, s *sendScreen) (p *pipeline, err error) {
	p = &pipeline{env: e, c: c, o: o, log: s.log}
	if e.inTTY && e.errTTY && !o.json {
		p.ask = func(ctx context.Context, question string) (bool, error) {
			answer, err := e.ask(ctx, s.in, question)
			return answer == screen.Yes, err
		}
	}
	if e.verbose {
		p.people = s.events
	}
	for _, step := range []func(context.Context) error{p.openStore, p.guardCampaign, p.readList, p.openPeers, p.begin, p.readBarred, p.wire} {
		if err = step(ctx); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

func (p *pipeline) close() error {
	var errs []error
	for i := len(p.undo) - 1; i >= 0; i-- {
		errs = append(errs, p.undo[i]())
	}
	p.undo = nil
	return errors.Join(errs...)
}

func (p *pipeline) later(f func() error) { p.undo = append(p.undo, f) }

func (p *pipeline) openStore(ctx context.Context) (err error) {
	root, err := os.OpenRoot(p.c.Dir)
	if err != nil {
		return failf(exitNoInput, "%w", err)
	}
	p.later(root.Close)
	// Template faults that need no columns are told before a database is asked.
	l, err := p.loadLetter(p.c, root, nil, "", nil)
	if err != nil {
		return err
	}
	p.letterHash = l.Hash()
	if err := l.Close(); err != nil {
		return failf(exitIO, "%w", err)
	}
	if err := p.knownRun(ctx); err != nil {
		return err
	}
	o := journal.Options{Log: p.log}
	err = p.allowing(ctx, func() error {
		o.StartOver = p.allowed.startOver
		p.store, err = openStore(ctx, p.c, p.rehearsal(), o)
		return err
	})
	if err != nil {
		return err
	}
	p.later(p.store.close)
	if p.rehearsal() {
		return nil
	}
	if p.held, err = p.lock(ctx, p.c, p.runKey(ctx)); err != nil {
		return err
	}
	p.later(p.held.Release)
	return nil
}

// readList reads the recipients, and compiles the letter for their columns.
func (p *pipeline) readList(ctx context.Context) (err error) {
	p.rows, err = p.readRows(ctx, p.c, rows.Options{Dir: p.store.temp, Wait: p.o.patience, Log: p.log})
	if err != nil {
		return err
	}
	p.later(p.rows.Close)
	root, err := os.OpenRoot(p.c.Dir)
	if err != nil {
		return failf(exitNoInput, "%w", err)
	}
	p.later(root.Close)
	if p.letter, err = p.loadLetter(p.c, root, p.rows.Columns(), p.store.temp, func(s string) { p.log.Warn(s) }); err != nil {
		return err
	}
	p.later(p.letter.Close)
	return nil
}

// readBarred reads who must not be written to. A test letter goes to who asked for it.
func (p *pipeline) readBarred(ctx context.Context) (err error) {
	switch {
	case p.o.test != "":
	case p.rehearsal():
		p.barred, err = p.stateSuppressed(ctx, p.c)
	default:
		p.barred, err = p.newSuppressed(ctx, p.c, p.store.book)
	}
	return err
}

// wire puts composer and dispatcher together.
func (p *pipeline) wire(ctx context.Context) (err error) {
	info := p.run.Info()
	p.ledger = newLedger(p.run, p.c, p.people, p.guarded)
	o := composer.Options{
		Rows: p.rows, Letter: p.letter, Ledger: p.ledger, Outlet: outlet{p},
		Dedupe: func() (composer.Dedupe, error) {
			f := repeat.New(p.store.temp)
			p.later(f.Close)
			return f, nil
		},
		Secret: p.store.secret, Edition: p.letterHash, Campaign: info.Campaign, Run: info.Key, RunID: info.ID, Generation: info.Generation,
		Key: p.c.Key, Unique: p.c.Unique, Limit: p.o.limit, Again: p.again(),
	}
	if o.Key == campaign.DefaultKey {
		o.Key = ""
	}
	if o.Unique == campaign.DefaultKey {
		o.Unique = ""
	}
	if o.Only, err = p.o.only(); err != nil {
		return err
	}
	if p.o.test != "" {
		if err := p.forTest(&o); err != nil {
			return err
		}
	}
	if p.barred != nil {
		o.Barred = p.barred.address
	}
	if p.composer, err = composer.New(o); err != nil {
		return p.columnFault(p.c, err)
	}
	pauses, err := p.store.book.Pauses(ctx, info)
	if err != nil {
		return stateFault(err)
	}
	p.dispatcher, err = p.newDispatcher(pauses)
	return err
}

// outlet is the pipeline's dispatcher, which is made after the composer that feeds it.
type outlet struct{ p *pipeline }

func (o outlet) Submit(ctx context.Context, ms ...*delivery.Message) error {
	return o.p.dispatcher.Submit(ctx, ms...)
}

func (o outlet) Hungry(ctx context.Context) error { return o.p.dispatcher.Hungry(ctx) }
