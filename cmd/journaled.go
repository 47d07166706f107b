//go:build !unjournaled

package cmd

import (
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
)

// remembering is what remembers the deliveries of a run.
func remembering(r *journal.Run) delivery.Journal { return r }
