package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// toPeer is a campaign through a relay in this process.
func toPeer(t *testing.T, p *smtptest.Peer, more, rows string) *sending {
	return newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", p.Port()) + more,
		"list.csv":      rows,
	})
}

// delivered is who got mail, as often as they got it.
func delivered(p *smtptest.Peer) (who []string) {
	for _, m := range p.Messages() {
		who = append(who, m.To...)
	}
	slices.Sort(who)
	return who
}

// --retry failed with --to starts those anew that are named, and leaves the others as they ended.
func TestRetryOnlyThoseNamed(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, arg string) string {
		if verb == "RCPT" && !mended.Load() && !strings.Contains(arg, "cyd@") {
			return "550 5.1.1 no such user"
		}
		return ""
	}})
	s := toPeer(t, peer, "", list("ana@x.test", "bob@x.test", "cyd@x.test"))
	s.run("send").exits(exitOK)
	s.counts(1, 2, 0, 0)
	mended.Store(true)
	s.run("send").exits(exitOK)
	s.run("send", "--retry", "failed", "--to", "bob@x.test").exits(exitOK)
	s.counts(2, 1, 0, 0)
	if o := s.outcomes()["ana@x.test"]; o.Status != delivery.Failed || o.Code != 550 {
		t.Errorf("not asked for, and yet %+v", o)
	}
	s.run("send", "--retry", "failed").exits(exitOK)
	s.counts(3, 0, 0, 0)
	if got := delivered(peer); !slices.Equal(got, []string{"ana@x.test", "bob@x.test", "cyd@x.test"}) {
		t.Errorf("delivered %v", got)
	}
}

// What is unknown is resent after a pause where the campaign says so, by a later process as well.
func TestResendOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"", "dot: accept; drop", ""}})
	s := toPeer(t, peer, "on_unknown: resend\nretry: {wait: 1s}\n", list("ana@x.test"))
	s.run("send").exits(exitPaused)
	s.counts(0, 0, 1, 0)
	for range 2 {
		s.run("send").exits(exitPaused)
		s.counts(0, 0, 0, 1)
		o := s.outcomes()["ana@x.test"]
		if wait := time.Until(o.Next); wait < 10*time.Minute || wait > delivery.ResendAfter || o.First.IsZero() {
			t.Errorf("%+v is tried in %s", o, wait)
		}
	}
	if got := delivered(peer); len(got) != 1 {
		t.Errorf("delivered %v", got)
	}
}

// What was to be resent is unknown again once the campaign says hold, to status and to every later process, and is resent by nobody
// until it says otherwise.
func TestFaultHeldAfterAll(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"", "dot: accept; drop", ""}})
	s := toPeer(t, peer, "on_unknown: resend\nretry: {wait: 1s}\n", list("ana@x.test", "bob@x.test"))
	s.run("send", "--limit", "1").exits(exitPaused)
	s.run("send", "--limit", "1").exits(exitPaused)
	s.counts(0, 0, 0, 2)
	text, err := os.ReadFile(filepath.Join(s.dir, "campaign.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	says := func(what string) {
		s.write("campaign.yaml", strings.Replace(string(text), "on_unknown: resend", what, 1))
	}
	says("on_unknown: hold")
	for range 2 {
		s.run("send").exits(exitPartial)
		s.counts(1, 0, 1, 0)
	}
	if o := s.outcomes()["ana@x.test"]; !o.Next.IsZero() || o.First.IsZero() || o.Code != 0 || o.Stage != delivery.StageDot {
		t.Errorf("%+v", o)
	}
	says("on_unknown: resend")
	s.run("send").exits(exitPaused)
	s.counts(1, 0, 0, 1)
	if got := delivered(peer); !slices.Equal(got, []string{"ana@x.test", "bob@x.test"}) {
		t.Errorf("delivered %v", got)
	}
	t.Attr("fault", "S44 taken, no 250, with on_unknown: resend, which is changed to hold before the 15 minutes are over")
	t.Attr("expected", "unknown again, and resent by nobody")
	t.Attr("seen", "1 unknown to send and status, by the process that was told and by the next; the peer has one copy")
}

// A deferred message keeps its tries when the run pauses and another process goes on.
func TestDeferredOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	refuse.Store(true)
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, _ string) string {
		if verb == "RCPT" && refuse.Load() {
			return "451 4.3.0 later"
		}
		return ""
	}})
	s := toPeer(t, peer, "retry: {first: 2s, wait: 1s, jitter: false}\n", list("ana@x.test", "bob@x.test"))
	s.run("send", "--limit", "1").exits(exitPaused)
	s.run("send").exits(exitPaused)
	s.counts(0, 0, 0, 2)
	refuse.Store(false)
	for n := 0; n < 500 && s.run("send").code == exitPaused; n++ { // until both are due
	}
	s.counts(2, 0, 0, 0)
	if o := s.outcomes()["ana@x.test"]; o.Attempt < 2 || o.Try < 2 {
		t.Errorf("the tries began anew: %+v", o)
	}
	if got := delivered(peer); !slices.Equal(got, []string{"ana@x.test", "bob@x.test"}) {
		t.Errorf("delivered %v", got)
	}
}

// Two campaigns that share a state directory are sent at the same time, and a third process of one of them is refused:
// everybody gets one letter of each.
func TestSharedState(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Latency: time.Millisecond})
	var rows []string
	for i := range 150 {
		rows = append(rows, fmt.Sprintf("p%d@d%d.test", i, i%7))
	}
	state := fmt.Sprintf("state: %s\n", t.TempDir())
	spring := toPeer(t, peer, state, list(rows...))
	autumn := toPeer(t, peer, state, list(rows...))
	text, err := os.ReadFile(filepath.Join(spring.dir, "campaign.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	autumn.write("campaign.yaml", strings.Replace(string(text), "name: lab", "name: autumn", 1))
	var g sync.WaitGroup
	for _, s := range []*sending{spring, autumn, spring, autumn} {
		g.Go(func() {
			if e := s.run("send"); e.code != exitOK && !(e.code == exitPaused && strings.Contains(e.err, "is being sent by process")) {
				t.Errorf("exit code %d\n%s", e.code, e.err)
			}
		})
	}
	g.Wait()
	spring.run("send").exits(exitOK)
	autumn.run("send").exits(exitOK)
	times := map[string]int{}
	for _, m := range peer.Messages() {
		for _, to := range m.To {
			times[to]++
		}
	}
	for _, to := range rows {
		if times[to] != 2 {
			t.Errorf("%s got %d letters", to, times[to])
		}
	}
}

// A journal that cannot be written stops the run before another dot leaves: nobody gets a second letter afterwards, and
// whoever is in doubt is listed.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	var rows []string
	for i := range 2000 {
		rows = append(rows, fmt.Sprintf("p%d@d%d.test", i, i%7))
	}
	s := toPeer(t, peer, "connections: 8\n", list(rows...))
	s.wrap = []string{"sh", "-c", `ulimit -f 500; exec "$@"`, "sh"} // no file past some 250 kB
	s.run("send").exits(exitIO).says("journal")
	first := len(peer.Messages())
	s.wrap = nil
	code := s.run("send").code
	r := s.report()
	if first == 0 || first == len(rows) || r.Unknown > 8 || r.Pending != 0 || r.Sent+r.Unknown != len(rows) || (code == exitPartial) != (r.Unknown > 0) {
		t.Errorf("%d at first; code %d, %+v", first, code, r)
	}
	got := delivered(peer)
	if once := slices.Compact(slices.Clone(got)); len(once) != len(got) || len(got) < r.Sent || len(got) > r.Sent+r.Unknown {
		t.Errorf("%d letters, %d people; %d sent, %d unknown", len(got), len(once), r.Sent, r.Unknown)
	}
}
