package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/mailblast/mailblast/delivery/pace"
)

// Options are the settings of a Dispatcher.
type Options struct {
	Queues      []QueueOptions       // specific queues, each for the domains it names
	General     QueueOptions         // the general queue: every other domain. Its Domains must be empty
	Connections int                  // threads at most, over all queues; each queue keeps one of them
	Memory      int64                // octets for what waits in queues, the rest is spilled. 0 is 8 MiB
	SpillDir    string               // where the spill file is made when it is needed; empty is the system's
	Rate        pace.Rate            // messages over all queues. Zero is no limit
	DomainRates map[string]pace.Rate // messages to one domain; "*" is each domain that is not named
	Retry       pace.Retry
	Fallback    bool        // Via 1 exists
	Direct      bool        // Via 0 leads to the recipients' own mail exchangers, not to a relay
	Pauses      []Pause     // what an earlier process left paused: it begins with a few trials
	Note        func(Pause) // told when something pauses, and when that is over. It must not block
	Resend      bool        // an Unknown is tried again, 15 minutes later, on the same way; false holds it for a person
	Random      *rand.Rand
	Log         *slog.Logger
	// Barred tells whether a message must not be sent after all, and why, in words: it is asked on the threads, from memory,
	// just before each try. nil: never.
	Barred func(m *Message) (why string, barred bool)
	// Revive completes a message that waited as a record: ID, Domain, Via, Attempts, Tries, First and Next are set, ref is
	// its content's; To, From, Content and Journal are to be filled in. It is called on the threads. Required.
	Revive func(m *Message, ref string) error
}

// QueueOptions are the settings of one queue.
type QueueOptions struct {
	Name        string    // for people; unique
	Domains     []string  // in lower-case A-labels
	Connections int       // threads at most. 0 is Options.Connections
	PerDomain   int       // transactions with one domain at once. 0 is any number
	Rate        pace.Rate // messages of the queue. Zero is no limit
	Sender      Sender
}

const memoryDefault = 8 << 20

// ResendAfter is how long what is Unknown is left alone before it is resent: by then the server has done with it.
const ResendAfter = 15 * time.Minute

// check gives all faults of o at once.
func (o *Options) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Revive == nil {
		fault("revive: missing")
	}
	if need := len(o.Queues) + 1; o.Connections < need {
		fault("connections: %d is too few: each of %d queues keeps one", o.Connections, need)
	}
	if o.Memory < 0 {
		fault("memory: %d is below zero", o.Memory)
	}
	if len(o.General.Domains) > 0 {
		fault("queue %s: the general queue takes every other domain, it cannot name any", o.General.Name)
	}
	names, domains := map[string]bool{}, map[string]string{}
	for _, q := range append([]QueueOptions{o.General}, o.Queues...) {
		if names[q.Name] {
			fault("queue %s: the name is used twice", q.Name)
		}
		names[q.Name] = true
		if q.Sender == nil {
			fault("queue %s: no sender", q.Name)
		}
		if q.Connections < 0 || q.PerDomain < 0 {
			fault("queue %s: a limit below zero", q.Name)
		}
		for _, d := range q.Domains {
			if other, ok := domains[d]; ok {
				fault("queue %s: domain %s is already in queue %s", q.Name, d, other)
			}
			domains[d] = q.Name
		}
	}
	for _, q := range o.Queues {
		if len(q.Domains) == 0 {
			fault("queue %s: no domains", q.Name)
		}
	}
	return errors.Join(faults...)
}

// filled gives o with its defaults in place of zeros.
func (o Options) filled() Options {
	if o.Memory == 0 {
		o.Memory = memoryDefault
	}
	if o.Random == nil {
		o.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Retry = o.Retry.Filled()
	return o
}
