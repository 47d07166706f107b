package cmd

import (
	"path/filepath"
	"slices"
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

// onState is typed for a command that looks into the state directory of the campaign that this command was given: it has to find
// that from here.
func (e *env) onState(words ...string) string {
	here := absolute(".")
	if e.state == "" || e.stateIn != "" || campaign.StateDir(here) == e.state {
		return e.typed(words...)
	}
	state := e.state
	if rel, err := filepath.Rel(here, state); err == nil && filepath.IsLocal(rel) {
		state = rel
	}
	return e.typed(append(slices.Clone(words), "--state", state)...)
}

// seen is a path as it is where this process was started.
func (e *env) seen(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.dir, path)
}

// onFile is typed for a command that takes a campaign, of the one that this command was given.
func (e *env) onFile(words ...string) string {
	if e.file != "" && e.file != defaultFile {
		words = append(words, e.file)
	}
	return e.typed(words...)
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
	return report.TextOptions{Width: p.outWidth(), Color: p.color(p.outTTY), Send: p.command(), GoOn: p.goOn(), Report: p.onState("report"), Rehearse: p.afterRehearsal()}
}
