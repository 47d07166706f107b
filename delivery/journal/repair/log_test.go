//go:build linux

package repair_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/journaltest"
)

// Whatever the disk does to the file of the new journal: there is a new one that is whole, or the old one as it was and nothing
// beside it. SQLite keeps to itself that it could not bring its log into the file when that was closed.
func TestFaultRepairOnBadDisk(t *testing.T) {
	t.Parallel()
	journaltest.Need(t, "strace", "-f", "true")
	whole := filepath.Join(t.TempDir(), "state")
	p, err := begin(t, whole, journal.Spec{Campaign: "spring"})
	check(t, err)
	p.give(t, sent, failed, later, no, sent)
	p.end(t)
	wrong(t, whole, `DELETE FROM outcomes WHERE seq = 4`)
	failures, step := 0, 5 // some of them
	if os.Getenv("MAILBLAST_LONG") != "" {
		step = 1
	}
	for _, call := range []string{"pwrite64", "fsync,fdatasync"} {
		for nth, over := 1, false; !over; nth += step {
			dir := filepath.Join(t.TempDir(), "state")
			check(t, os.CopyFS(dir, os.DirFS(whole)))
			check(t, os.Chmod(dir, 0o700))
			before, beside := files(t, dir), names(t, dir)
			c := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-P", filepath.Join(dir, "journal.repair", "journal.db"), "-e", "trace="+call,
				"-e", fmt.Sprintf("inject=%s:error=EIO:when=%d+", call, nth), os.Args[0], "-test.run=^TestBadDiskChild$", "-test.v")
			c.Env = append(os.Environ(), "REPAIR_TEST_DIR="+dir)
			out, err := c.CombinedOutput()
			check(t, err)
			if over = strings.Contains(string(out), "repaired"); !over {
				failures++
				if now := files(t, dir); !maps.Equal(now, before) {
					t.Errorf("%s %d failed: the old journal is not as it was", call, nth)
				}
				if left := names(t, dir); !slices.Equal(left, beside) {
					t.Errorf("%s %d failed: there are %v, before %v", call, nth, left, beside)
				}
				mend(t, dir)
			}
			p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
			if err != nil {
				t.Errorf("%s %d failed: %v\n%s", call, nth, err, out)
				continue
			}
			if got, want := p.states(t, 5), []delivery.Status{sent, failed, unknown, unknown, unknown}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s %d failed: %v, want %v\n%s", call, nth, got, want, out)
			}
			p.end(t)
		}
	}
	if failures < 4 {
		t.Errorf("%d repairs failed", failures)
	}
	t.Attr("fault", "R11 EIO while a repair writes the new journal")
	t.Attr("expected", "a new journal that is whole, or the old one as it was")
	t.Attr("seen", fmt.Sprintf("%d writes and syncs failed: the old one each time, nothing beside it, and a second repair is whole", failures))
}

// names are those of all that is in a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestBadDiskChild is the process whose disk fails.
func TestBadDiskChild(t *testing.T) {
	dir := os.Getenv("REPAIR_TEST_DIR")
	if dir == "" {
		return // run by itself it has nothing to do; TestFaultRepairOnBadDisk runs it
	}
	if r, _, err := tryMend(t, dir); err != nil {
		fmt.Println("fault", err)
	} else {
		fmt.Println("repaired", r.Kept)
	}
}
