package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// Look opens a journal for those who only read. Even a reader of SQLite's log has files to write; where the state directory takes
// none, being read-only or full, a copy in the system's temporary directory is read instead, which Close removes. Whatever would
// write to a copy fails by the error that the journal itself cannot be written for.
func Look(ctx context.Context, o Options) (*Book, error) {
	o.look = true
	b, err := Open(ctx, o)
	if err == nil || o.Server != "" || !refusal.NoRoom(err) && !errors.Is(err, syscall.EROFS) && !errors.Is(err, fs.ErrPermission) {
		return b, err
	}
	return lookAtCopy(ctx, o, err)
}

// lookAtCopy opens a copy of a journal that cannot be written, and why says why.
func lookAtCopy(ctx context.Context, o Options, why error) (*Book, error) {
	b, err := OpenTrial(ctx, o)
	if err != nil {
		return nil, errors.Join(why, err)
	}
	b.stop(fmt.Errorf("only a copy is open, to be read: %w", why)) // what is written to it would be gone
	return b, nil
}

// OpenTrial opens a copy of the journal, or of what is left of it, in the system's temporary directory, which Close removes: what
// is begun in it shows what would come of it, and nothing of it stays. Errors are Open's.
func OpenTrial(ctx context.Context, o Options) (*Book, error) {
	temp, err := os.MkdirTemp("", "mailblast-journal-")
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var b *Book
	dir := o.Dir
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Server != "" {
		b, err = download(ctx, o, temp)
	} else if err = disk.Copy(o.Dir, temp, store.Name, store.Name+"-wal", mark.Name, register.Name); err == nil {
		o.Dir = temp
		b, err = Open(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	b.temp = temp
	if b.of == "" {
		b.of = filepath.Join(dir, store.Name)
	}
	return b, nil
}
