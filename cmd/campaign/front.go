package campaign

import (
	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// Front is the front matter of a template: what it says of its letter itself, in keys that mean what they mean in
// campaign.yaml.
type Front struct {
	Subject, Preheader, Layout, Locale string
	Attachments                        []Attachment

	c Campaign
}

// Pos tells where the content of a key's value begins.
func (f *Front) Pos(field string) (file string, line, col int) { return f.c.Pos(field) }

// ParseFront reads front matter. The text is that of the file called name from its first line on. The error is Faults.
func ParseFront(name, text string) (*Front, error) {
	f := &Front{c: Campaign{Path: name, places: map[string]place{}, origins: map[string]string{}}}
	parsed := source.Parse(name, []byte(text))
	l := &loader{c: &f.c, files: map[string]*read{name: {File: parsed}}, faults: parsed.Faults,
		env: func(string) (string, bool) { return "", false }}
	l.mapping("", frontKeys(f), parsed.Root, "front matter")
	if len(l.faults) > 0 {
		l.order()
		return nil, l.faults
	}
	return f, nil
}

func frontKeys(f *Front) []field {
	return []field{
		{"subject", letterText(&f.Subject), "", "Template of the subject."},
		{"preheader", letterText(&f.Preheader), "", "Template of what an inbox shows beside the subject."},
		{"layout", text(&f.Layout), "", "layouts/NAME.html and layouts/NAME.txt around this letter; none for bare."},
		{"locale", text(&f.Locale), "", "The language of a template that has none in its name, such as en-GB."},
		{"attachments", attachments(&f.Attachments), "", "Files that go with this letter, beside those of campaign.yaml."},
	}
}
