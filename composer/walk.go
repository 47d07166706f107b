package composer

import (
	"context"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
)

// Walk goes through the whole list as a run without a past would: it calls skip for every row that would not be sent and
// take, with its stamp, for every other one, in the list's order. The row is valid during the call only. It asks no ledger.
func (c *Composer) Walk(ctx context.Context, skip func(Skipped) error, take func(r *Row, s Stamp) error) error {
	if err := c.dedupe(ctx, nil); err != nil {
		return err
	}
	repeat, stop := c.repeats(ctx)
	defer stop()
	return c.o.Rows.Each(ctx, func(r *Row) error {
		m, s := c.read(r)
		if s == nil {
			first, err := repeat(r.Number)
			if err != nil {
				return err
			}
			if first > 0 {
				s = c.skipped(r, delivery.ClassDuplicate, fmt.Sprintf("the same as row %d", first))
			}
		}
		if s != nil {
			return skip(*s)
		}
		return take(r, c.mac.stamp(m.key, m.env.From.Domain))
	})
}
