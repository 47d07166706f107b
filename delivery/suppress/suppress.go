// Package suppress knows who must not be written to.
//
//  1. Parse takes what a person writes, an address or @domain, into the one form that is compared;
//  2. a List is what concerns one campaign, in memory: entries are added and taken away in the order they were made, also
//     while mail is being sent;
//  3. Why answers, for one recipient, whether and for what reason the List forbids them.
package suppress

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery/address"
)

// Entry says that somebody must not be written to, or no longer must not.
type Entry struct {
	Whom    string    // an address.Address.Key, or "@" and a domain in lower-case A-labels; subdomains are others
	Scope   string    // the campaign it is for; empty: all of them
	Reason  string    // for people, such as "complaint"; may be empty
	Until   time.Time // from when on it says nothing any more; zero: for ever
	At      time.Time // when it was made
	Removed bool      // it takes back an earlier one of the same Whom and Scope
}

// Parse takes an address, alone or as "Ana <ana@acme.example>", or @domain. The error is for a person.
func Parse(s string) (whom string, err error) {
	if domain, ok := strings.CutPrefix(strings.TrimSpace(s), "@"); ok {
		d, err := address.ParseDomain(domain)
		if err != nil {
			return "", err
		}
		return "@" + d, nil
	}
	_, a, err := address.ParseMailbox(s)
	if err != nil {
		return "", err
	}
	return a.Key(), nil
}

// List answers for one campaign. It is safe for concurrent use. An entry takes some 40 octets, whatever its length.
type List struct {
	campaign string
	seeds    [2]maphash.Seed

	mu      sync.RWMutex
	entries map[hash]entry
	reasons []string
	numbers map[string]uint16 // places in reasons
}

// hash is of an entry's Whom and Scope: no two of them share one in practice.
type hash [2]uint64

type entry struct {
	until  int64 // Unix seconds; 0: for ever
	reason uint16
}

// NewList makes an empty list for a campaign; of an empty name it is for entries of any scope.
func NewList(campaign string) *List {
	return &List{campaign: campaign, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		entries: map[hash]entry{}, reasons: []string{""}, numbers: map[string]uint16{"": 0}}
}

// Add takes entries in the order they were made. Those of other campaigns are left out.
func (l *List) Add(es ...Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range es {
		e := &es[i]
		if e.Scope != "" && e.Scope != l.campaign {
			continue
		}
		h := l.hash(e.Whom, e.Scope != "")
		if e.Removed {
			delete(l.entries, h)
			continue
		}
		n := entry{reason: l.reason(e.Reason)}
		if !e.Until.IsZero() {
			n.until = e.Until.Unix()
		}
		l.entries[h] = n
	}
}

// Len is the number of entries.
func (l *List) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.entries)
}

// Why tells whether an address must not be written to now, and the reason in words. A nil List forbids nobody.
func (l *List) Why(a address.Address, now time.Time) (reason string, forbidden bool) {
	if l == nil {
		return "", false
	}
	return l.why(a.Key(), a.Domain, now)
}

func (l *List) why(key, domain string, now time.Time) (string, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.entries) == 0 {
		return "", false
	}
	for _, whom := range [...]string{key, "@" + domain} {
		for _, own := range [...]bool{false, true} {
			e, ok := l.entries[l.hash(whom, own)]
			if ok && (e.until == 0 || now.Unix() < e.until) {
				return l.words(whom, e), true
			}
		}
	}
	return "", false
}

func (l *List) words(whom string, e entry) string {
	s := "suppressed"
	if strings.HasPrefix(whom, "@") {
		s += " with all of " + whom
	}
	if r := l.reasons[e.reason]; r != "" {
		s += ": " + r
	}
	return s
}

// reason numbers a text. There are few in any list; past what can be told apart they are not repeated.
func (l *List) reason(text string) uint16 {
	if n, ok := l.numbers[text]; ok {
		return n
	}
	if len(l.reasons) == 1<<16 {
		return 0
	}
	n := uint16(len(l.reasons))
	l.reasons, l.numbers[text] = append(l.reasons, text), n
	return n
}

func (l *List) hash(whom string, own bool) hash {
	h := hash{maphash.String(l.seeds[0], whom), maphash.String(l.seeds[1], whom)}
	if own {
		h[1] = ^h[1]
	}
	return h
}
