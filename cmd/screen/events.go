package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sync"
)

// Events writes what happens as JSON, one object a line, each beginning with its version and type. It is safe for
// concurrent use.
type Events struct {
	W io.Writer // stdout

	mu   sync.Mutex
	gone bool // W failed: whoever read it has gone, and has been told of once
}

// Emit writes one event: plan, progress, recipient, warning, summary or error. fields must encode to a JSON object. After a
// write has failed it does nothing.
func (e *Events) Emit(kind string, fields any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return fmt.Errorf("event %s: %w", kind, err)
	}
	body := b.Bytes()
	if len(body) < 3 || body[0] != '{' {
		return fmt.Errorf("event %s: %T is no JSON object", kind, fields)
	}
	head := fmt.Sprintf(`{"v":1,"type":%q`, kind)
	if body[1] != '}' {
		head += ","
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return nil
	}
	if _, err := e.W.Write(append([]byte(head), body[1:]...)); err != nil {
		e.gone = true
		return fmt.Errorf("event %s: %w", kind, err)
	}
	return nil
}

type progressEvent struct {
	Run        string       `json:"run,omitempty"`
	Total      int          `json:"total"`
	Sent       int          `json:"sent"`
	Failed     int          `json:"failed"`
	Unknown    int          `json:"unknown"`
	Suppressed int          `json:"suppressed"`
	Skipped    int          `json:"skipped"`
	Deferred   int          `json:"deferred"`
	InFlight   int          `json:"in_flight"`
	Rate       float64      `json:"rate"`            // a second
	ETA        int          `json:"eta_s,omitempty"` // seconds
	Queues     []queueEvent `json:"queues,omitempty"`
}

type queueEvent struct {
	Name     string  `json:"name"`
	Done     int     `json:"done"`
	Waiting  int     `json:"waiting"`
	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"rate"`
}

// progress writes a progress event. A reader of events that has gone stops no campaign.
func (s *Screen) progress(snap Snapshot) {
	p := progressEvent{
		Run: s.o.Run, Total: snap.Total, Sent: snap.Sent, Failed: snap.Failed, Unknown: snap.Unknown,
		Suppressed: snap.Suppressed, Skipped: snap.Skipped, Deferred: snap.Deferred, InFlight: snap.InFlight,
		Rate: tenth(s.rates.total()), ETA: int(s.left(snap).Seconds()),
	}
	for _, q := range snap.Queues {
		p.Queues = append(p.Queues, queueEvent{q.Name, q.Done, q.Waiting, q.InFlight, tenth(s.rates.queue(q.Name))})
	}
	_ = s.o.Events.Emit("progress", p)
}

func tenth(f float64) float64 { return math.Round(f*10) / 10 }
