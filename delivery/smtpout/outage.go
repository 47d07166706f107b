package smtpout

import (
	"log/slog"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// probeEvery is the longest that the only relay is left alone: all mail waits for it, and it is ours.
const probeEvery = 30 * time.Second

// outage is the time in which the only relay cannot be reached.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: it can be
	host  string
}

// alone tells that via leads to a relay, and that there is no other way.
func (t *Transport) alone(via int) bool { return len(t.o.Paths) == 1 && t.o.Paths[via].Relay }

// cool is the longest cool-down of a host of via; 0 is the usual.
func (t *Transport) cool(via int) time.Duration {
	if t.alone(via) {
		return probeEvery
	}
	return 0
}

// note says once that the relay is out of reach. The error is a *delivery.Halt when it has been so for too long.
func (x *outage) note(f *trouble, t *Transport) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	if x.since.IsZero() {
		x.since, x.host = now, f.Host
		t.log.Warn("the relay cannot be reached, all mail waits for it", "relay", f.Host, "error", f.said())
	}
	if t.o.Patience < 0 || now.Sub(x.since) < t.o.Patience {
		return nil
	}
	return &delivery.Halt{Stage: delivery.StageConnect, Host: f.Host, Code: f.Code, Enhanced: f.Enhanced, Text: f.said(), Err: f.Own}
}

// over says that it is back.
func (x *outage) over(log *slog.Logger) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.since.IsZero() {
		return
	}
	log.Warn("the relay is back", "relay", x.host, "after", time.Since(x.since).Round(time.Second).String())
	x.since = time.Time{}
}

// said is why, in the words of the server, the name server or ours.
func (f *trouble) said() string {
	if f.Text == "" && f.dns != nil {
		return f.dns.Text
	}
	return f.Text
}
