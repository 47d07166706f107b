package repair_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
)

// A file that is gone, cut or empty, a log that is gone, a mark of another journal.
func TestRepairOfFiles(t *testing.T) {
	t.Parallel()
	lost, whole := []delivery.Status{unknown, unknown, unknown, unknown}, []delivery.Status{sent, sent, failed, no}
	for name, do := range map[string]func(dir string) error{
		"removed":   func(dir string) error { return os.Remove(filepath.Join(dir, "journal.db")) },
		"emptied":   func(dir string) error { return os.Truncate(filepath.Join(dir, "journal.db"), 0) },
		"cut":       func(dir string) error { return os.Truncate(filepath.Join(dir, "journal.db"), 20_000) },
		"no header": func(dir string) error { return overwrite(filepath.Join(dir, "journal.db"), 0, 200) },
		"no list and no header": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "journal.runs")), overwrite(filepath.Join(dir, "journal.db"), 0, 200))
		},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
		check(t, err)
		p.give(t, sent, sent, failed)
		p.end(t)
		check(t, do(dir))
		mend(t, dir)
		p, err = begin(t, dir, journal.Spec{Campaign: "spring"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := lost
		if strings.Contains(name, "header") { // SQLite cannot read it, but all rows are there, and the mark vouches for that
			want = whole
		}
		if got := p.states(t, 4); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		p.end(t)
	}
}

func overwrite(path string, at, n int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, n), at)
	return errors.Join(err, f.Close())
}
