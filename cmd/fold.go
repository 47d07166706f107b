package cmd

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/mailblast/mailblast/cmd/screen"
)

// fold breaks lines at spaces so that they fit a terminal that many cells wide; 0 is without end. What goes on is indented by two more
// cells than its line. A word that is too long, and a command that is to be copied (whole), stay in one piece.
func fold(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if width > 0 && cells(line) > width {
			lines[i] = foldLine(line, width)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), fixed, " ")
}

func foldLine(line string, width int) string {
	words := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(words)]
	var b strings.Builder
	b.WriteString(indent)
	at, first := len(indent), true
	for word := range strings.SplitSeq(words, " ") {
		n := cells(word)
		switch {
		case first:
		case word != "" && at+1+n > width:
			b.WriteString("\n  " + indent)
			at = len(indent) + 2
		default:
			b.WriteByte(' ')
			at++
		}
		first = false
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// fixed stands for a space that no line is broken at. No text that is printed has it, since it would command a terminal.
const fixed = "\x00"

func cells(s string) int { return runewidth.StringWidth(strings.ReplaceAll(s, fixed, " ")) }

// whole keeps a command in one line.
func whole(command string) string { return strings.ReplaceAll(command, " ", fixed) }

// errWidth is how wide text for standard error may be; 0: it is no terminal.
func (e *env) errWidth() int {
	if e.errTTY {
		return e.width()
	}
	return 0
}

// tell says something on standard output, in lines that fit the terminal.
func (e *env) tell(format string, args ...any) {
	e.say("%s", fold(fmt.Sprintf(format, args...), e.outWidth()))
}

// ask puts a question to a person, in lines that fit the terminal.
func (e *env) ask(ctx context.Context, in *bufio.Reader, question string) (screen.Answer, error) {
	answer, err := screen.Ask(ctx, in, e.err, fold(question, e.errWidth()))
	if err != nil {
		fmt.Fprintln(e.err) // the question's line is still open
	}
	return answer, err
}
