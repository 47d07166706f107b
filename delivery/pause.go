package delivery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery/pace/breaker"
)

// Pause tells why a domain, a site or a route is left alone: its server refuses us, whomever we write to.
type Pause struct {
	Breaker  string // which row of the table of breakers
	Kind     string // "domain", "site" or "route"
	Name     string // of the domain or site; of a route, who refused
	Via      int
	Refused  int    // of the last Of outcomes
	Of       int    // 0: in a row
	Code     int    // of the latest refusal, as in Outcome
	Enhanced string // likewise
	Text     string // likewise
	Host     string // likewise
	At       time.Time
	Waiting  int  // messages that wait for it, counted at the end of a run and not for a route; 0: not known
	Over     bool // it has ended
}

// String says it to a person, in one line.
func (p *Pause) String() string {
	count := fmt.Sprintf("%d of the last %d", p.Refused, p.Of)
	if p.Of == 0 {
		count = fmt.Sprintf("%d in a row", p.Refused)
	}
	if p.Breaker == loginBreaker {
		return fmt.Sprintf("%s %s: %s", p.Name, p.deed(), p.Reason())
	}
	return fmt.Sprintf("%s %s: %s, %s", p.Name, p.deed(), p.Reason(), count)
}

// Reason is the latest refusal as the server gave it.
func (p *Pause) Reason() string {
	code := ""
	if p.Code != 0 {
		code = fmt.Sprint(p.Code)
	}
	return strings.Join(strings.Fields(code+" "+p.Enhanced+" "+p.Text), " ")
}

const loginBreaker, senderBreaker = "login", "sender" // rows of the table that have words of their own

func (p *Pause) deed() string {
	switch {
	case p.Breaker == loginBreaker:
		return "refuses the login"
	case p.Breaker == senderBreaker:
		return "refuses our sender"
	case p.Refused == p.Of:
		return "refuses all our mail"
	}
	return "refuses our mail"
}

var kinds = [...]string{breaker.Domain: "domain", breaker.Site: "site", breaker.Route: "route"}

// scope is what p is of, as the table of breakers knows it.
func (p *Pause) scope() breaker.Scope {
	s := breaker.Scope{Kind: breaker.Kind(max(slices.Index(kinds[:], p.Kind), 0)), Via: p.Via, Name: p.Name}
	if s.Kind == breaker.Route {
		s.Name = ""
	}
	return s
}
