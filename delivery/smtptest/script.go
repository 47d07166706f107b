package smtptest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// rule is one line of a script: what to do at an event instead of the proper reply.
type rule struct {
	event   string
	nth     int // of that event on the connection; 0 is every one
	actions []action
}

type action struct {
	verb string
	d    time.Duration
	n    int
	text string
}

// parse reads a script. Each line is
//
//	event[#n]: action; action; …
//
// The events are connect, each command's name in lower case, tls (after the handshake), body (once the 354 is out) and
// dot (the message has come). #n is the n-th of its kind on the connection. The actions are
//
//	250 text      reply with this line; a text cannot have a semicolon
//	raw "octets"  write these octets, quoted as in Go
//	drip D text   write the line octet by octet, D apart
//	times N text  write the line N times
//	blow N        write N octets without line end
//	wait D        wait
//	hold          wait for Release; Held counts those that do
//	skip N        read N octets, of body (after a 354) or whatever comes, and none beyond them; ends when the client is gone
//	accept        keep the message, without replying
//	ok            reply as is proper (a message at dot is kept)
//	drop, rst     close; close with a reset
//	half          close our direction only
//	hang          read nothing, write nothing, until the test ends; that the client is gone is not seen
func parse(script string) ([]rule, error) {
	var rules []rule
	for line := range strings.SplitSeq(script, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		event, rest, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%q has no event", line)
		}
		r := rule{event: event}
		if name, nth, ok := strings.Cut(event, "#"); ok {
			n, err := strconv.Atoi(nth)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			r.event, r.nth = name, n
		}
		for part := range strings.SplitSeq(rest, ";") {
			a, err := parseAction(strings.TrimSpace(part))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			r.actions = append(r.actions, a)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseAction(s string) (a action, err error) {
	verb, rest, _ := strings.Cut(s, " ")
	a.verb, a.text = verb, rest
	switch verb {
	case "drop", "rst", "half", "hang", "hold", "ok", "accept":
		return a, nil
	case "raw":
		a.text, err = strconv.Unquote(rest)
		return a, err
	case "wait":
		a.d, err = time.ParseDuration(rest)
		return a, err
	case "drip":
		var d string
		d, a.text, _ = strings.Cut(rest, " ")
		a.d, err = time.ParseDuration(d)
		return a, err
	case "times", "skip", "blow":
		var n string
		n, a.text, _ = strings.Cut(rest, " ")
		a.n, err = strconv.Atoi(n)
		return a, err
	}
	if _, err = strconv.Atoi(strings.TrimSuffix(verb[:min(3, len(verb))], "-")); err != nil {
		return a, fmt.Errorf("%q is no action", s)
	}
	return action{verb: "say", text: s}, nil
}

// hold waits for Release, but not beyond the Peer's end.
func (p *Peer) hold() {
	p.mu.Lock()
	p.held++
	release := p.release
	p.mu.Unlock()
	select {
	case <-release:
	case <-p.ended:
	}
}

// Held tells how many connections are at a hold of their scripts.
func (p *Peer) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// Release lets those connections go on.
func (p *Peer) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = 0
	close(p.release)
	p.release = make(chan struct{})
}
