package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// ErrClosed is the error of everything that is asked of a journal whose Serve has ended.
var ErrClosed = errors.New("journal: closed")

// batch is what one commit will hold. It is filled under Book.mu, then belongs to Serve.
type batch struct {
	parts   []*part
	done    chan struct{} // closed when it is on disk, or err says why not
	err     error
	refused error // why its intents are not on disk, although its outcomes are
}

// part is a batch's share of one run.
type part struct {
	run      *Run
	intents  []byte // entries in the order given
	outcomes []delivery.Outcome
	pauses   []delivery.Pause
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (t *batch) part(r *Run) *part {
	for _, p := range t.parts {
		if p.run == r {
			return p
		}
	}
	p := &part{run: r}
	t.parts = append(t.parts, p)
	return p
}

// give adds to the batch that fills, and wakes Serve.
func (b *Book) give(r *Run, add func(*part)) (*batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	t := b.filling
	add(t.part(r))
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return t, nil
}

// stop lets no more in, and fails what is in.
func (b *Book) stop(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return
	}
	b.err = err
	b.filling.err = err
	close(b.filling.done)
	b.filling = newBatch() // stays empty
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take gives what waits; nil is nothing. With last, nothing can be given any more once nothing waits.
func (b *Book) take(last bool) *batch {
	b.mu.Lock()
	if t := b.filling; len(t.parts) > 0 {
		b.filling = newBatch()
		b.mu.Unlock()
		return t
	}
	b.mu.Unlock()
	if last {
		b.stop(ErrClosed)
	}
	return nil
}

// Serve writes all that is given until ctx ends and nothing waits any more, or until a write fails: then the error is
// returned, and every later onDisk gives it, so that no dot goes. A failed commit is never tried again: after a failed
// fsync the file cannot be trusted by this process. A full disk alone is no such failure: see drain. Serve must be called
// once, and not after Close.
func (b *Book) Serve(ctx context.Context) error {
	for {
		last := ctx.Err() != nil // asked once: what is given before ctx ends must be taken after
		t := b.take(last)
		if t == nil {
			if err := b.fault(); err != nil || last {
				return errors.Join(err, b.full())
			}
			select {
			case <-b.wake:
			case <-ctx.Done():
			}
			continue
		}
		if t.err = b.bring(context.WithoutCancel(ctx), t); t.err != nil {
			b.lose(t)
			close(t.done)
			return t.err
		}
		for _, p := range t.parts {
			p.run.counter.add(p.outcomes)
		}
		close(t.done)
	}
}

// bring brings a batch to disk, or only its outcomes where the disk is full.
func (b *Book) bring(ctx context.Context, t *batch) error {
	if t.refused = b.full(); t.refused == nil {
		err := b.commit(ctx, t)
		taken := errors.As(err, new(*refusal.TakenError))
		if !refusal.NoRoom(err) && !taken {
			return b.stopped(err)
		}
		t.refused = b.drain(err, taken)
	}
	outcomes := 0
	for _, p := range t.parts {
		p.intents = nil // their dots have not left
		outcomes += len(p.outcomes)
	}
	if outcomes == 0 {
		return nil
	}
	return b.stopped(b.commit(ctx, t))
}

// stopped makes the error of a commit that of everything after it.
func (b *Book) stopped(err error) error {
	if err == nil {
		return nil
	}
	b.stop(fmt.Errorf("journal: write: %w", err))
	return b.fault()
}

// drain ends the sending on a full disk: from now on every onDisk gives the error, and the room of the ballast is for the
// outcomes of what is on the wire. So it does when another process has taken the run: what is on the wire is still recorded.
func (b *Book) drain(err error, taken bool) error {
	b.mu.Lock()
	b.noRoom = fmt.Errorf("journal: write: %w", err)
	b.mu.Unlock()
	if taken {
		b.o.Log.Error("nothing more is sent, what is on the wire is still recorded", "error", err)
		return b.full()
	}
	b.o.Log.Error("the disk is full: nothing more is sent, what is on the wire is still recorded", "dir", b.o.Dir, "error", err)
	if err := disk.DropBallast(b.o.Dir); err != nil {
		b.o.Log.Error("the journal's ballast stays", "error", err)
	}
	return b.full()
}

// full is why nothing may be sent any more while outcomes are still taken; nil: it may.
func (b *Book) full() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.noRoom
}

// lose counts outcomes that cannot be recorded any more.
func (b *Book) lose(t *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range t.parts {
		b.lost += len(p.outcomes)
	}
}

// flush waits until all that was given before is on disk. Serve must be running.
func (b *Book) flush(ctx context.Context, r *Run) error {
	t, err := b.give(r, func(*part) {})
	if err != nil {
		return err
	}
	return t.wait(ctx)
}

// intended waits until intents are on disk.
func (t *batch) intended(ctx context.Context) error {
	if err := t.wait(ctx); err != nil {
		return err
	}
	return t.refused
}

func (t *batch) wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		select {
		case <-t.done:
			return t.err
		default:
			return context.Cause(ctx)
		}
	}
}

// update is every write but those of Serve: f in one transaction, unless a write has failed before.
func (b *Book) update(ctx context.Context, f func(*ledger.Tx) error) error {
	if err := b.fault(); err != nil {
		return err
	}
	if err := b.full(); err != nil { // what room there is, is for outcomes
		return err
	}
	err := b.store.Update(ctx, f)
	if fault := b.store.Fault(); fault != nil {
		b.stop(fmt.Errorf("journal: write: %w", fault))
	}
	return err
}

// fault is why nothing may be written any more; Serve having ended is none.
func (b *Book) fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(b.err, ErrClosed) {
		return nil
	}
	return b.err
}

// held makes sure that the run is this process's still. Its lock is in a session of its own, of a server that may have been replaced
// meanwhile. Once it is known not to be, only what is certain of people on the wire is kept: whoever took the run has all of them for
// unknown, and may be at them.
func (p *part) held(ctx context.Context, tx *ledger.Tx, ceded bool) error {
	err := p.run.mine(ctx, tx)
	if !ceded || !errors.As(err, new(*refusal.TakenError)) {
		return err
	}
	p.intents, p.pauses = nil, nil
	p.outcomes = slices.DeleteFunc(slices.Clone(p.outcomes), func(o delivery.Outcome) bool {
		return o.Status != delivery.Sent && o.Status != delivery.Failed && o.Status != delivery.Unknown
	})
	return nil
}

func (b *Book) commit(ctx context.Context, t *batch) error {
	ceded := errors.As(b.full(), new(*refusal.TakenError))
	return b.store.Update(ctx, func(tx *ledger.Tx) error {
		w := b.writer(ctx, tx)
		for _, p := range t.parts {
			if err := p.held(ctx, tx, ceded); err != nil {
				return err
			}
			if err := w.intend(p.run.info.ID, p.intents); err != nil {
				return err
			}
			if err := w.add(p.run.info.ID, p.run.round, p.outcomes); err != nil {
				return err
			}
			if err := p.writePauses(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}
