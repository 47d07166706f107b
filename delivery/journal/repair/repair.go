// Package repair makes a new journal of what is intact in a damaged one:
//
//  1. Run writes the new one in a directory of its own: every row that is as it was written, in its place; where one is lost, a
//     row that says nothing of anybody; and of each run that may have lost something, that it is in doubt;
//  2. a delivery of such a run that has no final outcome, or whose outcome may have been reopened, becomes unknown; of those
//     that the journal never heard of the next process says so, when it reads its list (journal.Run.Lookup);
//  3. all of the new journal is brought into its file, which alone is moved later; it is looked at as any other, and must be sound;
//  4. the damaged files are put aside, and the new ones in their place. Until the last of these steps is done the journal is
//     refused, and Resume goes on where it was cut.
//
// No damaged file is changed. When somebody wrote to one after all, or anything fails before step 4, all is as it was.
package repair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/server"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// Result is what came of it.
type Result struct {
	Aside   string           // where the damaged files are
	Kept    map[string]int64 // rows by table
	Unknown map[string]int   // deliveries that are unknown from now on, by the name of their run; those apart that it never heard of
}

// ErrNothing says that there is nothing to begin a new journal with: no run is known, and no row is left that can be trusted.
var ErrNothing = errors.New("nothing can be told from what is left")

// draft is the directory of the new journal while it is being made.
const draft = "journal.repair"

// repairing is one call of Run.
type repairing struct {
	w   *salvage.Wreck
	f   *salvage.Finding
	now time.Time
	at  salvage.Place // of the damaged journal
	dir string        // of the new journal
	s   ledger.Store
	// proved is what the new journal of a server says of itself, as it was looked at.
	proved string
	runs   []newRun
	r      Result
}

// Run repairs the journal of a directory, which w is opened on and f tells of. Nobody else may be at it: see lock.Alone. The error
// is salvage.ErrBusy when somebody wrote to it all the same.
func Run(ctx context.Context, at salvage.Place, w *salvage.Wreck, f *salvage.Finding, now time.Time) (Result, error) {
	dir := at.Dir
	r := &repairing{w: w, f: f, now: now, at: at, dir: filepath.Join(dir, draft), r: Result{Kept: map[string]int64{}, Unknown: map[string]int{}}}
	if f.Nothing() {
		return r.r, ErrNothing
	}
	if at.Server != "" {
		release, err := server.Alone(ctx, at.Server)
		if err != nil {
			return r.r, fmt.Errorf("repair: %w", err)
		}
		defer func() { _ = release() }() // the lock ends with its session
	}
	err := r.make(ctx)
	if err == nil {
		err = w.Still()
	}
	if at.Server != "" {
		return r.swapped(ctx, err)
	}
	if err == nil {
		err = os.Rename(r.dir, filepath.Join(dir, store.Repaired))
	}
	if err != nil { // a second journal would be personal data that nobody looks after
		return r.r, fmt.Errorf("repair: %w", errors.Join(err, os.RemoveAll(r.dir)))
	}
	r.r.Aside, err = finish(dir, w.StillIn)
	if err != nil {
		return r.r, fmt.Errorf("repair: %w", err)
	}
	return r.r, nil
}

// make makes the new journal. What an earlier repair left of it goes.
func (r *repairing) make(ctx context.Context) error {
	if err := os.RemoveAll(r.dir); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.begin, r.copy, r.fill, r.renumber, r.putRuns, r.doubt, r.enlist, r.empty} {
		if err := step(ctx); err != nil {
			return errors.Join(err, r.s.Close())
		}
	}
	if err := errors.Join(r.s.Close(), r.emptied()); err != nil {
		return err
	}
	if err := r.prove(ctx); err != nil || r.at.Server != "" {
		return err
	}
	return nameAside(r.dir, r.now)
}

// open makes a journal that has nothing in it.
func (r *repairing) open(ctx context.Context) (err error) {
	log := slog.New(slog.DiscardHandler)
	if r.at.Server == "" {
		r.s, err = store.Open(ctx, store.Options{Dir: r.dir, Log: log})
		return err
	}
	r.s, err = server.Draft(ctx, server.Options{DSN: r.at.Server, Dir: r.dir, Log: log}, r.w.Meta().ID)
	return err
}

// empty brings all of the journal into its file.
func (r *repairing) empty(ctx context.Context) error {
	if s, ok := r.s.(*store.Store); ok {
		return s.Empty(ctx)
	}
	return nil
}

// swapped has the new journal of a server take the place of the damaged one, unless err says why not.
func (r *repairing) swapped(ctx context.Context, err error) (Result, error) {
	if err == nil {
		r.r.Aside, err = server.Swap(ctx, r.w.Server(), r.proved, r.now)
	}
	if err != nil { // a second journal would be personal data that nobody looks after
		err = errors.Join(err, server.Discard(context.WithoutCancel(ctx), r.at.Server))
	}
	if err == nil {
		err = r.remember()
	}
	if err = errors.Join(err, os.RemoveAll(r.dir)); err != nil {
		return r.r, fmt.Errorf("repair: %w", err)
	}
	return r.r, nil
}

// remember has this machine know the new journal: its runs, and that what is missing from it is known.
func (r *repairing) remember() error {
	list, err := register.Read(r.dir)
	if err == nil {
		err = register.Append(r.at.Dir, list.Runs...)
	}
	if err == nil {
		err = server.Forget(r.at.Dir)
	}
	return err
}

// emptied makes sure that the new journal has no write-ahead log, which would stay behind when its file is moved.
func (r *repairing) emptied() error {
	info, err := os.Stat(filepath.Join(r.dir, store.Name+"-wal"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Size() > 0:
		return fmt.Errorf("%s: not all of it was brought into the file", info.Name())
	}
	return err
}

// enlist makes the list of runs.
func (r *repairing) enlist(ctx context.Context) error {
	m, err := r.s.Meta(ctx, r.s.Reader())
	if err != nil {
		return err
	}
	var lines []register.Run
	for i := range r.runs {
		l := r.runs[i].line()
		l.Journal, l.Commit = r.s.ID(), m.Commits
		lines = append(lines, l)
	}
	return register.Append(r.dir, lines...)
}

// draft is where the new journal is while it is made.
func (r *repairing) draft() salvage.Place {
	at := salvage.Place{Dir: r.dir}
	if r.at.Server != "" {
		at.Server = server.DraftOf(r.at.Server)
	}
	return at
}

// prove looks at what was made.
func (r *repairing) prove(ctx context.Context) (err error) {
	w, err := salvage.Open(ctx, r.draft())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if s := w.Server(); s != nil {
		r.proved = s.Own()
	}
	f, err := w.Judge(ctx)
	if err == nil && !f.Sound() {
		err = fmt.Errorf("what was made is not sound: %s", f.Faults[0].What)
	}
	return err
}
