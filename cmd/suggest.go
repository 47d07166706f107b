package cmd

import (
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/report"
)

// typed gives a command line of ours as it would be typed where this process was started, with its directory and state.
func (e *env) typed(words ...string) string {
	line := []string{"mailblast"}
	if e.dir != "" && e.dir != e.value("MAILBLAST_CHDIR") {
		line = append(line, "-C", e.dir)
	}
	if e.stateIn != "" && e.stateIn != e.value("MAILBLAST_STATE") {
		line = append(line, "--state", e.stateIn)
	}
	line = append(line, words...)
	for i, w := range line {
		line[i] = shellWord(w)
	}
	return strings.Join(line, " ")
}

// shellWord quotes a word that a shell would take apart.
func shellWord(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r) || r > 127
	}
	if w != "" && strings.TrimFunc(w, plain) == "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// command is what goes on with this run.
func (p *pipeline) command() string {
	if p.c.Path == defaultFile {
		return p.typed("send")
	}
	return p.typed("send", p.c.Path)
}

// goOn is what goes on with what this command began: those whom it was told to try again, and did not come to, are left alone
// by any other.
func (p *pipeline) goOn() string {
	if p.o.retry == "" {
		return p.command()
	}
	return p.command() + " --retry " + p.o.retry
}

// lookBack is what tells of a run later on. It has to find the state from here.
func (p *pipeline) lookBack() string {
	here := absolute(".")
	if p.stateIn != "" || campaign.StateDir(here) == p.c.State {
		return p.typed("report")
	}
	return p.typed("report", "--state", nearby(p.c.State))
}

// afterRehearsal is what to do after a run of which nothing is remembered.
func (p *pipeline) afterRehearsal() string {
	switch {
	case !p.rehearsal():
		return ""
	case p.o.test != "":
		return "A test letter: nothing is remembered of it."
	case p.c.SMTP.Capture && p.c.Delivery == "relay":
		return "A rehearsal, nothing is remembered. For real: set smtp: in " + p.c.Path
	}
	return "A rehearsal, nothing is remembered. For real: " + p.command()
}

// layout is the form of a report on standard output.
func (p *pipeline) layout() report.TextOptions {
	return report.TextOptions{Width: p.outWidth(), Color: p.color(p.outTTY), Send: p.command(), GoOn: p.goOn(), Report: p.lookBack(), Rehearse: p.afterRehearsal()}
}
