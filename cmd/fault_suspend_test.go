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
	s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0",
		Scripts: []string{"rcpt#7: 451 4.3.0 not now\ndot#10: hold; ok\ndot#40: hold; ok\ndot#70: hold; ok"}})
	const connections = 4
	dir, people := campaignOf(t, s, 400, connections, "")
	r := p.start(t, dir, "send", "-y")
	const stops = 3
	for range stops {
		// all connections wait for a reply, which comes while the process sleeps
		if err := r.when(t, func() bool { return s.Held() == connections }); err != nil {
			t.Fatal(err)
		}
		must(r.Process.Signal(syscall.SIGSTOP))
		s.Release()
		time.Sleep(150 * time.Millisecond)
		must(r.Process.Signal(syscall.SIGCONT))
	}
	if code := r.code(t, 20*time.Second); code != exitOK {
		t.Errorf("exit code %d\n%s", code, r.err.String())
	}
	v := p.judge(t, dir, s, people)
	v.hold(t, nil)
	t.Attr("fault", "R18 suspended and woken")
	t.Attr("expected", "goes on; nobody lost, nobody twice, nobody in doubt")
	t.Attr("seen", fmt.Sprintf("stopped %d times; %d of %d sent once each, %d unknown", stops, v.states["sent"], len(people), v.states["unknown"]))
}
