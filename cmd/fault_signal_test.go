package cmd

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// TERM, and the hang-up of a lost terminal: no row is begun any more, what is past its DATA ends, however long its reply takes within
// the 30 seconds, nobody is in doubt, and the operator is told how to go on.
func TestFaultTerminate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sig  syscall.Signal
		code int
	}{"R5 SIGTERM": {syscall.SIGTERM, exitTerminated}, "R7 SIGHUP": {syscall.SIGHUP, exitHangUp}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := build(t)
			first := slices.Repeat([]string{"dot#5: hold; ok"}, 1+campaignConnections)
			s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: append(first, "")})
			dir, people := campaignOf(t, s, 100, campaignConnections, "")
			r := p.start(t, dir, "send", "-y")
			// each of the connections waits for the reply to its fifth letter; the preflight has one of its own
			if err := r.when(t, func() bool { return s.Held() == campaignConnections }); err != nil {
				t.Fatal(err)
			}
			must(r.Process.Signal(c.sig))
			start := time.Now()
			time.Sleep(700 * time.Millisecond)
			s.Release()
			code := r.code(t, 20*time.Second)
			took, accepted := time.Since(start), s.Accepted()
			if said := r.err.String(); code != c.code || !strings.Contains(said, "run again to continue: mailblast send") {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, said)
			}
			if accepted != 5*campaignConnections {
				t.Errorf("%d accepted, want those on the wire and no more: %d", accepted, 5*campaignConnections)
			}
			if n := len(p.reported(t, dir, "unknown")); n != 0 {
				t.Errorf("%d unknown", n)
			}
			p.run(t, dir, []int{exitOK}, "send", "-y")
			v := p.judge(t, dir, s, people)
			v.hold(t, nil)
			t.Attr("fault", name+" while replies to final dots are out")
			t.Attr("expected", fmt.Sprintf("transactions past DATA end, 0 unknown, exit %d and a resume line; the same command ends the run", c.code))
			t.Attr("seen", fmt.Sprintf("exit %d after %d ms, %d on the wire ended, 0 unknown, then %d of %d once each", code, took.Milliseconds()/100*100,
				campaignConnections, v.accepted, len(people)))
		})
	}
}
