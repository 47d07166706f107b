package cmd

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	listens  = regexp.MustCompile(`^\d+ +listen\((\d+),`)
	locals   = regexp.MustCompile(`^\d+ +getsockname\((\d+), \{sa_family=AF_INET6?, sin6?_port=htons\((\d+)\)`)
	reaches  = regexp.MustCompile(`^\d+ +(connect|sendto|sendmsg|sendmmsg)\(`)
	families = regexp.MustCompile(`sa_family=AF_(\w+)`)
	loopback = regexp.MustCompile(`sin_port=htons\((\d+)\), sin_addr=inet_addr\("127\.0\.0\.1"\)`)
)

// strangers gives, of a trace, what was reached but own listeners and the ports on loopback that are allowed, and how often each of
// these was.
func strangers(trace string, allowed ...string) (all []string, reached map[string]int) {
	own, listening := map[string]bool{}, map[string]bool{}
	for _, port := range allowed {
		own[port] = true
	}
	for line := range strings.Lines(trace) {
		if m := listens.FindStringSubmatch(line); m != nil {
			listening[m[1]] = true
		} else if m := locals.FindStringSubmatch(line); m != nil && listening[m[1]] {
			own[m[2]] = true
		}
	}
	reached = map[string]int{}
	for line := range strings.Lines(trace) {
		family := families.FindStringSubmatch(line)
		switch {
		case !reaches.MatchString(line), family == nil: // what goes over a connection says no address
		case family[1] == "NETLINK", family[1] == "UNSPEC": // the kernel itself
		default:
			if m := loopback.FindStringSubmatch(line); m != nil && own[m[1]] {
				reached[m[1]]++
			} else {
				all = append(all, line)
			}
		}
	}
	return all, reached
}

// A rehearsal of a list from a database reaches nothing but its capture server and that database: no mail server, no name server, no
// web server, whatever names and logins its way out has. The witness is the system: strace. TestRehearsalStaysHere has the word of the
// servers themselves.
func TestFaultRehearsalStaysHere(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p, b := build(t), newPeopled(t, 20)
	u, err := url.Parse(b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for name, way := range map[string]string{
		"relay":  "smtp: {host: smtp.shop.example, tls: starttls, user: shop, password: correct-horse}\n",
		"direct": "delivery: direct\ndirect: {hello: mail.shop.example}\n",
	} {
		dir := b.machine(t, b.dsn, everybody)
		file := filepath.Join(dir, "campaign.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(string(text), "smtp:")
		if err := os.WriteFile(file, []byte(before+way), 0o600); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "trace")
		r := &child{Cmd: exec.Command("strace", "-f", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=network", "-o", out, string(p), "send", "--dry-run"), done: make(chan struct{})}
		r.Stdout = &r.out
		r.startIn(t, dir)
		if code := r.code(t, time.Minute); code != exitOK || !strings.Contains(r.out.String(), "20") {
			t.Fatalf("%s: exit code %d\n%s%s", name, code, r.out.String(), r.err.String())
		}
		trace, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		all, reached := strangers(string(trace), u.Port())
		if len(all) > 0 || reached[u.Port()] == 0 || len(reached) < 2 {
			t.Errorf("%s: reached %v, and\n%s", name, reached, strings.Join(all, ""))
		}
		if all, _ := strangers(string(trace)); len(all) != reached[u.Port()] {
			t.Errorf("%s: the database is not seen in the trace: %q", name, all)
		}
		seen = append(seen, fmt.Sprintf("%s: %d addresses, the database %d times", name, len(reached), reached[u.Port()]))
	}
	t.Attr("fault", "P13 a rehearsal, with a relay or mail exchangers that have names")
	t.Attr("expected", "no connection and no packet but to the capture server and the database")
	t.Attr("seen", strings.Join(seen, "; "))
}
