// Package smtpwire is the letter of SMTP as a client speaks it: bytes in, bytes out, no sockets and no clock.
//
//  1. Writer appends commands, refusing any argument that could end a line, and flushes a group in one write;
//  2. Reader takes one reply at a time, within limits of line length, lines and octets (RFC 5321 §4.2);
//  3. ParseEHLO tells what a peer offers;
//  4. DotWriter lays a message out after DATA: CRLF line ends, dot-stuffing, final dot.
package smtpwire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits on one reply. A peer that goes beyond them costs one connection and this much memory.
const (
	maxLine    = 4 << 10  // octets kept of one line; RFC 5321 §4.5.3.1.5 grants 512
	maxDiscard = 2 << 20  // octets thrown away while waiting for the end of a line that is too long
	maxReply   = 64 << 10 // octets kept of all lines of one reply
	maxLines   = 1000
	maxText    = 1 << 10 // octets of Reply.Text
)

// ProtocolError says that the peer did not speak SMTP.
type ProtocolError struct{ Text string }

func (e *ProtocolError) Error() string { return "protocol error: " + e.Text }

// Reply is one complete reply.
type Reply struct {
	Code     int
	Enhanced string   // enhanced status code (RFC 3463) such as "5.1.1"; empty when there is none or it contradicts Code
	Text     string   // all lines in one, without the codes, printable
	Lines    []string // of a multi-line reply: each line's text, printable, codes left in
	Long     bool     // a line was cut at the limit: the verdict counts, the connection is not to be trusted further
}

// Class gives the first digit of the code.
func (r Reply) Class() int { return r.Code / 100 }

// Reader reads replies.
type Reader struct{ br *bufio.Reader }

// NewReader reads replies from r, through a buffer of one line.
func NewReader(r io.Reader) *Reader { return &Reader{br: bufio.NewReaderSize(r, maxLine)} }

// Reset discards what is buffered and reads from r from now on: after STARTTLS.
func (r *Reader) Reset(src io.Reader) { r.br.Reset(src) }

// Buffered tells how many octets have arrived beyond the replies read so far.
func (r *Reader) Buffered() int { return r.br.Buffered() }

// Wait blocks until at least one octet of a reply is there.
func (r *Reader) Wait() error {
	_, err := r.br.Peek(1)
	return err
}

// Read reads one reply. A *ProtocolError says that what came is none; any other error is the connection's, and
// io.ErrUnexpectedEOF means that it ended within a reply.
func (r *Reader) Read() (Reply, error) {
	var a assembly
	for {
		last, err := r.line(&a)
		if err != nil {
			return Reply{}, err
		}
		if last {
			return a.finish(), nil
		}
	}
}

// assembly is a reply of which some lines have been read.
type assembly struct {
	reply     Reply
	octets    int
	lines     int
	discarded int
	text      strings.Builder
}

func (r *Reader) line(a *assembly) (last bool, err error) {
	raw, err := r.br.ReadSlice('\n')
	switch {
	case err == nil:
		return a.add(trimEnd(raw))
	case errors.Is(err, bufio.ErrBufferFull):
		a.reply.Long = true
		if last, err = a.add(raw); err != nil {
			return last, err
		}
		return last, r.discard(a)
	case errors.Is(err, io.EOF) && (len(raw) > 0 || a.lines > 0):
		return false, io.ErrUnexpectedEOF
	default:
		return false, err
	}
}

// discard throws the rest of an overlong line away.
func (r *Reader) discard(a *assembly) error {
	for {
		raw, err := r.br.ReadSlice('\n')
		a.discarded += len(raw)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		case a.discarded > maxDiscard:
			return &ProtocolError{Text: "endless line"}
		}
	}
}

// add takes one line: three digits, then "-" if more follow, or a space or nothing on the last (RFC 5321 §4.2.1).
func (a *assembly) add(line []byte) (last bool, err error) {
	a.lines++
	a.octets += len(line)
	if a.lines > maxLines || a.octets > maxReply {
		return false, &ProtocolError{Text: "endless reply"}
	}
	code, last, ok := parseCode(line)
	if !ok {
		return false, &ProtocolError{Text: fmt.Sprintf("%q is no reply", clip(Printable(string(line)), 60))}
	}
	if a.lines > 1 && code != a.reply.Code {
		return false, &ProtocolError{Text: fmt.Sprintf("reply begins with %d and goes on with %d", a.reply.Code, code)}
	}
	a.reply.Code = code
	a.addText(string(line[min(4, len(line)):]), last)
	return last, nil
}

func (a *assembly) addText(text string, last bool) {
	text = Printable(text)
	if a.lines > 1 || !last {
		a.reply.Lines = append(a.reply.Lines, text)
	}
	enhanced, rest := splitEnhanced(a.reply.Code, text)
	if a.lines == 1 {
		a.reply.Enhanced = enhanced
	}
	if a.lines == 1 && last {
		a.reply.Text = clip(rest, maxText)
		return
	}
	if rest = strings.TrimSpace(rest); rest != "" && a.text.Len() < maxText {
		if a.text.Len() > 0 {
			a.text.WriteByte(' ')
		}
		a.text.WriteString(rest)
	}
}

func (a *assembly) finish() Reply {
	if a.lines > 1 {
		a.reply.Text = clip(a.text.String(), maxText)
	}
	return a.reply
}

func parseCode(line []byte) (code int, last, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	switch {
	case len(line) == 3 || line[3] == ' ':
		return code, true, true
	case line[3] == '-':
		return code, false, true
	}
	return 0, false, false
}

// splitEnhanced takes an enhanced status code off the front of a line (RFC 2034 §4). Its class must be the reply's.
func splitEnhanced(code int, text string) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	if len(word) < 5 || len(word) > 9 || word[0] != byte('0'+code/100) || word[0] == '3' {
		return "", text
	}
	subject, detail, _ := strings.Cut(word[2:], ".")
	if word[1] != '.' || !number(subject) || !number(detail) {
		return "", text
	}
	return word, rest
}

func number(s string) bool {
	if len(s) < 1 || len(s) > 3 {
		return false
	}
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// trimEnd takes the line end off. QUIRK: some servers end lines with a bare LF.
func trimEnd(line []byte) []byte {
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
