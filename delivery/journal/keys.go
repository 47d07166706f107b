package journal

import (
	"context"
	"errors"
	"slices"

	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// Keys gives the keys of a campaign's runs that were ever begun in a state directory, the latest first: those of the journal,
// and those that only the list of runs beside it knows, as the journal may be gone. Errors are Look's.
func Keys(ctx context.Context, o Options, campaign string) (keys []string, err error) {
	b, err := Look(ctx, o)
	switch {
	case errors.As(err, new(*refusal.LostError)):
	case err != nil:
		return nil, err
	default:
		defer func() { err = errors.Join(err, b.Close()) }()
		runs, err := b.Runs(ctx, campaign, 0)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			keys = append(keys, r.Key)
		}
	}
	list, err := register.Read(o.Dir)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(list.Runs) {
		if r.Is(campaign, r.Key) {
			keys = append(keys, r.Key)
		}
	}
	var once []string
	for _, key := range keys {
		if !slices.Contains(once, key) {
			once = append(once, key)
		}
	}
	return once, nil
}
