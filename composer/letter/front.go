package letter

import (
	"regexp"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/markup"
)

// Front is the front matter of a template: what it says of its letter itself. It goes before what the campaign says.
type Front struct {
	Subject, Preheader string // templates; empty: not set
	Layout             string
	Locale             string // of a template that has no language in its name
	Attachments        []Attachment

	// Pos tells where the value of a field begins, as Options.Pos does.
	Pos fault.Pos
}

// fence is the line before and after front matter.
const fence = "---"

// maxFront is how long front matter may be, in octets.
const maxFront = 64 << 10

// misplaced is front matter below an empty line, or in another form.
var misplaced = regexp.MustCompile(`^\s*(?:---|\+\+\+)[ \t]*\r?\n\s*\w+[ \t]*[:=]`)

// parted takes the front matter off a template. It must begin on the first line.
func (l *loader) parted(src markup.Source) (markup.Source, Front) {
	first, rest, more := strings.Cut(src.Text, "\n")
	if !more || strings.TrimRight(first, " \t\r") != fence || l.o.Front == nil {
		if misplaced.MatchString(src.Text) {
			l.faults.Add(Fault{File: src.Name, Line: 1, Column: 1, Text: "this looks like front matter, and would be sent as a part of the letter",
				Hint: "front matter is YAML between two lines of three hyphens, the first of them at the very top"})
		}
		return src, Front{}
	}
	for lines, at := 2, 0; at < min(len(rest), maxFront); lines++ {
		line, _, more := strings.Cut(rest[at:], "\n")
		if strings.TrimRight(line, " \t\r") == fence {
			front, faults := l.o.Front(src.Name, "\n"+rest[:at]) // faults count lines from the top of the file
			l.faults.Add(faults...)
			src.Text, src.Before = strings.TrimPrefix(rest[at+len(line):], "\n"), lines
			return src, front
		}
		if !more {
			break
		}
		at += len(line) + 1
	}
	l.faults.Add(Fault{File: src.Name, Line: 1, Column: 1, Text: "the front matter that begins here is never closed",
		Hint: "end it with a line of three hyphens"})
	return src, Front{}
}
