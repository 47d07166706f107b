package campaign

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/source"
	"github.com/mailblast/mailblast/delivery/address"
)

func rates(r *Rates) mapping {
	total := rate(&r.Total)
	return mapping{
		fields: []field{
			{"total", total, "", "All domains together."},
			{"per_domain", table{
				item: func(l *loader, path string, e source.Entry) {
					name := e.Key
					if name != "*" {
						var err error
						if name, err = address.ParseDomain(e.Key); err != nil {
							l.fault(e.At, len([]rune(e.Key)), fmt.Sprintf("%s: it is no domain: %v", path, err), `"*" is every other domain`)
						}
					}
					var one Rate
					rate(&one).take(l, path, e.Value)
					if r.PerDomain == nil {
						r.PerDomain = map[string]Rate{}
					}
					if _, twice := r.PerDomain[name]; twice {
						l.fault(e.At, len([]rune(e.Key)), path+": the domain "+name+" has a rate already", "")
					}
					r.PerDomain[name] = one
				},
				print: func() string { return keysOf(r.PerDomain) },
				json:  total.json,
			}, "", `By domain; "*" is every domain that is not named.`},
		},
		json:  total.json,
		short: func(l *loader, path string, n *source.Node) { total.take(l, path, n) },
	}
}

func queues(p *[]Queue) table {
	return table{
		item: func(l *loader, path string, e source.Entry) {
			q := Queue{Name: e.Key}
			if m := idFault(e.Key); m != nil {
				l.fault(e.At, len([]rune(e.Key)), "queues: the name "+m.text, m.hint)
			} else if e.Key == "general" {
				l.fault(e.At, len(e.Key), "queues: general is the name of the general queue", "its keys go under general: at the left margin")
			}
			mapping{fields: queueKeys(&q), need: []string{"domains"}}.take(l, path, e.Value)
			*p = append(*p, q)
		},
		print: func() string {
			all := make([]string, len(*p))
			for i, q := range *p {
				all[i] = q.Name + ": " + strings.Join(q.Domains, " ")
			}
			return "{" + strings.Join(all, ", ") + "}"
		},
		json: mapping{fields: queueKeys(&Queue{}), need: []string{"domains"}}.schema(),
	}
}

// at gives the place of a key's value, for faults that concern several keys.
func (l *loader) at(path string, width int, text, hint string) {
	p, ok := l.c.places[path]
	if !ok {
		origin := l.c.origins[path]
		if origin == "" {
			l.fault(source.Pos{File: l.c.Path, Line: 1, Column: 1}, 1, text, hint)
			return
		}
		l.fault(source.Pos{File: origin}, 0, text, hint)
		return
	}
	l.fault(source.Pos{File: p.file, Line: p.line, Column: p.col}, width, text, hint)
}

// check looks at what several keys say together.
func (l *loader) check(root *source.Node) {
	c := l.c
	l.checkRequired(root)
	l.checkRecipients(root)
	l.checkQueues()
	l.checkRetry()
	l.checkDirect()
	l.checkSecrets(root)
	l.checkRelay("smtp", &c.SMTP, root.Get("smtp"))
	if c.Fallback != nil {
		l.checkRelay("fallback", c.Fallback, root.Get("fallback"))
		if c.Fallback.Capture {
			l.at("fallback", 7, "fallback: it must be a server", "")
		}
	}
	if c.Expect.Max > 0 && c.Expect.Min > c.Expect.Max {
		l.at("expect.min", 1, fmt.Sprintf("expect: min %d is more than max %d", c.Expect.Min, c.Expect.Max), "")
	}
	if n := root.Get("unsubscribe"); n != nil && n.Kind == source.Map && c.Unsubscribe.Required && !present(n, "url") && !present(n, "mailto") {
		l.at("unsubscribe", 1, "unsubscribe: url or mailto is missing", "false for notices that need none")
	}
	if !present(root, "unsubscribe") {
		c.Unsubscribe.Required = false
	}
	l.places()
}

func present(root *source.Node, key string) bool {
	n := root.Get(key)
	return n != nil && n.Kind != source.Null
}

// checkRequired tells of each key that is missing.
func (l *loader) checkRequired(root *source.Node) {
	if !l.readable() {
		return // a file that is no YAML has one fault, not six
	}
	start := source.Pos{File: l.c.Path, Line: 1, Column: 1}
	for _, need := range []struct{ key, example string }{
		{"name", "name: spring-offer"}, {"from", "from: Ana <ana@acme.example>"},
		{"template", "template: letter.md"}, {"recipients", "recipients: customers.csv"},
	} {
		if !present(root, need.key) {
			l.faults = append(l.faults, Fault{Pos: start, Text: need.key + " is missing", Hint: "add: " + need.example})
		}
	}
	if l.c.Delivery == "relay" && !present(root, "smtp") {
		l.faults = append(l.faults, Fault{Pos: start, Text: "smtp is missing: delivery is relay", Hint: "add: smtp: ${SMTP_URL}, or smtp: capture to try it out"})
	}
}

// readable tells whether the campaign's file could be parsed at all.
func (l *loader) readable() bool {
	f := l.files[l.c.Path]
	return len(f.Root.Entries) > 0 || len(f.Faults) == 0
}

func (l *loader) checkQueues() {
	c := l.c
	if c.General.Connections == 0 {
		c.General.Connections = c.Connections
	}
	if need := len(c.Queues) + 1; c.Connections > 0 && need > c.Connections {
		l.at("connections", 1, fmt.Sprintf("connections: %d is too few: each of %d queues, the general one among them, keeps 1", c.Connections, need),
			fmt.Sprintf("allow %d at least", need))
	}
	taken := map[string]string{}
	for i := range c.Queues {
		q := &c.Queues[i]
		path := "queues." + q.Name
		if q.Connections == 0 {
			q.Connections = c.Connections
		} else if q.Connections > c.Connections && c.Connections > 0 {
			l.warnAt(path+".connections", fmt.Sprintf("%s.connections: %d will never be reached: connections is %d", path, q.Connections, c.Connections))
		}
		if p, ok := l.c.places[path+".domains"]; ok && len(q.Domains) == 0 && !slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Line == p.line && f.File == p.file }) {
			l.at(path+".domains", 1, path+".domains: a queue needs a domain", "")
		}
		for j, d := range q.Domains {
			if other, twice := taken[d]; twice {
				l.at(fmt.Sprintf("%s.domains[%d]", path, j), len(d), fmt.Sprintf("%s: the domain %s is in queue %s already", path, d, other), "")
				continue
			}
			taken[d] = q.Name
		}
	}
}

func (l *loader) warnAt(path, text string) {
	if p, ok := l.c.places[path]; ok {
		l.warn(source.Pos{File: p.file, Line: p.line, Column: p.col}, 1, text, "")
		return
	}
	l.warnings = append(l.warnings, Fault{Pos: source.Pos{File: l.c.Path}, Text: text})
}

func (l *loader) checkRetry() {
	r := l.c.Retry
	if r.First > r.Max {
		l.at("retry.first", 2, fmt.Sprintf("retry: first %s is more than max %s", showDuration(r.First), showDuration(r.Max)), "")
	}
	if r.Max > r.For && r.For > 0 && l.c.places["retry.max"].line > 0 {
		l.at("retry.max", 2, fmt.Sprintf("retry: max %s is more than for %s", showDuration(r.Max), showDuration(r.For)), "")
	}
}

// checkDirect warns of what is meant for laboratories.
func (l *loader) checkDirect() {
	d := l.c.Direct
	warn := func(key string, odd bool) {
		if odd {
			l.warnAt("direct."+key, "direct."+key+" is not the default: not for mail to the world")
		}
	}
	warn("port", d.Port != 25)
	warn("resolver", d.Resolver != "system")
	warn("allow_networks", len(d.AllowNetworks) > 0)
	warn("bind", d.Bind != netip.Addr{})
	warn("hello", d.Hello != "")
	warn("tls", d.TLS != "opportunistic")
}

// places finds the layout and the state directory when they are not named.
func (l *loader) places() {
	c := l.c
	if c.State == "" {
		c.State = StateDir(c.Dir)
	}
	if c.Layout != "" {
		return
	}
	c.Layout = "none"
	for _, name := range []string{"base.html", "base.txt"} {
		if _, err := os.Stat(filepath.Join(c.Dir, "layouts", name)); err == nil {
			c.Layout = "base"
		}
	}
}
