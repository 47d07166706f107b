package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/report"
)

// sending is a campaign in a folder of its own, and the real command as a process.
type sending struct {
	t   *testing.T
	dir string
	env []string // beside PATH and HOME

	wrap []string // a command that runs the real one
}

// quickExit is for the environment of processes: with -race each sleeps at its end, for a second if nobody says otherwise.
const quickExit = "GORACE=atexit_sleep_ms=10"

// newSending writes the campaign's files. One without a template gets a short letter.
func newSending(t *testing.T, files map[string]string) *sending {
	t.Helper()
	s := &sending{t: t, dir: t.TempDir()}
	if _, ok := files["letter.txt"]; !ok {
		s.write("letter.txt", "Hello {{ .email }}, spring is here.\n")
	}
	for name, text := range files {
		s.write(name, text)
	}
	return s
}

func (s *sending) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// campaignHead is what the campaigns of these tests have in common.
const campaignHead = `name: lab
from: Ana <ana@acme.test>
subject: Spring
template: letter.txt
recipients: list.csv
unsubscribe: false
`

// list is a recipient file of these addresses.
func list(addresses ...string) string { return "email\n" + strings.Join(addresses, "\n") + "\n" }

// ended is what a command said and how it ended.
type ended struct {
	t        *testing.T
	code     int
	out, err string
}

// run runs the command in the campaign's folder.
func (s *sending) run(args ...string) ended {
	s.t.Helper()
	args = append(append(slices.Clone(s.wrap), "mailblast"), args...)
	c := exec.CommandContext(s.t.Context(), args[0], args[1:]...)
	c.Dir = s.dir
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC", quickExit}, s.env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	e := ended{t: s.t}
	var exit *exec.ExitError
	if err := c.Run(); errors.As(err, &exit) {
		e.code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatalf("mailblast %s: %v", strings.Join(args, " "), err)
	}
	e.out, e.err = out.String(), errs.String()
	return e
}

// exits demands an exit code.
func (e ended) exits(code int) ended {
	e.t.Helper()
	if e.code != code {
		e.t.Fatalf("exit code %d, want %d\n%s%s", e.code, code, e.out, e.err)
	}
	return e
}

// says demands words on standard error.
func (e ended) says(words ...string) ended {
	e.t.Helper()
	for _, w := range words {
		if !strings.Contains(e.err, w) {
			e.t.Errorf("standard error lacks %q:\n%s", w, e.err)
		}
	}
	return e
}

// report is what `mailblast report -o json` says of the latest run.
func (s *sending) report() *report.Report {
	s.t.Helper()
	r := new(report.Report)
	if err := json.Unmarshal([]byte(s.run("report", "-o", "json").exits(exitOK).out), r); err != nil {
		s.t.Fatal(err)
	}
	if sum := r.Sent + r.Failed + r.Unknown + r.Suppressed + r.Skipped + r.Pending; sum != r.Total {
		s.t.Errorf("the counts add up to %d, not %d: %+v", sum, r.Total, r)
	}
	return r
}

// counts demands a report's counts.
func (s *sending) counts(sent, failed, unknown, pending int) *report.Report {
	s.t.Helper()
	r := s.report()
	if r.Sent != sent || r.Failed != failed || r.Unknown != unknown || r.Pending != pending {
		s.t.Errorf("%d sent, %d failed, %d unknown, %d pending; want %d, %d, %d, %d: %+v",
			r.Sent, r.Failed, r.Unknown, r.Pending, sent, failed, unknown, pending, r.Reasons)
	}
	return r
}

// outcomes gives what the journal has as the outcome of each recipient.
func (s *sending) outcomes() map[string]delivery.Outcome {
	s.t.Helper()
	book, err := journal.Open(s.t.Context(), journal.Options{Dir: filepath.Join(s.dir, ".mailblast")})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	info, err := book.Latest(s.t.Context(), "lab")
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]delivery.Outcome{}
	for o, err := range book.Outcomes(s.t.Context(), info) {
		if err != nil {
			s.t.Fatal(err)
		}
		all[o.To] = o
	}
	return all
}

// tried is one try of one recipient, as `send --json -v` tells it.
type tried struct {
	Type, To, Status, Stage, Class, Enhanced, Text, Host, Queue string
	Code, Try                                                   int
}

// tries gives the tries of each recipient in order, in short: "deferred rcpt 450, sent dot 250".
func (e ended) tries() map[string]string {
	e.t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(e.out) {
		var x tried
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			e.t.Fatalf("%v: %s", err, line)
		}
		if x.Type != "recipient" {
			continue
		}
		text := fmt.Sprintf("%s %s", x.Status, x.Stage)
		if x.Code != 0 {
			text += fmt.Sprintf(" %d", x.Code)
		}
		if all[x.To] != "" {
			text = all[x.To] + ", " + text
		}
		all[x.To] = text
	}
	return all
}
