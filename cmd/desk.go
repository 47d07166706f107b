package cmd

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/repeat"
)

// desk is a campaign to look at: its list and its letter, without a run. It leaves no trace.
type desk struct {
	*env
	c        *campaign.Campaign
	temp     string
	folder   *os.Root
	rows     *rows.Store
	letter   *letter.Letter
	composer *composer.Composer
	looking  []look      // what is looked for in rows
	barred   *suppressed // nil: nobody is
	undo     []func() error

	mu    sync.Mutex
	noted []string // by the letter, while it is made
}

func (d *desk) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noted = append(d.noted, text)
}

func (e *env) newDesk(c *campaign.Campaign) (d *desk, err error) {
	d = &desk{env: e, c: c}
	if d.temp, err = os.MkdirTemp("", "mailblast-"); err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	d.undo = append(d.undo, func() error { return os.RemoveAll(d.temp) })
	if d.folder, err = os.OpenRoot(c.Dir); err != nil {
		return nil, errors.Join(failf(exitNoInput, "%w", err), d.close())
	}
	d.undo = append(d.undo, d.folder.Close)
	return d, nil
}

func (d *desk) close() error {
	var errs []error
	for i := len(d.undo) - 1; i >= 0; i-- {
		errs = append(errs, d.undo[i]())
	}
	d.undo = nil
	return errors.Join(errs...)
}

// open reads the list and makes the letter and the composer for it. Template faults that need no columns are told before a
// database is asked.
func (d *desk) open(ctx context.Context, patience time.Duration) error {
	for _, step := range []func() error{d.compile, func() error { return d.read(ctx, patience) }, d.compile, d.compose} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// read reads the list, trying for so long to reach its database.
func (d *desk) read(ctx context.Context, patience time.Duration) (err error) {
	if d.rows, err = d.readRows(ctx, d.c, rows.Options{Dir: d.temp, Wait: patience}); err != nil {
		return err
	}
	d.undo = append(d.undo, d.rows.Close)
	return nil
}

// compile compiles the letter: for the list's columns, or as far as it goes without a list.
func (d *desk) compile() (err error) {
	var cols []composer.Column
	if d.rows != nil {
		cols = d.rows.Columns()
	}
	if d.letter, err = d.loadLetter(d.c, d.folder, cols, d.temp, d.note); err != nil {
		return err
	}
	d.undo = append(d.undo, d.letter.Close)
	return nil
}

// compose makes the composer, which knows what each row's letter carries of its own. The secret is that of the state, or
// one to throw away where there is none yet.
func (d *desk) compose() error {
	key, _, err := secret(d.c, true)
	if err != nil {
		return err
	}
	o := composer.Options{
		Rows: d.rows, Letter: d.letter, Secret: key, Campaign: d.c.Name,
		Run: d.runKey(), Key: column(d.c.Key), Unique: column(d.c.Unique),
		Dedupe: func() (composer.Dedupe, error) {
			f := repeat.New(d.temp)
			d.undo = append(d.undo, f.Close)
			return f, nil
		},
	}
	if d.barred != nil {
		o.Barred = d.barred.address
	}
	if d.composer, err = composer.New(o); err != nil {
		return d.columnFault(d.c, err)
	}
	d.looking = d.looks()
	return nil
}

// heed has the composer leave out who must not be written to.
func (d *desk) heed(ctx context.Context) (err error) {
	d.barred, err = d.stateSuppressed(ctx, d.c)
	return err
}

// column is what the composer calls a column of the campaign: nothing, for the to address.
func column(name string) string {
	if name == campaign.DefaultKey {
		return ""
	}
	return name
}

// runKey names the run that a send would begin now.
func (d *desk) runKey() string {
	if d.c.Repeat == "never" {
		return ""
	}
	return d.c.RunKey(d.now(), d.letter.Hash())
}
