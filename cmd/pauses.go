package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/report"
)

// mostPauses are told one by one; the report has them all.
const mostPauses = 5

// pausedFault is the exit of a run in which breakers hold back what is left.
func (p *pipeline) pausedFault(pauses []report.Pause) *fault {
	var lines []string
	for i := range pauses[:min(len(pauses), mostPauses)] {
		lines = append(lines, pauses[i].String())
	}
	if more := len(pauses) - mostPauses; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	f := &fault{code: exitPaused, err: errors.New(strings.Join(lines, "\n"))}
	if p.told || p.rehearsal() {
		return f
	}
	return f.hinted("run again when the cause is mended: %s (it begins with a few); those refused before: %s --retry failed", p.goOn(), p.command())
}

// keepRefusal notes that the run stands still because the login was refused, for those who ask later.
func (p *pipeline) keepRefusal(ctx context.Context, err error) error {
	var h *delivery.Halt
	if !errors.As(err, &h) || h.Stage != delivery.StageAuth || h.Code/100 == 4 {
		return nil
	}
	return p.run.PauseNow(ctx, delivery.Pause{
		Breaker: "login", Kind: "route", Name: p.via(), Refused: 1, Of: 1, Code: h.Code, Enhanced: h.Enhanced, Text: h.Text,
		Host: h.Host, At: time.Now(),
	})
}
