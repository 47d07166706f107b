package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// Whatever becomes of the streams that a send writes to, it goes on, its exit code tells of the sending, and it complains once at most.
func TestFaultOutputGone(t *testing.T) {
	t.Parallel()
	const told = `; echo $? > code; }`
	for name, c := range map[string]struct {
		how       string
		more      string // arguments
		code      int
		complains int // lines on standard error
	}{
		"reader gone":           {`{ "$@"` + told + ` | true`, "-v --progress=none", exitPartial, 1},
		"reader of one line":    {`{ "$@"` + told + ` | head -n 1`, "--json -v", exitPartial, 1},
		"no reader of events":   {`{ "$@"` + told + ` | true`, "--json -v", exitPartial, 1},
		"no reader of anything": {`{ "$@" 2>&1` + told + ` | true`, "-v --progress=lines", exitPartial, 0},
		"stdout closed":         {`{ "$@" >&-` + told, "-v --json", exitPartial, 0},
		"stderr closed":         {`{ "$@" 2>&-` + told, "-v --progress=lines", exitPartial, 0},
		"all closed":            {`{ "$@" <&- >&- 2>&-` + told, "-v --progress=lines", exitPartial, 0},
		"stdout full":           {`{ "$@" > /dev/full` + told, "", exitPartial, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat("/dev/full"); name == "stdout full" && err != nil {
				lack(t, "no /dev/full")
			}
			p := build(t)
			s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Latency: time.Millisecond, Scripts: []string{"", "dot#3: drop", ""}})
			dir, people := campaignOf(t, s, 60, 2, "")
			r := p.under(t, dir, c.how, append([]string{"send", "-y"}, strings.Fields(c.more)...)...)
			r.code(t, time.Minute)
			code, err := os.ReadFile(filepath.Join(dir, "code"))
			if err != nil || string(code) != fmt.Sprintln(c.code) {
				t.Errorf("exit code %s, want %d; %v", code, c.code, err)
			}
			said := r.err.String()
			if n := strings.Count(said, "mailblast: "); n != c.complains {
				t.Errorf("complained %d times, want %d: %s", n, c.complains, said)
			}
			v := p.judge(t, dir, s, people)
			v.hold(t, nil)
			if v.states["sent"] != len(people)-1 || v.states["unknown"] != 1 {
				t.Errorf("%v", v.states)
			}
			t.Attr("fault", "R8 "+name)
			t.Attr("expected", "goes on sending, the exit code tells of the sending, at most one complaint")
			t.Attr("seen", fmt.Sprintf("%d of %d sent, 1 unknown as the peer had it, exit code %s, %d complaints", v.states["sent"], len(people),
				strings.TrimSpace(string(code)), c.complains))
		})
	}
}

// A reader of what is shown that has gone, as head does, has heard enough. A disk that has no room for it is a fault.
func TestOutputCut(t *testing.T) {
	t.Parallel()
	p := build(t)
	dir, _ := p.sound(t)
	for _, args := range []string{"--help", "completion bash", "version", "status", "report", "report --only sent", "journal export", "suppress export"} {
		r := p.under(t, dir, `{ sleep 0.05; "$@"; echo $? > code; } | true`, strings.Fields(args)...)
		r.code(t, time.Minute)
		if code, err := os.ReadFile(filepath.Join(dir, "code")); err != nil || string(code) != "0\n" || r.err.Len() > 0 {
			t.Errorf("%s, whose reader has gone: exit code %s, %s%v", args, code, r.err.String(), err)
		}
		if _, err := os.Stat("/dev/full"); err != nil || strings.HasPrefix(args, "suppress") {
			continue
		}
		r = p.under(t, dir, `exec "$@" > /dev/full`, strings.Fields(args)...)
		if code := r.code(t, time.Minute); code != exitIO || strings.Count(r.err.String(), "mailblast: ") != 1 || !strings.HasPrefix(r.err.String(), "mailblast: ") {
			t.Errorf("%s, on a full disk: exit code %d: %s", args, code, r.err.String())
		}
	}
}
