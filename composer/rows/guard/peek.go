package guard

import (
	"context"
	"errors"
)

// Peek tells who has the lock of a campaign, without taking it. The holder is zero where somebody has it who is not known. Of the
// options it heeds Connect, Cut, Campaign, Lock and Answer. A server that has no such locks has no holders. The error is one of Connect's, or
// what the driver says.
func Peek(ctx context.Context, o Options) (h Holder, held bool, err error) {
	s, err := o.filled().session(ctx)
	if err != nil {
		return Holder{}, false, err
	}
	defer s.leave()
	if h, held, err = s.holder(ctx); errors.Is(unable(err), errUnable) {
		return Holder{}, false, nil
	}
	return h, held, err
}
