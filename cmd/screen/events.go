package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sync"
	"unicode/utf16"
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
	body, err := JSON(fields)
	if err != nil {
		return fmt.Errorf("event %s: %w", kind, err)
	}
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

// JSON gives a value as one line of JSON, with < and > as they are, for people who read HTML in it. What a terminal could
// take for a command is escaped in it, which means the same to whoever decodes it.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	text := b.Bytes()[:b.Len()-1]
	if bytes.IndexFunc(text, hostile) < 0 {
		return b.Bytes(), nil
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !hostile(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
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
