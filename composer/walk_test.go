package composer

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery"
)

// A walk takes and skips what a run without a past does, and gives each row the stamp its letter is sent with.
func TestWalkAgreesWithRun(t *testing.T) {
	addr := rapid.SampledFrom([]string{"ana@x.test", "ANA@x.test", "bob@y.test", "cyd@y.test,bob@y.test", "no address", "ragged"})
	rapid.Check(t, func(t *rapid.T) {
		var l list
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			l = append(l, [2]string{rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "id"), addr.Draw(t, "address")})
		}
		led, out := newLedger(), &outlet{}
		o := options(l, led, out)
		o.Key = rapid.SampledFrom([]string{"", "id"}).Draw(t, "key")
		o.Unique = rapid.SampledFrom([]string{"", "id", "none"}).Draw(t, "unique")
		run(t, o)
		var sent []string
		for _, m := range out.got {
			if m.ID.Copy == 0 {
				sent = append(sent, m.To+" "+letterOf(t, m.Content))
			}
		}

		o.Ledger, o.Outlet = nil, nil // it needs neither
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		var walked []string
		var skipped []Skipped
		err = c.Walk(context.Background(), func(s Skipped) error { skipped = append(skipped, s); return nil }, func(r *Row, s Stamp) error {
			body, err := o.Letter.Render(context.Background(), r, s, delivery.Form{})
			if err != nil {
				return err
			}
			env, err := o.Letter.Envelope(r)
			walked = append(walked, env.Recipients[0].String()+" "+textOf(t, body))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(walked) != fmt.Sprint(sent) {
			t.Fatalf("walked %q, sent %q", walked, sent)
		}
		if fmt.Sprint(skipped) != fmt.Sprint(led.skipped) {
			t.Fatalf("walk skips %v, a run %v", skipped, led.skipped)
		}
	})
}

func letterOf(t *rapid.T, c delivery.Content) string {
	body, err := c.Open(context.Background(), delivery.Form{})
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, body)
}

func textOf(t *rapid.T, body delivery.Body) string {
	var b strings.Builder
	if _, err := body.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
