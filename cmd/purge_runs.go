package cmd

import (
	"fmt"
	"slices"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/report"
)

// doomed is a run whose recipients' data is deleted.
type doomed struct {
	info   journal.RunInfo
	report *report.Report
	holds  bool // it has some
}

// holding are the runs that have something to delete.
func (p *purging) holding() []doomed {
	return slices.DeleteFunc(slices.Clone(p.runs), func(d doomed) bool { return !d.holds })
}

// empty tells that there is nothing to delete.
func (p *purging) empty() bool { return len(p.holding())+len(p.files)+len(p.aside) == 0 }

// open tells that the run may have to be gone on with.
func (d doomed) open() bool {
	return d.report.Finished == nil || d.report.Pending+d.report.Undecided() > 0
}

func (d doomed) unfinished() string {
	r := d.report
	return fmt.Sprintf("%s pending, %s of them deferred, %s unknown", screen.Comma(r.Pending), screen.Comma(r.Deferred), screen.Comma(r.Unknown))
}

// takes tells whether --before or --all means a run.
func (o purgeOptions) takes(info journal.RunInfo) bool {
	end := info.Finished
	if end.IsZero() {
		end = info.Started
	}
	return o.all || end.Before(o.day)
}
