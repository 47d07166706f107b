package charset

import (
	"fmt"
	"strings"
)

// rival tells that a candidate could be what the text is in.
func (e *evidence) rival(i int) bool {
	c := candidates[i]
	if c.rank == low && !e.low || c.rank == script && !e.dense {
		return false
	}
	return !e.broken[i] && e.bad[i]*10 <= e.words
}

func (e *evidence) verdict() (string, error) {
	switch {
	case e.runs > e.stray: // UTF-8 with some rows that are not, each of which is a fault of its own
		return "utf-8", nil
	case e.runs*2 >= e.stray && e.runs > 0:
		return "", &Error{Line: e.other, Hint: saveHint,
			Text: fmt.Sprintf("line %d is not UTF-8, and line %d is: the file mixes encodings", e.other, e.run)}
	}
	at := e.odd
	for i := range candidates {
		if f := e.first[i]; e.rival(i) && f.line > 0 && (at.line == 0 || f.line < at.line) {
			at = f
		}
	}
	if at.line == 0 {
		return candidates[0].name, nil
	}
	return "", e.refuse(at)
}

// refuse shows a word as those read it that may be right.
func (e *evidence) refuse(at spot) *Error {
	var texts []string
	by := map[string][]string{}
	example := ""
	for i, c := range candidates {
		r := read(i, at.word)
		if !e.rival(i) || !r.plausible {
			continue
		}
		if by[r.text] == nil {
			texts = append(texts, r.text)
		}
		by[r.text] = append(by[r.text], c.name)
		if example == "" || e.dense && c.rank == script && candidateRank(example) != script {
			example = c.name
		}
	}
	if len(texts) == 0 {
		return &Error{Line: at.line, Hint: saveHint,
			Text: fmt.Sprintf("the file is not UTF-8, and %q is no word in any encoding that is likely", at.word)}
	}
	for i, t := range texts {
		texts[i] = fmt.Sprintf("%q (%s)", t, strings.Join(by[t], ", "))
	}
	return &Error{Line: at.line,
		Text: "the file is not UTF-8, and a word may read " + strings.Join(texts[:min(len(texts), mostShown)], " or "),
		Hint: fmt.Sprintf("write the charset that reads right under recipients, such as charset: %s; or %s", example, saveHint)}
}

func candidateRank(name string) rank {
	for _, c := range candidates {
		if c.name == name {
			return c.rank
		}
	}
	return likely
}
