package report

import (
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// Pause tells why a domain, a site or a route is left alone.
type Pause struct {
	Breaker string    `json:"breaker"`
	Kind    string    `json:"kind"` // domain, site or route
	Name    string    `json:"name"`
	Said    string    `json:"said"`   // what is wrong, in words
	Reason  string    `json:"reason"` // the latest refusal as the server gave it
	Host    string    `json:"host,omitempty"`
	Refused int       `json:"refused"`
	Of      int       `json:"of,omitempty"` // outcomes; 0: in a row
	At      time.Time `json:"at"`
	Pending int       `json:"pending,omitempty"` // people that wait for it; 0: not counted
}

// pauses takes over what is paused. Everybody waits for a route.
func (r *Report) pauses(ps []delivery.Pause) {
	for i := range ps {
		p := &ps[i]
		pause := Pause{Breaker: p.Breaker, Kind: p.Kind, Name: p.Name, Said: p.String(), Reason: p.Reason(), Host: p.Host,
			Refused: p.Refused, Of: p.Of, At: p.At, Pending: p.Waiting}
		if p.Kind == "route" {
			pause.Pending = r.Pending
		}
		r.Pauses = append(r.Pauses, pause)
	}
}

// String says it in one line, such as "paused: a.example refuses all our mail: 550 5.7.1 no, 61 of the last 61; 4,120 people
// stay pending".
func (p *Pause) String() string {
	s := "paused: " + safe(p.Said)
	if p.Pending > 0 {
		s += "; " + count(p.Pending, "person stays", "people stay") + " pending"
	}
	return s
}
