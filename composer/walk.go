package composer

import (
	"context"

	"github.com/mailblast/mailblast/delivery"
)

// Walk goes through the whole list as a run without a past would: it calls skip for every row that would not be sent and
// take, with its stamp, for every other one, in the list's order. The row is valid during the call only. It asks no ledger.
func (c *Composer) Walk(ctx context.Context, skip func(Skipped) error, take func(r *Row, s Stamp) error) error {
	if err := c.dedupe(ctx, nil); err != nil {
		return err
	}
	return c.sift(ctx, skip, func(r *Row, m candidate) error {
		if why, all := c.allBarred(&m); all {
			return skip(*c.skipped(r, delivery.ClassSuppressed, why))
		}
		return take(r, c.mac.stamp(m.key, m.env.From.Domain))
	})
}
