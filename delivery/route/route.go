// Package route finds the way to a recipient's domain: the configured relay, or the domain's mail exchangers.
//
//  1. Route gives the hops of a domain in the order to try them (RFC 5321 §5.1), or an *Error that says what the failed
//     lookup means for the message;
//  2. Addrs gives the addresses of one hop that may be dialled;
//  3. Permit is asked again by the dialer for the very address it is about to connect to;
//  4. Site answers from memory which domains share a way out, so that they can share connections.
//
// What the DNS said is remembered for five minutes, in bounded memory; concurrent questions about one name are asked
// once; while the DNS is out of order the last good answer serves for up to an hour.
package route

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// MaxHops and MaxAddrs bound what one try may cost however many mail exchangers a domain lists: Route gives at most
// MaxHops, Addrs at most MaxAddrs a hop, and a try dials at most MaxAddrs over all hops.
const (
	MaxHops  = 5
	MaxAddrs = 10
)

// Resolver is what a Router needs of the DNS; *net.Resolver has both.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Demand is how much TLS a hop must give.
type Demand uint8

// None never asks for TLS. Opportunistic takes what there is. Required is STARTTLS with a verified certificate,
// Implicit is TLS from the first octet (RFC 8314 §3) with a verified certificate.
const (
	None Demand = iota
	Opportunistic
	Required
	Implicit
)

// Hop is one host to try.
type Hop struct {
	Host string // the name to verify, without trailing dot; or an IP literal
	Port int
	TLS  Demand
}

// Route is a domain's way out.
type Route struct {
	Site string // equal for domains that have the same hosts; what connections and batches are shared by
	Hops []Hop  // in the order to try them, at least one
}

// Router finds the way out. It is safe for concurrent use. Its errors are *Error, or that of a cut ctx.
type Router interface {
	Route(ctx context.Context, domain string) (Route, error)
	// Site answers from memory; what it says may be older than what Route would.
	Site(domain string) (name string, known bool)
	Addresses
}

// Addresses tells where a hop may be dialled.
type Addresses interface {
	// Addrs gives only addresses that Permit allows, in the order to try them, at least one.
	Addrs(ctx context.Context, h Hop) ([]netip.Addr, error)
	// Permit says why an address must not be dialled. The dialer asks it for the address it connects to.
	Permit(a netip.Addr) error
}

// notFoundWait is how long a domain must have been missing before mail to it is given up: registrars and name servers
// make mistakes, and mend them.
const notFoundWait = 10 * time.Minute

// Error is what a failed lookup means for the message.
type Error struct {
	Status   delivery.Status // Failed, or Deferred
	Class    delivery.Class
	Enhanced string // enhanced status code of a final refusal (RFC 3463), such as "5.1.2"
	Text     string // for a person, in one line
	NotFound bool   // the DNS has no such name: Status is Deferred, but Outcome makes it Failed in time
	Err      error  // what the resolver said; may be nil
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return e.Err }

// Outcome is what the error makes of one try of m. Trouble of the DNS is not charged. A name that does not exist is
// charged, and final at the second charged try when that is at least ten minutes after the first.
func (e *Error) Outcome(m *delivery.Message, now time.Time) delivery.Outcome {
	o := delivery.Outcome{
		ID: m.ID, To: m.To, Status: e.Status, Stage: delivery.StageResolve, Class: e.Class,
		Enhanced: e.Enhanced, Text: e.Text, Charged: e.Status == delivery.Failed, At: now,
	}
	if e.NotFound {
		o.Charged = true
		if m.Attempts >= 1 && !m.First.IsZero() && now.Sub(m.First) >= notFoundWait {
			o.Status = delivery.Failed
			return o
		}
		o.Next = now.Add(notFoundWait)
	}
	if o.Status == delivery.Deferred && o.Enhanced != "" {
		o.Enhanced = "4" + o.Enhanced[1:]
		o.Class = delivery.ClassSoft
	}
	return o
}

// Milder gives the more hopeful of two errors, for a try whose every hop has one: trouble of the DNS before a missing
// name before a refusal. Either may be nil.
func Milder(a, b *Error) *Error {
	if a == nil || b != nil && b.hope() > a.hope() {
		return b
	}
	return a
}

func (e *Error) hope() int {
	switch {
	case e.NotFound:
		return 1
	case e.Status == delivery.Deferred:
		return 2
	}
	return 0
}
