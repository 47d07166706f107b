package markup

import (
	"regexp"
	"strconv"
	"strings"
)

var syntaxError = regexp.MustCompile(`(?s)^(?:html/)?template: ?.*?:(\d+)(?::\d+)?: (.*)$`)

// syntaxFault places an error of the template packages, which tell the line only.
func syntaxFault(s Source, err error) Fault {
	m := syntaxError.FindStringSubmatch(err.Error())
	if m == nil {
		return Fault{Source: s, Text: err.Error()}
	}
	line, _ := strconv.Atoi(m[1])
	at := 0
	for range line - 1 {
		i := strings.IndexByte(s.Text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	end := len(s.Text)
	if i := strings.IndexByte(s.Text[at:], '\n'); i >= 0 {
		end = at + i
	}
	if i := strings.Index(s.Text[at:end], "{{"); i >= 0 {
		at += i
	}
	return Fault{Source: s, Offset: at, Text: m[2]}
}
