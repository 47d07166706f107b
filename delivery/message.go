// Package delivery gets messages to their recipients' mail servers and knows what became of each.
//
// It is the shared vocabulary of every room around it, and the dispatcher:
//
//  1. a source (composer) submits messages, one per recipient, each a small value that refers to its content;
//  2. the assigner puts each into the lane of its domain, in a specific queue or the general one, and goes on;
//  3. a thread of the queue's pool takes a ready lane and has the Sender pump it through a connection;
//  4. the Journal has the intent of each on disk before its dot leaves;
//  5. each try ends in one Outcome: final, or deferred into a retry bucket; breakers pause what refuses everybody.
//
// The files in the order of these steps: message.go and outcome.go (the vocabulary), options.go, dispatcher.go (what
// sources call), run.go (the one goroutine that owns all queues), record.go (a message on disk), queue.go (which thread
// serves what), thread.go and feed.go (the Feed), settle.go (what follows from an Outcome), breakers.go and pause.go (who is
// left alone).
package delivery

import (
	"context"
	"io"
	"time"
)

// ID names one delivery and is the journal's key.
type ID struct {
	Run  uint64   // the campaign's run, as the journal numbers it
	Key  [16]byte // MAC of the row's key, never an ordinal: rows come and go between reruns
	Copy uint16   // 0 is to; 1 is a cc or bcc, and Key is then a MAC of its address as well
}

// Message is one recipient's copy of a letter, a small value. Clones differ in ID, To and Domain; they share Content.
type Message struct {
	ID       ID
	To       string // envelope recipient, parsed and re-quoted (RFC 5321 §4.1.2), without angle brackets
	From     string // reverse-path, likewise; empty is the null reverse-path
	Domain   string // of To, in lower-case A-labels; all that Submit looks at
	Content  Content
	Journal  Journal   // who remembers it: campaign ledger, relay spool, fleet lease
	Via      int       // 0 the normal route, 1 the fallback
	Attempts int       // charged attempts so far, restarts included
	Tries    int       // all tries so far, charged or not, restarts included
	First    time.Time // when it was first tried; zero before. The letter's Date header
	Next     time.Time // not to be tried before; zero is now
	Print    uint64    // fingerprint of the letter and the row's fields: tells whether another try is the same letter; 0 is none

	since   time.Duration // First on the dispatcher's own clock: from the begin of Run, which may be later
	mishaps uint8         // panics it was in hand at, before its dot could have left; since this process began
}

// Content makes the bytes of a letter, late and repeatably: two calls of Open with the same Form give the same bytes.
type Content interface {
	// Ref is the content's identity in at most 64 bytes: what spill and fleet jobs carry, and what must be equal for
	// two messages to share a transaction.
	Ref() string
	// Open renders. An *Unfit error says that this letter cannot be sent; any other error is a fault of our side.
	Open(ctx context.Context, f Form) (Body, error)
}

// Form is how a letter is to be laid out for one peer.
type Form struct {
	EightBit bool      // the peer takes 8BITMIME (RFC 6152)
	UTF8     bool      // the peer takes SMTPUTF8 (RFC 6531)
	Date     time.Time // of the first try, for the Date header
}

// Body is one rendering of a letter. What it needs is known before MAIL; attachments never sit in memory whole.
type Body interface {
	// Needs gives the size in octets as it goes over the wire before dot-stuffing (RFC 1870), and whether
	// BODY=8BITMIME and SMTPUTF8 must be announced.
	Needs() (size int64, eightBit, utf8 bool)
	// WriteTo writes RFC 5322 lines ending in CRLF, with no dot-stuffing and no final dot.
	WriteTo(w io.Writer) (int64, error)
	Close() error
}

// Journal remembers what became of messages. Its calls queue and return; what was given first is on disk no later
// than what came after.
type Journal interface {
	// Intend notes that these are about to be sent. onDisk blocks until that is on disk; an error means no dot may go.
	Intend(ms []*Message) (onDisk func(context.Context) error)
	// Record notes every outcome of a try, Deferred and NotTried included: the latter makes its intent void. os is the
	// journal's to keep.
	Record(os []Outcome)
	// Defer offers a deferred message to its owner; true means the owner brings it back (spool, fleet schedule).
	Defer(m *Message, o Outcome) (mine bool)
}

// Batch is one transaction: messages of one queue, site, Content and From.
type Batch struct {
	Messages []*Message
	Intent   func(context.Context) error // to be awaited before the dot; an error means: no dot
	Date     time.Time                   // for Form
}

// Feed is what a pool thread offers a connection.
type Feed interface {
	// Next gives at most room recipients of one transaction. With wait it blocks while our own limits (rate,
	// per-domain caps) hold messages of this site back, and gives nil when there is nothing for this site, when the
	// thread is needed elsewhere or when the run drains: the connection goes back to the cache then. Without wait it
	// gives nil at once when nothing may go now, so that a pipelining Sender flushes and reads.
	Next(ctx context.Context, room int, wait bool) *Batch
	// Done takes the outcomes of messages that Next gave: once a message, in any order, at any time before Serve returns.
	Done(os ...Outcome)
}

// Sender delivers over cached or new connections. It belongs to one queue.
type Sender interface {
	// Site names the group of domains that share a way out (the relay; an MX set), from memory, without blocking.
	// Not known yet, a domain is its own site.
	Site(domain string, via int) (name string, known bool)
	// Serve pumps f through one connection until it is dry, used up or cut. A refused or failed mail is an Outcome; an
	// error means going on is pointless: *Halt, or a fault of our side.
	Serve(ctx context.Context, domain string, via int, f Feed) error
}

// Outlet takes messages: the dispatcher, or the feeder of a fleet.
type Outlet interface {
	// Submit takes the clones of one letter, all with the same Content and Journal. It waits for nothing but memory or disk.
	Submit(ctx context.Context, ms ...*Message) error
}
