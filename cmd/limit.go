package cmd

import (
	"fmt"
	"log/slog"

	"github.com/mailblast/mailblast/cmd/campaign"
)

// ownFiles is what is kept free of connections: some twenty files of journal, list, spill and lock, and room for attachments.
const ownFiles = 32

// afford has the campaign ask for no more connections than this process may have files. On the way to a mail exchanger, a lookup may
// have two sockets of its own.
func (e *env) afford(c *campaign.Campaign, log *slog.Logger) {
	if e.files <= 0 {
		return
	}
	each := 1
	if c.Delivery == "direct" {
		each = 3
	}
	most := max((e.files-ownFiles)/each, len(c.Queues)+1, 1)
	if most >= c.Connections {
		return
	}
	log.Warn(fmt.Sprintf("this process may have no more than %d files open: %s at most, not %d; more with: ulimit -n", e.files, plural(most, "connection"), c.Connections))
	c.Connections = most
}
