package delivery

import (
	"slices"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/pace"
)

// Greylists are given their time; a message that has less of it is tried as usual.
func TestGreylisted(t *testing.T) {
	tries, _ := story(t, Options{}, map[int][]Outcome{0: {greyRcpt, greyRcpt, greyRcpt, sent}})
	m := time.Minute
	if want := []try{{0, 0, Deferred}, {0, 5 * m, Deferred}, {0, 15 * m, Deferred}, {0, 30 * m, Sent}}; !slices.Equal(tries, want) {
		t.Errorf("%v\nwant %v", tries, want)
	}
	tries, _ = story(t, Options{Retry: pace.Retry{For: 4 * time.Minute}}, map[int][]Outcome{0: {greyRcpt, greyRcpt, sent}})
	if want := []try{{0, 0, Deferred}, {0, m, Deferred}, {0, 3 * m, Sent}}; !slices.Equal(tries, want) {
		t.Errorf("%v\nwant %v", tries, want)
	}
}
