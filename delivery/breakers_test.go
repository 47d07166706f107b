package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/pace"
	"pgregory.net/rapid"
)

var (
	blockedRcpt = Outcome{Status: Failed, Stage: StageRcpt, Class: ClassBlock, Code: 550, Enhanced: "5.7.1", Text: "go away", Host: "mx.example [192.0.2.1]", Charged: true}
	forgedMail  = Outcome{Status: Failed, Stage: StageMail, Class: ClassBlock, Code: 550, Enhanced: "5.1.8", Text: "no such sender", Host: "smtp.example [192.0.2.1]", Charged: true}
)

// slowly answers each batch after a moment by what rule says of it; nil is Sent.
func slowly(rule func(domain string, via int) *Outcome) answer {
	return func(ctx context.Context, _ string, via int, b *Batch) []Outcome {
		wait(ctx, 50*time.Millisecond)
		var os []Outcome
		for _, m := range b.Messages {
			o := sent
			if r := rule(m.Domain, via); r != nil {
				o = *r
			}
			o.ID = m.ID
			os = append(os, o)
		}
		return os
	}
}

// wallLab sends n messages, domain by domain in turn, and gives what came of it.
type wallLab struct {
	*rig
	s     *fakeSender
	notes []Pause
	err   error
}

func newWallLab(t *testing.T, o Options, s *fakeSender) *wallLab {
	l := &wallLab{s: s}
	if s.site == nil { // a relay
		s.site = func(string, int) (string, bool) { return "relay", true }
	}
	o.Note = func(p Pause) { l.notes = append(l.notes, p) }
	o.General.Sender = s
	l.rig = newRig(t, o)
	return l
}

func (l *wallLab) send(n int, domains ...string) *wallLab {
	end := l.start(context.Background())
	for i := range n {
		if err := l.d.Submit(context.Background(), l.message(domains[i%len(domains)])); err != nil {
			break // the run has ended
		}
	}
	l.d.Close()
	l.err = end()
	return l
}

// wants demands that the run was paused with these scopes, named as "domain gmail.com 4000": how many wait for it.
func (l *wallLab) wants(scopes ...string) {
	l.t.Helper()
	var got []string
	if p := (*Paused)(nil); errors.As(l.err, &p) {
		for _, x := range p.Pauses {
			got = append(got, fmt.Sprintf("%s %s %d", x.Kind, x.Name, x.Waiting))
		}
	} else if l.err != nil {
		l.t.Fatal(l.err)
	}
	if !slices.Equal(got, scopes) {
		l.t.Errorf("ended with %v, paused are %q, want %q", l.err, got, scopes)
	}
}

// after gives rule once n messages were sent.
func after(n int, rule *Outcome, domains ...string) func(string, int) *Outcome {
	var sofar atomic.Int32
	return func(domain string, via int) *Outcome {
		if int(sofar.Add(1)) > n && via == 0 && (len(domains) == 0 || slices.Contains(domains, domain)) {
			return rule
		}
		return nil
	}
}

// A domain that turns against us is left alone, and all others get their mail.
func TestFaultsS61DomainPauses(t *testing.T) {
	t.Attr("fault", "S61 one of 4 domains refuses all after 1000")
	t.Attr("expected", "this domain is paused, with a report; all others get theirs")
	synctest.Test(t, func(t *testing.T) {
		l := newWallLab(t, Options{}, &fakeSender{answer: slowly(after(1000, &blockedRcpt, "gmail.com"))})
		l.send(10_000, "gmail.com", "a.example", "b.example", "c.example")
		n := l.j.finals()
		if n[Failed] != 61 || n[Sent] < 7500 {
			t.Errorf("%v", n)
		}
		l.wants(fmt.Sprintf("domain gmail.com %d", 10_000-n[Failed]-n[Sent]))
		p := l.notes[0]
		if s := p.String(); s != "gmail.com refuses all our mail: 550 5.7.1 go away, 61 of the last 61" {
			t.Error(s)
		}
		t.Attr("seen", fmt.Sprintf("%d failed, %d sent; says %q", n[Failed], n[Sent], l.notes[0].String()))
	})
}

// A relay that turns against everybody stops the run, however the list is sorted.
func TestFaultsS61RoutePauses(t *testing.T) {
	t.Attr("fault", "S61 a relay refuses all after 1000, whatever the domain")
	t.Attr("expected", "no more than 61 fail, and the run is paused")
	for _, domains := range []int{4, 1000} {
		synctest.Test(t, func(t *testing.T) {
			names := make([]string, domains)
			for i := range names {
				names[i] = fmt.Sprintf("d%d.example", i)
			}
			slices.Sort(names)
			l := newWallLab(t, Options{}, &fakeSender{answer: slowly(after(1000, &blockedRcpt))}).send(10_000, names...)
			n := l.j.finals()
			if n[Failed] != 61 || n[Sent] != 1000 {
				t.Errorf("%v", n)
			}
			l.wants("route mx.example 0")
			t.Attr("seen", fmt.Sprintf("%d failed of 10000, %d sent; %v", n[Failed], n[Sent], l.err))
		})
	}
}

// With one relay and one domain it is the domain that refuses us.
func TestSingleDomainPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWallLab(t, Options{}, &fakeSender{answer: slowly(after(0, &blockedRcpt))}).send(1000, "a.example")
		if n := l.j.finals(); n[Failed] != 61 {
			t.Errorf("%v", n)
		}
		l.wants("domain a.example 939")
	})
}

// Unknown users are a matter of the list, and letters that cannot be composed one of their rows.
func TestAddressesTripNothing(t *testing.T) {
	unfit := Outcome{Status: Failed, Stage: StageCompose, Class: ClassContent, Text: "no value"}
	unnamed := Outcome{Status: Failed, Stage: StageRcpt, Class: ClassContent, Enhanced: "5.6.7", Text: "needs SMTPUTF8"}
	full := Outcome{Status: Failed, Stage: StageRcpt, Class: ClassSoft, Code: 550, Enhanced: "5.2.1", Text: "mailbox disabled"}
	for _, o := range []Outcome{refused, unfit, unnamed, full} {
		synctest.Test(t, func(t *testing.T) {
			l := newWallLab(t, Options{}, &fakeSender{answer: slowly(after(0, &o))}).send(1000, "a.example", "b.example")
			if n := l.j.finals(); n[Failed] != 1000 || l.err != nil || len(l.notes) > 0 {
				t.Errorf("%v, %v, %+v", n, l.err, l.notes)
			}
		})
	}
}

// What a breaker counts: refusals of us, whatever the server calls them.
func TestRefusalsOfUs(t *testing.T) {
	greeting := Outcome{Status: Failed, Stage: StageConnect, Class: ClassBlock, Code: 554, Text: "no"}
	quota := Outcome{Status: Failed, Stage: StageDot, Class: ClassThrottle, Code: 550, Enhanced: "5.4.5", Text: "daily limit"}
	plain := Outcome{Status: Failed, Stage: StageDot, Class: ClassSoft, Code: 550, Text: "so what"}
	large := Outcome{Status: Failed, Stage: StageMail, Class: ClassContent, Enhanced: "5.3.4", Text: "the message has 9 octets, the server takes 8"}
	for _, o := range []Outcome{blockedRcpt, greeting, quota, plain, large} {
		synctest.Test(t, func(t *testing.T) {
			l := newWallLab(t, Options{}, &fakeSender{answer: slowly(after(0, &o))}).send(1000, "a.example", "b.example")
			if n := l.j.finals(); n[Failed] != 122 {
				t.Errorf("%+v: %v", o, n)
			}
			l.wants("domain a.example 439", "domain b.example 439")
		})
	}
}

// A sender that is refused again and again stops the route; with a fallback all else goes there.
func TestFaultsS29SenderStopsTheRoute(t *testing.T) {
	t.Attr("fault", "S29 MAIL 550 to everybody after 500")
	t.Attr("expected", "at 51 in a row the route is paused; a fallback takes all else")
	for _, fallback := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newWallLab(t, Options{Fallback: fallback}, &fakeSender{answer: slowly(after(500, &forgedMail))})
			l.send(5000, "a.example", "b.example", "c.example")
			n := l.j.finals()
			if n[Failed] != 51 || fallback && n[Sent] != 4949 || !fallback && n[Sent] != 500 {
				t.Errorf("fallback %v: %v", fallback, n)
			}
			if fallback {
				l.wants()
			} else {
				l.wants("route smtp.example 0")
			}
			if s := l.notes[0].String(); s != "smtp.example refuses our sender: 550 5.1.8 no such sender, 51 in a row" {
				t.Error(s)
			}
			t.Attr("seen", fmt.Sprintf("%d failed of 5000, with a fallback too; says %q", n[Failed], l.notes[0].String()))
		})
	}
}

// Fifty are let pass, and any sender that is taken begins the row anew.
func TestSenderRefusedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n int
		s := &fakeSender{answer: slowly(func(string, int) *Outcome {
			if n++; n%51 != 0 && n < 2000 && n/51%5 == 0 { // fifty in a row, and a pause of two hundred
				return &forgedMail
			}
			return nil
		})}
		l := newWallLab(t, Options{Connections: 1}, s).send(3000, "a.example", "b.example", "c.example", "d.example")
		if f := l.j.finals(); f[Failed] != 400 || l.err != nil {
			t.Errorf("%v: %v, %v", f, l.err, l.notes)
		}
	})
}

// A run that comes after begins with five; while the server has not changed its mind one of them fails, and when it has
// all get their mail.
func TestNextRunTriesAFew(t *testing.T) {
	for _, kind := range []string{"domain", "route"} {
		synctest.Test(t, func(t *testing.T) {
			was := Pause{Breaker: "policy", Kind: kind, Name: "a.example", Refused: 61, Of: 61}
			for _, c := range []struct {
				rule         *Outcome
				failed, sent int
			}{{&blockedRcpt, 1, 0}, {nil, 0, 300}} {
				s := &fakeSender{answer: slowly(func(string, int) *Outcome { return c.rule })}
				l := newWallLab(t, Options{Pauses: []Pause{was}}, s).send(300, "a.example")
				n := l.j.finals()
				if n[Failed] != c.failed || n[Sent] != c.sent {
					t.Errorf("%s: %v", kind, n)
				}
				if c.rule != nil && (s.domains["a.example"] > 5 || len(l.notes) == 0 || l.notes[0].Over) {
					t.Errorf("%s: %d tried, %+v", kind, s.domains["a.example"], l.notes)
				}
				if c.rule == nil && (l.err != nil || len(l.notes) != 1 || !l.notes[0].Over || s.most < 15) {
					t.Errorf("%s: %v, %+v, %d at once", kind, l.err, l.notes, s.most)
				}
			}
		})
	}
}

// A trial that was taken is enough when no more were needed.
func TestShortTrialEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was := Pause{Breaker: "login", Kind: "route", Name: "smtp.example"}
		l := newWallLab(t, Options{Pauses: []Pause{was}}, &fakeSender{}).send(2, "a.example")
		if l.err != nil || len(l.notes) != 1 || !l.notes[0].Over {
			t.Errorf("%v, %+v", l.err, l.notes)
		}
	})
}

// While the others take their time, a domain that was paused is tried after half an hour, and an hour after that.
func TestPauseEndsInTheSameRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		wall := func(domain string, _ int) *Outcome {
			if domain == "a.example" && time.Since(began) < 35*time.Minute {
				return &blockedRcpt
			}
			return nil
		}
		slow := map[string]pace.Rate{"slow.example": {N: 1, Per: time.Minute}}
		l := newWallLab(t, Options{DomainRates: slow}, &fakeSender{answer: slowly(wall)})
		var names []string
		for i := range 500 {
			names = append(names, "a.example")
			if i < 120 {
				names = append(names, "slow.example")
			}
		}
		l.send(len(names), names...)
		if n := l.j.finals(); l.err != nil || n[Failed] != 62 || n[Sent] != 558 {
			t.Errorf("%v: %v", l.err, n)
		}
		var told []string
		for _, p := range l.notes {
			told = append(told, fmt.Sprint(p.At.Sub(began).Round(time.Minute), p.Over))
		}
		if !slices.Equal(told, []string{"0s false", "30m0s false", "30m0s true"}) {
			t.Errorf("%q", told)
		}
	})
}

// In direct delivery the domains of one site speak for it together; what else there is goes on.
func TestFaultsS61SitePauses(t *testing.T) {
	t.Attr("fault", "S61 a site of 2000 domains refuses all")
	t.Attr("expected", "the site is paused as one; all others get theirs")
	synctest.Test(t, func(t *testing.T) {
		known := map[string]bool{}
		s := &fakeSender{site: func(domain string, _ int) (string, bool) {
			site := domain
			if strings.HasPrefix(domain, "w") {
				site = "workspace"
			}
			return site, known[domain]
		}}
		s.answer = slowly(func(domain string, _ int) *Outcome {
			s.mu.Lock()
			known[domain] = true
			s.mu.Unlock()
			if strings.HasPrefix(domain, "w") {
				return &blockedRcpt
			}
			return nil
		})
		locked := s.site
		s.site = func(domain string, via int) (string, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return locked(domain, via)
		}
		l := newWallLab(t, Options{Direct: true}, s)
		var names []string
		for i := range 2000 {
			names = append(names, fmt.Sprintf("w%d.example", i), fmt.Sprintf("a%d.example", i%50), fmt.Sprintf("b%d.example", i%70), fmt.Sprintf("c%d.example", i%90))
		}
		l.send(len(names), names...)
		n := l.j.finals()
		if n[Failed] != 61 || n[Sent] != 6000 {
			t.Errorf("%v", n)
		}
		t.Attr("seen", fmt.Sprintf("%d failed of 2000, %d others sent", n[Failed], n[Sent]))
		l.wants("site workspace 1939")
	})
}

// A site that is forgotten as soon as it was learnt, as happens where there are very many domains, does not have its domains
// tried again and again.
func TestForgottenSiteIsNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		known, tried := map[string]int{}, map[string]int{} // for so many more questions
		s := &fakeSender{site: func(domain string, _ int) (string, bool) {
			mu.Lock()
			defer mu.Unlock()
			known[domain]--
			return "workspace", known[domain] >= 0
		}}
		s.answer = slowly(func(domain string, _ int) *Outcome {
			if !strings.HasPrefix(domain, "w") {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			known[domain] = 1 + len(domain)%2
			tried[domain]++
			return &blockedRcpt
		})
		l := newWallLab(t, Options{Direct: true}, s)
		var names []string
		for i := range 300 {
			names = append(names, fmt.Sprintf("w%d.example", i), fmt.Sprintf("a%d.example", i), fmt.Sprintf("b%d.example", i), fmt.Sprintf("c%d.example", i))
		}
		l.send(4*len(names), names...)
		if n := l.j.finals(); n[Failed] > 61 || n[Sent] != 3600 {
			t.Errorf("%v", n)
		}
		for domain, n := range tried {
			if n > 5 {
				t.Errorf("%s was tried %d times", domain, n)
			}
		}
	})
}

// wall is a Sender of servers that flip: after some messages, some domains or all refuse, for one of several reasons. It
// takes several batches at a time and gives their outcomes in any order.
type wall struct {
	wild
	flip    int
	against func(domain string) bool
	reasons []Outcome
	tries   map[string]int // since the flip
}

func (s *wall) Serve(ctx context.Context, _ string, _ int, f Feed) error {
	var window []*Batch
	for {
		b := f.Next(ctx, 1+s.roll(5), len(window) == 0)
		if b != nil {
			window = append(window, b)
		}
		if b == nil && len(window) == 0 {
			return nil
		}
		if b != nil && len(window) <= s.roll(4) {
			continue
		}
		wait(ctx, time.Duration(s.roll(3000))*time.Millisecond)
		for len(window) > 0 {
			i := s.roll(len(window))
			f.Done(s.said(window[i])...)
			window = slices.Delete(window, i, i+1)
		}
	}
}

func (s *wall) said(b *Batch) (os []Outcome) {
	for _, m := range b.Messages {
		o := []Outcome{sent, sent, sent, refused}[s.roll(4)]
		s.mu.Lock()
		if s.flip--; s.flip < 0 && s.against(m.Domain) {
			s.tries[m.Domain]++
			o = s.reasons[s.random.IntN(len(s.reasons))]
		}
		s.mu.Unlock()
		o.ID = m.ID
		os = append(os, o)
	}
	return os
}

// Whoever flips, whenever, for whatever reasons and however many threads there are: the failures stay within the bound,
// everybody else gets mail, nobody is lost, and a rerun costs one failure at most for each that was paused.
func TestBreakersKeepTheBound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		domains := rapid.SampledFrom([]int{1, 2, 5, 40}).Draw(rt, "domains")
		few := rapid.IntRange(1, 2).Draw(rt, "against")
		everybody := rapid.Bool().Draw(rt, "everybody") || few >= domains
		reasons := rapid.SliceOfNDistinct(rapid.SampledFrom([]int{550, 553, 554, 521, 571}), 1, 5, rapid.ID).Draw(rt, "reasons")
		s := &wall{flip: rapid.IntRange(0, 400).Draw(rt, "flip"), tries: map[string]int{}}
		s.random = rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		for _, code := range reasons {
			o := blockedRcpt
			o.Code = code
			s.reasons = append(s.reasons, o)
		}
		s.against = func(domain string) bool { return everybody || domain < fmt.Sprintf("d%02d", few) }
		threads := rapid.SampledFrom([]int{1, 5, 40}).Draw(rt, "threads")
		sorted := rapid.Bool().Draw(rt, "sorted")
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{Connections: threads, General: QueueOptions{Sender: s}, Random: rand.New(rand.NewPCG(1, 2))})
			end := r.start(context.Background())
			taken := 0
			for i := range 1500 {
				d := i % domains
				if sorted {
					d = i * domains / 1500
				}
				if r.d.Submit(context.Background(), r.message(fmt.Sprintf("d%02d.example", d))) != nil {
					break
				}
				taken++
			}
			r.d.Close()
			err := end()
			most := 200 * few
			if everybody {
				few, most = domains, min(200*domains, 203)
			}
			if n := checkEnds(rt, r, err, taken); n > most {
				rt.Errorf("%d failures, at most %d were to be", n, most)
			}
			checkGuilty(rt, err, few)
		})
	})
}

// checkEnds accounts for every message, and gives how many failed because we were refused.
func checkEnds(rt *rapid.T, r *rig, err error, messages int) (blocked int) {
	p := (*Paused)(nil)
	if err != nil && !errors.As(err, &p) {
		rt.Fatal(err)
	}
	ended := 0
	for _, os := range r.j.outcomes {
		ended += finals(rt, os, false)
		if o := os[len(os)-1]; o.Status == Failed && o.Class == ClassBlock {
			blocked++
		}
	}
	if ended+r.d.outstanding != messages || p != nil && p.Waiting != r.d.outstanding || p == nil && r.d.outstanding > 0 {
		rt.Errorf("%d ended and %d wait of %d: %v", ended, r.d.outstanding, messages, err)
	}
	return blocked
}

// checkGuilty checks that only those of the first few domains are paused; the route too, when several refuse us or nobody
// else was written to.
func checkGuilty(rt *rapid.T, err error, few int) {
	p := (*Paused)(nil)
	if !errors.As(err, &p) {
		return
	}
	for _, x := range p.Pauses {
		domain := x.Kind == "domain" && x.Name < fmt.Sprintf("d%02d", few)
		if route := x.Kind == "route" && (x.Breaker == "mixed" || few > 2); !domain && !route {
			rt.Errorf("paused: %+v", x)
		}
	}
}
