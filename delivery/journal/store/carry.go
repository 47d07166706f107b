package store

import (
	"context"
	"fmt"

	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// carryEvery is how many commits the write-ahead log gathers before its pages are carried over into the file. Larger, and the log grows;
// smaller, and pages that change often are written more often. SQLite's own habit, a thousand pages, is about that many.
const carryEvery = 100

// carry carries the log over into the file, now and then. SQLite would do so by itself behind a commit, but it keeps to itself when the
// disk fails at it, and syncs the file again later, as if nothing had been lost. The commit before is on disk whatever comes of this;
// after a failed sync there is none after it.
func (s *Store) carry(ctx context.Context) {
	s.mu.Lock()
	s.waiting++
	due := s.waiting >= carryEvery
	if due {
		s.waiting = 0
	}
	s.mu.Unlock()
	if !due {
		return
	}
	var busy, frames, done int
	err := s.write.QueryRowxContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &done)
	if err == nil {
		return
	}
	if err = s.judge(fmt.Errorf("checkpoint: %w", err), false); !refusal.NoRoom(err) {
		s.o.Log.Error("the journal's log cannot be carried over into the file", "error", err.Error())
	}
}
