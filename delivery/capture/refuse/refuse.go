// Package refuse decides which mail a capture server refuses, and with which reply:
//
//  1. Parse reads the rules that somebody wrote;
//  2. a Chooser is asked at each recipient and at the end of each message;
//  3. the first rule that hits gives the reply: always, by chance, or the first time of each address.
package refuse

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/idna"
)

// Rule says what is refused, how often, and with which reply. Parse makes it.
type Rule struct {
	stage  Stage
	target string  // "" all, a domain, or an address; lower case
	chance float64 // in (0, 1]
	once   bool    // only the first time of each address
	reply  smtp.SMTPError
}

// Stage is when a rule is asked.
type Stage uint8

// The stages of a transaction.
const (
	AtRcpt Stage = iota // the reply to RCPT
	AtData              // the reply to the message's final dot
)

// Parse reads rules, separated by commas: [rcpt|data] [DOMAIN|ADDRESS] [N%|once]=CODE [X.Y.Z] [TEXT]. The stage is
// rcpt unless given; "once" refuses each address the first time only. The first rule that hits wins.
func Parse(spec string) ([]Rule, error) {
	if strings.TrimSpace(spec) == "" {
		return nil, nil
	}
	var rules []Rule
	for i, item := range strings.Split(spec, ",") {
		item = strings.TrimSpace(item)
		r, err := parseRule(item)
		if err != nil {
			return nil, fmt.Errorf("fail rule %d %q: %w", i+1, item, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(item string) (Rule, error) {
	what, reply, found := strings.Cut(item, "=")
	if !found {
		return Rule{}, errors.New(`no "=" and reply: write as "gmail.com 10%=421" (a reply's text cannot have a comma)`)
	}
	r := Rule{chance: 1}
	words := strings.Fields(what)
	if len(words) > 0 && (words[0] == "rcpt" || words[0] == "data") {
		if words[0] == "data" {
			r.stage = AtData
		}
		words = words[1:]
	}
	amount := false
	for i, w := range words {
		var err error
		switch {
		case amount:
			err = fmt.Errorf("%q after the percentage or once", w)
		case w == "once":
			r.once, amount = true, true
		case strings.HasSuffix(w, "%"):
			r.chance, err = parsePercent(w)
			amount = true
		case i > 0:
			err = fmt.Errorf("%q: a rule has one domain or address, then N%% or once", w)
		default:
			r.target, err = parseTarget(w)
		}
		if err != nil {
			return Rule{}, err
		}
	}
	var err error
	r.reply, err = parseReply(reply)
	return r, err
}

func parsePercent(w string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(w, "%"), 64)
	if err != nil || !(n > 0 && n <= 100) {
		return 0, fmt.Errorf("%q: a percentage is above 0 and at most 100", w)
	}
	return n / 100, nil
}

func parseTarget(w string) (string, error) {
	at := strings.LastIndexByte(w, '@')
	domain, err := idna.Lookup.ToASCII(w[at+1:])
	if err == nil && !utf8.ValidString(w) {
		err = errors.New("not UTF-8")
	}
	if err != nil || domain == "" || at == 0 {
		return "", fmt.Errorf("%q is no stage (rcpt, data), domain or address", w)
	}
	return strings.ToLower(w[:at+1] + domain), nil
}

// parseReply reads CODE [X.Y.Z] [TEXT] (RFC 5321 §4.2, RFC 2034).
func parseReply(s string) (smtp.SMTPError, error) {
	code, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || n < 400 || n > 599 {
		return smtp.SMTPError{}, fmt.Errorf("reply code %q: give 400 to 599", code)
	}
	e := smtp.SMTPError{Code: n, EnhancedCode: smtp.EnhancedCode{n / 100, 0, 0}}
	first, text, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if ec, ok := parseEnhanced(first); ok {
		if ec[0] != n/100 {
			return smtp.SMTPError{}, fmt.Errorf("enhanced code %s does not go with %d", first, n)
		}
		e.EnhancedCode, rest = ec, text
	}
	e.Message = strings.TrimSpace(rest)
	if e.Message == "" {
		e.Message = "refused by a rule of this capture server"
	}
	for _, c := range []byte(e.Message) {
		if c < ' ' || c > '~' {
			return smtp.SMTPError{}, errors.New("a reply's text is printable ASCII")
		}
	}
	return e, nil
}

func parseEnhanced(s string) (smtp.EnhancedCode, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return smtp.EnhancedCode{}, false
	}
	var ec smtp.EnhancedCode
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n > 999 {
			return smtp.EnhancedCode{}, false
		}
		ec[i] = int(n)
	}
	return ec, true
}

// String is the rule as Parse reads it.
func (r Rule) String() string {
	words := []string{"rcpt"}
	if r.stage == AtData {
		words[0] = "data"
	}
	if r.target != "" {
		words = append(words, r.target)
	}
	if r.once {
		words = append(words, "once")
	} else if r.chance < 1 {
		words = append(words, strconv.FormatFloat(r.chance*100, 'g', -1, 64)+"%")
	}
	ec := r.reply.EnhancedCode
	return fmt.Sprintf("%s=%d %d.%d.%d %s", strings.Join(words, " "), r.reply.Code, ec[0], ec[1], ec[2], r.reply.Message)
}

func (r *Rule) matches(addr string) bool {
	return r.target == "" || addr == r.target ||
		strings.HasSuffix(addr, r.target) && addr[len(addr)-len(r.target)-1] == '@' && !strings.Contains(r.target, "@")
}

// Chooser applies rules. It remembers, for once, eight bytes an address.
type Chooser struct {
	mu    sync.Mutex
	rules []Rule
	rnd   *rand.Rand
	seed  maphash.Seed
	seen  []map[uint64]struct{} // by rule
}

// New applies rules; a nil rnd is seeded by chance.
func New(rules []Rule, rnd *rand.Rand) *Chooser {
	if rnd == nil {
		rnd = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	c := &Chooser{rules: rules, rnd: rnd, seed: maphash.MakeSeed(), seen: make([]map[uint64]struct{}, len(rules))}
	for i := range c.seen {
		c.seen[i] = make(map[uint64]struct{})
	}
	return c
}

// Pick gives the reply to refuse these recipients with, or nil.
func (c *Chooser) Pick(at Stage, to ...string) *smtp.SMTPError {
	if len(c.rules) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.rules {
		r := &c.rules[i]
		if r.stage == at && c.hits(i, to) {
			reply := r.reply
			return &reply
		}
	}
	return nil
}

func (c *Chooser) hits(i int, to []string) bool {
	r, match, fresh := &c.rules[i], false, false
	for _, a := range to {
		a = strings.ToLower(a)
		if !r.matches(a) {
			continue
		}
		match = true
		if r.once {
			h := maphash.String(c.seed, a)
			if _, known := c.seen[i][h]; !known {
				c.seen[i][h] = struct{}{}
				fresh = true
			}
		}
	}
	if r.once {
		return fresh
	}
	return match && (r.chance >= 1 || c.rnd.Float64() < r.chance)
}
