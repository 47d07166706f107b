package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
)

// checkup checks a campaign and prints what it finds as it goes.
type checkup struct {
	*env
	*desk
	o                checkOptions
	unread           error // why there is no list
	errors, warnings int
	code             int   // of the first error
	largest          int64 // octets of the largest letter; 0: not known
	broken           error // standard output cannot be written
}

// quietly is the process's state with nowhere to print to: what is wrong is told as findings.
func (e *env) quietly() *env {
	q := *e
	q.err, q.errTTY, q.verbose = io.Discard, false, false
	return &q
}

// found makes findings of an error that says what is wrong with the campaign. A fault of ours stays an error.
func (k *checkup) found(err error) error {
	f := judge(err)
	if f.code == exitBug {
		return err
	}
	if k.code == exitOK {
		k.code = f.code
	}
	texts := []string{f.Error()}
	if f.err == nil {
		texts = apart(f.said)
	} else if hint := k.hint(f); hint != "" {
		texts[0] += "\n  hint: " + hint
	}
	for _, text := range texts {
		k.errors++
		k.print(finding{Level: "error", Text: text})
	}
	return nil
}

// apart parts formatted faults; the lines that belong to one are indented.
func apart(said string) (texts []string) {
	for _, line := range strings.Split(said, "\n") {
		if n := len(texts); n > 0 && strings.HasPrefix(line, " ") {
			texts[n-1] += "\n" + line
		} else {
			texts = append(texts, line)
		}
	}
	return texts
}

func (k *checkup) ok(format string, args ...any) {
	k.print(finding{Level: "ok", Text: fmt.Sprintf(format, args...)})
}

func (k *checkup) warn(format string, args ...any) {
	k.warnings++
	k.print(finding{Level: "warning", Text: fmt.Sprintf(format, args...)})
}

var marks = map[string]struct{ mark, colour string }{"ok": {"✓", "\x1b[32m"}, "warning": {"!", "\x1b[33m"}, "error": {"✗", "\x1b[31m"}}

// finding is one line of a check, and a JSON event.
type finding struct {
	V     int    `json:"v"`
	Type  string `json:"type"`
	Level string `json:"level"` // ok, warning or error
	Text  string `json:"text"`
	Kind  string `json:"kind,omitempty"`  // of a look at rows
	Count int    `json:"count,omitempty"` // of rows it found something in
}

// print writes a finding: its first line with a mark, what belongs to it below.
func (k *checkup) print(f finding) {
	if k.o.json {
		f.V, f.Type = 1, "finding"
		k.emit(f)
		return
	}
	if k.quiet && f.Level != "error" {
		return
	}
	m := marks[f.Level]
	if k.color(k.outTTY) {
		m.mark = m.colour + m.mark + "\x1b[0m"
	}
	lines := strings.Split(f.Text, "\n")
	for i, line := range lines {
		lines[i] = screen.Printable(line)
	}
	_, err := fmt.Fprintf(k.out, "%s %s\n", m.mark, strings.Join(lines, "\n"))
	k.breaks(err)
}

func (k *checkup) emit(v any) { k.breaks(k.json(v)) }

// breaks notes why what was found could not be told, once.
func (k *checkup) breaks(err error) {
	if k.broken == nil {
		k.broken = err
	}
}

// verdict prints the last line and gives the exit code.
func (k *checkup) verdict() error {
	if k.o.json {
		k.emit(struct {
			V        int    `json:"v"`
			Type     string `json:"type"`
			Errors   int    `json:"errors"`
			Warnings int    `json:"warnings"`
			Exit     int    `json:"exit"`
		}{1, "summary", k.errors, k.warnings, k.code})
	} else if !k.quiet {
		_, err := fmt.Fprintf(k.out, "%s, %s. Nothing was sent.\n", plural(k.errors, "error"), plural(k.warnings, "warning"))
		k.breaks(err)
	}
	switch {
	case k.broken != nil:
		return ioFault(k.broken)
	case k.errors > 0:
		return &fault{code: k.code, summed: true}
	}
	return nil
}
