// Package breaker is the arithmetic of circuit breakers: a server that refuses everybody is left alone before it makes
// thousands of failures. It is pure: no goroutine, no clock, time is passed in.
//
//  1. each outcome says something of us, a Word, to its scopes: the recipient's domain, the site, the route;
//  2. by the table Rules a scope is paused that hears too many refusals. Nothing more goes there, and a refusal of what
//     was on its way then is no failure: the message waits like the others;
//  3. when the pause is over, in the same run or a later one, Trials messages are tried. One more refusal, which counts,
//     pauses the scope again for twice as long; when that many were taken, all goes on.
//
// Only scopes that heard a refusal among their last outcomes are remembered.
package breaker

import "time"

const (
	// Trials is how many messages are under way at most until a scope that was paused has proven itself: enough to tell
	// luck from a change, few enough to lose.
	Trials = 5
	// firstPause is long enough for a person to act, and for most limits to pass; it doubles up to longestPause.
	firstPause   = 30 * time.Minute
	longestPause = 4 * time.Hour
	// poll is when a scope whose trials are all under way is looked at again.
	poll = time.Second

	window = 200 // outcomes that are looked at
	share  = 30  // of a hundred that may be the same refusal
	// spread is the part of its limit that one domain may take of a wider scope's: a domain that refuses us is paused
	// alone, only several speak for the relay or the site.
	spread = 3
)

// Rule is one row of the table of breakers.
type Rule struct {
	Name   string
	Counts string // what is counted, in words
	Over   int    // as many are let pass, one more trips it
	Of     int    // among the last so many outcomes; 0: in a row
	Pauses string // what then pauses, in words
	Exit   int    // the exit code when nothing else may go
}

// The rows of the table. The last is kept by whoever logs in; it stands here because the table is one.
var (
	sender = Rule{
		Name: "sender", Counts: "the same 5xx to MAIL, with no sender taken in between", Over: 50,
		Pauses: "the route; in direct delivery also the site alone", Exit: 75,
	}
	policy = Rule{
		Name: "policy", Counts: "the same 5xx that is not about the address", Over: window * share / 100, Of: window,
		Pauses: "the domain, the site or the route", Exit: 75,
	}
	mixed = Rule{
		Name: "mixed", Counts: "5xx that are not about the address, whatever they say", Over: window - 1, Of: window,
		Pauses: "the domain, the site or the route", Exit: 75,
	}
	login = Rule{
		Name: "login", Counts: "a refused login: 5xx to AUTH, 530 to MAIL", Over: 0,
		Pauses: "the relay, until the next run", Exit: 78,
	}
)

// Rules is the table of breakers.
func Rules() []Rule { return []Rule{sender, policy, mixed, login} }

// Kind is how much a scope covers.
type Kind uint8

// From the narrowest on.
const (
	Domain Kind = iota
	Site        // domains with one set of mail exchangers
	Route       // a relay, or all of direct delivery
)

// Scope is what can be paused.
type Scope struct {
	Kind Kind
	Via  int    // the way it is on
	Name string // of the domain or site
}

// Word is what an outcome says of us.
type Word uint8

// From the least on.
const (
	Nothing       Word = iota // nobody judged us
	Known                     // our sender was taken, the message put off
	Passed                    // it was refused for the recipient's sake
	Taken                     // it was taken
	Refused                   // we were
	RefusedSender             // at MAIL
)

// Said is what an outcome says of us, and how: refusals are the same when their codes and class are.
type Said struct {
	Word     Word
	Code     int
	Enhanced string
	Class    uint8
}

// News is a change that a person should hear of.
type News struct {
	Scope   Scope
	Over    bool      // the pause has ended; the rest is zero
	Again   bool      // a trial was refused
	Rule    Rule      // what tripped; zero when Again
	Refused int       // of the last Of outcomes
	Of      int       // 0: in a row
	Until   time.Time // when trials begin, in this run
}
