package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/mailblast/mailblast/delivery"
)

// hosts looks up addresses and remembers them.
type hosts struct {
	dns  Resolver
	memo *memo[[]netip.Addr]
}

func newHosts(dns Resolver) *hosts { return &hosts{dns, newMemo[[]netip.Addr]()} }

// lookup gives every address of name as the DNS has it; a name with a trailing dot is not completed from the search list.
func (h *hosts) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return h.memo.get(ctx, name, func(ctx context.Context) ([]netip.Addr, error) {
		addrs, err := h.dns.LookupNetIP(ctx, "ip", name)
		if notFound(err) {
			addrs, err = h.confirm(ctx, name, err)
		}
		switch {
		case len(addrs) > 0:
			return alternate(addrs), nil
		case err == nil || notFound(err):
			return nil, missing(name, "5.4.4", "has no address", err)
		default:
			return nil, trouble(name, err)
		}
	})
}

// confirm asks for each family alone: net.Resolver says "no such host" when one family has no record and the question
// for the other failed, which must not cost a recipient.
func (h *hosts) confirm(ctx context.Context, name string, missing error) ([]netip.Addr, error) {
	for _, network := range []string{"ip4", "ip6"} {
		addrs, err := h.dns.LookupNetIP(ctx, network, name)
		if len(addrs) > 0 || err != nil && !notFound(err) {
			return addrs, err
		}
	}
	return nil, missing
}

// alternate keeps the resolver's order within each family and lets the families take turns, so that a family that
// cannot be reached does not use up all the addresses of a try.
func alternate(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addrs {
		a = a.Unmap()
		if a.Is4() == addrs[0].Unmap().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for len(first)+len(second) > 0 {
		if len(first) > 0 {
			out, first = append(out, first[0]), first[1:]
		}
		if len(second) > 0 {
			out, second = append(out, second[0]), second[1:]
		}
	}
	return out
}

// notFound tells that the DNS has no such name or no such record of it; net.Resolver does not say which.
func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound && !dns.IsTemporary && !dns.IsTimeout
}

func missing(name, enhanced, what string, err error) *Error {
	return &Error{
		Status: delivery.Deferred, Class: delivery.ClassHard, Enhanced: enhanced, NotFound: true,
		Text: strings.TrimSuffix(name, ".") + " " + what, Err: err,
	}
}

// trouble is for every error that is no definite answer: SERVFAIL, REFUSED (which net.Resolver calls neither temporary
// nor not found), timeouts and whatever we do not know.
func trouble(name string, err error) *Error {
	why := "no answer"
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && !dns.IsTimeout:
		why = printable(dns.Err)
	case errors.As(err, &dns), errors.Is(err, context.DeadlineExceeded):
		why = "timed out"
	}
	return &Error{
		Status: delivery.Deferred, Class: delivery.ClassSoft, Enhanced: "5.4.3", // directory server failure
		Text: fmt.Sprintf("DNS lookup of %s: %s", strings.TrimSuffix(name, "."), why), Err: err,
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
