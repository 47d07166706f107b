package cmd

import (
	"context"
	"iter"
	"sync"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/class"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/report"
)

// reportSource lets a report read a run of the journal of a state directory.
func (e *env) reportSource(ctx context.Context, book *journal.Book, dir string, info journal.RunInfo) (report.Source, error) {
	pauses, err := book.Pauses(ctx, info)
	return report.Source{
		Run: info.Name(), Campaign: info.Campaign, Started: info.Started, Finished: info.Finished, Purged: info.Purged, Doubt: info.Doubt,
		Rows: info.Rows, Notes: info.Notes, Deliveries: info.Deliveries, Columns: info.Columns,
		Outcomes: book.Outcomes(context.Background(), info), Skipped: skippedRows(book, info), Barred: e.barred(ctx, book, dir, info.Campaign),
		Meaning: class.Meaning, Fields: book.Fields, Pauses: pauses,
	}, err
}

func skippedRows(book *journal.Book, info journal.RunInfo) iter.Seq2[report.Skipped, error] {
	return func(yield func(report.Skipped, error) bool) {
		for s, err := range book.Skipped(context.Background(), info) {
			if !yield(report.Skipped(s), err) {
				return
			}
		}
	}
}

// barred tells of addresses whether a campaign must not write to them now. The list is read when it is asked for the first time,
// which only those who are unknown are.
func (e *env) barred(ctx context.Context, book *journal.Book, dir, name string) func(string) (bool, error) {
	list := sync.OnceValues(func() (*suppressed, error) {
		if path := e.fileOf(dir, name); path != "" {
			c, err := campaign.Load(path, campaign.Options{Env: e.lookup, EnvFile: e.envFile})
			if err == nil {
				if s, err := e.newSuppressed(ctx, c, book); err == nil {
					return s, nil
				}
			}
		}
		// A campaign that is not here, or whose own files are faulty at the moment, keeps nobody from its results.
		return e.newSuppressed(ctx, &campaign.Campaign{Name: name}, book)
	})
	return func(to string) (bool, error) {
		s, err := list()
		if err != nil {
			return false, err
		}
		_, barred := s.to(to)
		return barred, nil
	}
}

// onWire counts what was on the wire when the run's last process was cut off. While one is at it, nothing was.
func (p *past) onWire(ctx context.Context) (int, error) {
	if _, held, err := p.running(ctx); err != nil || held {
		return 0, err
	}
	n, err := p.book.OnWire(ctx, p.info)
	if err != nil || n == 0 {
		return 0, err
	}
	if _, held, err := p.running(ctx); err != nil || held { // it began meanwhile, and what is on the wire is its own
		return 0, err
	}
	return n, nil
}
