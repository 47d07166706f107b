package letter

import (
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

// parted takes the front matter off a template. It must begin on the first line.
func (l *loader) parted(src markup.Source) (markup.Source, Front) {
	first, rest, more := strings.Cut(src.Text, "\n")
	if !more || strings.TrimRight(first, " \t\r") != fence || l.o.Front == nil {
		return src, Front{}
	}
	yaml, lines := "\n", 1 // faults count lines from the top of the file
	for rest != "" {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		lines++
		if strings.TrimRight(line, " \t\r") == fence {
			front, faults := l.o.Front(src.Name, yaml)
			l.faults.Add(faults...)
			src.Text, src.Before = rest, lines
			return src, front
		}
		if yaml += line; more {
			yaml += "\n"
		}
	}
	l.faults.Add(Fault{File: src.Name, Line: 1, Column: 1, Text: "the front matter that begins here is never closed",
		Hint: "end it with a line of three hyphens"})
	return src, Front{}
}
