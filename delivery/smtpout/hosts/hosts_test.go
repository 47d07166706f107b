package hosts

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
)

func TestHostsAreForgotten(t *testing.T) {
	hs := New()
	for i := range knownMax + 10 {
		hs.Get(route.Hop{Host: fmt.Sprint(i), Port: 25})
	}
	if len(hs.byKey) != knownMax || hs.order.Len() != knownMax {
		t.Errorf("%d hosts", len(hs.byKey))
	}
}

// Each cool-down is twice as long as the one before, up to half an hour; one success ends it all.
func TestCoolDowns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New().Get(route.Hop{Host: "mx.example", Port: 25})
		down := &fault.Fault{Stage: delivery.StageConnect, Text: "connection refused"}
		for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, maxCool, maxCool} {
			h.Fail(down, time.Now(), 0)
			f, end := h.Cooling(time.Now())
			if f != down || time.Until(end) != want {
				t.Errorf("%v for %v, want %v", f, time.Until(end), want)
			}
			time.Sleep(want)
			if f, _ := h.Cooling(time.Now()); f != nil {
				t.Error("does not end")
			}
		}
		h.Fail(down, time.Now(), 0)
		h.OK()
		if f, _ := h.Cooling(time.Now()); f != nil {
			t.Error("works and is left alone:", f.Text)
		}
	})
}

// A limit that showed itself once is believed for half an hour; that of recipients for good.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New().Get(route.Hop{Host: "mx.example", Port: 25})
		check := func(perConn, messages, recipients int) {
			t.Helper()
			if m, r := h.Limits(perConn); m != messages || r != recipients {
				t.Errorf("%d messages, %d recipients, want %d and %d", m, r, messages, recipients)
			}
		}
		check(50, 50, MaxRecipients)
		h.Fills(20)
		h.Crowds(5)
		check(50, 20, 5)
		check(10, 10, 5)
		time.Sleep(keepLimit)
		check(50, 50, 5)
	})
}
