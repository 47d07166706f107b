//go:build unix

package cmd

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// A process that is stopped for a while, as by a laptop's sleep, goes on where it was.
func TestFaultSuspend(t *testing.T) {
	t.Parallel()
	p := build(t)
	s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Latency: time.Millisecond, Scripts: []string{"rcpt#7: 451 4.3.0 not now"}})
	dir, people := campaignOf(t, s, 400, 4, "")
	r := p.start(t, dir, "send", "-y")
	stops := 0
	for ; stops < 3; stops++ {
		if err := r.when(t, func() bool { return s.Accepted() >= 100*stops+30 }); err != nil {
			break
		}
		must(r.Process.Signal(syscall.SIGSTOP))
		time.Sleep(150 * time.Millisecond)
		must(r.Process.Signal(syscall.SIGCONT))
	}
	if code := r.code(t, 20*time.Second); code != exitOK || stops == 0 {
		t.Errorf("exit code %d after %d stops\n%s", code, stops, r.err.String())
	}
	v := p.judge(t, dir, s, people)
	v.hold(t, nil)
	t.Attr("fault", "R18 suspended and woken")
	t.Attr("expected", "goes on; nobody lost, nobody twice, nobody in doubt")
	t.Attr("seen", fmt.Sprintf("stopped %d times; %d of %d sent once each, %d unknown", stops, v.states["sent"], len(people), v.states["unknown"]))
}
