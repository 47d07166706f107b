package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// Look opens a journal for those who only read. Even a reader of SQLite's log has files to write; where the state directory takes
// none, being read-only or full, a copy in the system's temporary directory is read instead, which Close removes.
func Look(ctx context.Context, o Options) (*Book, error) {
	b, err := Open(ctx, o)
	if err == nil || !refusal.NoRoom(err) && !errors.Is(err, syscall.EROFS) && !errors.Is(err, fs.ErrPermission) {
		return b, err
	}
	temp, failed := os.MkdirTemp("", "mailblast-journal-")
	if failed != nil {
		return nil, err
	}
	failed = disk.Copy(o.Dir, temp, store.Name, store.Name+"-wal", mark.Name, register.Name)
	if failed == nil {
		o.Dir = temp
		b, failed = Open(ctx, o)
	}
	if failed != nil {
		return nil, errors.Join(err, failed, os.RemoveAll(temp))
	}
	b.temp = temp
	return b, nil
}
