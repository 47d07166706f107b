package delivery

import (
	"fmt"
	"time"
)

// Outcome is what one try of one message led to, or why it was never tried.
type Outcome struct {
	ID       ID
	To       string // the envelope recipient, for those who list people
	Status   Status
	Stage    Stage // where it ended
	Class    Class
	Code     int    // SMTP reply code; 0 when no server said it
	Enhanced string // enhanced status code (RFC 3463), such as "5.1.1"; may be empty
	Text     string // the reply's text in one line, or our own words; printable
	Host     string // who said it, as "mx.example.org" or "mx.example.org [192.0.2.1]"
	TLS      string // "" none, else as "TLS1.3 verified" or "TLS1.2 unverified"
	Queue    string // set by the dispatcher
	Via      int
	Attempt  int       // which charged attempt this was, from 1; an uncharged try repeats the number
	Try      int       // which try this was, charged or not, from 1
	Charged  bool      // false: host trouble or our own limits; the message is not to blame
	First    time.Time // when the message was first tried
	At       time.Time // when it ended
	Next     time.Time // Deferred only: when it is tried again. A Sender may set the earliest time worth trying
	Took     time.Duration
	Print    uint64 // of the Message that was tried
}

// Status is the verdict of an Outcome.
type Status uint8

// NotTried: taken, dot never written, costs nothing. All from Sent on are final.
const (
	NotTried Status = iota
	Deferred
	Sent       // the whole 2xx reply to the dot was read
	Failed     // refused for good, or given up
	Unknown    // the dot left, its reply did not come: it may have been delivered
	Suppressed // must not be written to
	Skipped    // never tried: see Class (duplicate, invalid, gone, null)
)

var statusNames = [...]string{"not-tried", "deferred", "sent", "failed", "unknown", "suppressed", "skipped"}

func (s Status) String() string { return name(statusNames[:], int(s)) }

// Final tells that no further try follows by itself.
func (s Status) Final() bool { return s >= Sent }

// Stage is the step of a delivery at which an Outcome was reached.
type Stage uint8

// The stages in the order a delivery goes through them.
const (
	StageGate    Stage = iota // before any try
	StageCompose              // rendering the letter
	StageResolve              // finding the domain's mail exchangers
	StageConnect              // dialling, greeting and EHLO
	StageTLS
	StageAuth
	StageMail
	StageRcpt
	StageData
	StageDot // the body and the reply to its final dot
)

var stageNames = [...]string{"gate", "compose", "resolve", "connect", "tls", "auth", "mail", "rcpt", "data", "dot"}

func (s Stage) String() string { return name(stageNames[:], int(s)) }

// Class is what an Outcome means for the address and the campaign. docs/queues.md tells what follows from each.
type Class uint8

// The first group are classes of replies and bounces; the second of rows that were never tried.
const (
	ClassNone     Class = iota
	ClassHard           // the address or its domain is dead for good
	ClassSoft           // trouble on the recipient's side or on the way
	ClassThrottle       // slow down, greylisted, too many
	ClassBlock          // refused for the sender's reputation, authentication, policy or the content
	ClassContent        // the letter could not be composed for this row

	ClassDuplicate
	ClassInvalid
	ClassGone
	ClassNull
	ClassSuppressed
)

var classNames = [...]string{"", "hard", "soft", "throttle", "block", "content", "duplicate", "invalid", "gone", "null", "suppressed"}

func (c Class) String() string { return name(classNames[:], int(c)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("(%d)", i)
}

// Unfit is the error of Content.Open for a letter that cannot be sent: the row's fault, not ours.
type Unfit struct {
	Status Status // Failed or Skipped
	Class  Class
	Text   string // for a person, in one line
}

func (e *Unfit) Error() string { return e.Text }

// Halt is the error of Sender.Serve when no message can go out this way until a person has changed something.
type Halt struct {
	Stage    Stage // StageAuth: login refused; StageTLS: no verified TLS; StageConnect: never reachable; StageMail: sender refused
	Host     string
	Code     int
	Enhanced string
	Text     string
	Err      error // what our own system failed by, such as EMFILE; nil: it is the server's doing
}

// Unwrap gives Err.
func (e *Halt) Unwrap() error { return e.Err }

func (e *Halt) Error() string {
	s := e.Host + ": " + e.Text
	if e.Host == "" { // it did not come to one
		s = e.Text
	}
	if e.Code != 0 {
		s = fmt.Sprintf("%s: %d %s %s", e.Host, e.Code, e.Enhanced, e.Text)
	}
	return s
}

// Paused is the error of Run when it ended with work left: drained, or only later deferrals and what breakers hold remain.
type Paused struct {
	Waiting int       // messages submitted and without final outcome
	Next    time.Time // when the earliest of the deferred may be tried; zero when none is, or it was drained
	Pauses  []Pause   // what breakers hold
}

func (e *Paused) Error() string {
	if e.Waiting == 1 {
		return "1 message waits for a later try"
	}
	return fmt.Sprintf("%d messages wait for a later try", e.Waiting)
}
