package smtptest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// watch holds one connection's client against the RFCs: what it may say follows from what it was told before.
type watch struct {
	p    *Peer
	n    int
	last string // the reply code that went out last

	offered map[string]string // by the last EHLO: keyword and argument
	greeted bool
	mail    bool // MAIL went before, and nothing ended the transaction
	rcpt    bool
	utf8    bool // MAIL declared SMTPUTF8
	eight   bool // MAIL declared 8BITMIME or SMTPUTF8
}

// known are the commands a client may use. ordered ones must end a group (RFC 2920 §3.1).
var (
	known   = []string{"EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"}
	ordered = []string{"EHLO", "HELO", "STARTTLS", "AUTH", "DATA", "NOOP", "QUIT"}
)

func (w *watch) breach(format string, args ...any) {
	w.p.mu.Lock()
	w.p.breaches = append(w.p.breaches, strconv.Itoa(w.n)+" "+fmt.Sprintf(format, args...))
	w.p.mu.Unlock()
}

// told takes what the peer writes.
func (w *watch) told(text string) {
	text = strings.TrimSuffix(text, "\r\n")
	if last := text[strings.LastIndexByte(text, '\n')+1:]; len(last) >= 3 {
		w.last = last[:3]
	}
}

// offers takes the reply to EHLO or HELO, which may have come in parts.
func (w *watch) offers(text string) {
	if !strings.HasPrefix(text, "250") {
		return
	}
	w.offered, w.greeted = map[string]string{}, true
	for i, line := range strings.Split(text, "\r\n") {
		if name, arg, _ := strings.Cut(line[min(4, len(line)):], " "); i > 0 && name != "" {
			w.offered[strings.ToUpper(name)] = arg
		}
	}
}

func (w *watch) has(keyword string) bool {
	_, ok := w.offered[keyword]
	return ok
}

// command takes one line that came, its end included. more tells that octets followed it in the same write.
func (w *watch) command(line string, more bool) {
	text := strings.TrimSuffix(line, "\r\n")
	if text == line {
		w.breach("%q does not end in CRLF", line)
	}
	if w.last == "334" || text == "." && w.last == "354" { // the rest of a login, or a message of nothing
		return
	}
	verb, arg, _ := strings.Cut(text, " ")
	switch limit := 512; { // RFC 5321 §4.5.3.1.4, and RFC 4954 §4 for AUTH; extensions add to MAIL
	case !slices.Contains(known, verb):
		w.breach("%q is no command", text)
	case verb != "AUTH" && verb != "MAIL" && len(line) > limit || len(line) > 12288:
		w.breach("%s has %d octets", verb, len(line))
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f || text[i] >= 0x80 && !w.utf8 && !strings.HasSuffix(text, " SMTPUTF8") {
			w.breach("%q has octet %#x", text, text[i])
			break
		}
	}
	if more && !w.has("PIPELINING") {
		w.breach("%s did not wait for its reply, PIPELINING is not offered", verb)
	} else if more && slices.Contains(ordered, verb) {
		w.breach("%s does not end its group", verb)
	}
	w.order(verb, arg)
}

// order holds a command against those before it.
func (w *watch) order(verb, arg string) {
	if !w.greeted && verb != "EHLO" && verb != "HELO" && verb != "QUIT" {
		w.breach("%s before EHLO", verb)
	}
	switch verb {
	case "STARTTLS":
		if !w.has("STARTTLS") {
			w.breach("STARTTLS is not offered")
		}
	case "AUTH":
		if !w.has("AUTH") {
			w.breach("AUTH is not offered")
		}
	case "MAIL":
		w.from(arg)
		w.mail, w.rcpt = true, false
	case "RCPT":
		if !w.mail {
			w.breach("RCPT before MAIL")
		}
		w.rcpt = true
	case "DATA":
		if !w.rcpt {
			w.breach("DATA before RCPT")
		}
	case "RSET":
		w.mail, w.rcpt = false, false
	}
}

// from holds MAIL's parameters against what is offered (RFC 5321 §4.1.1.11).
func (w *watch) from(arg string) {
	_, params, _ := strings.Cut(arg, ">")
	w.utf8, w.eight = false, false
	for p := range strings.FieldsSeq(params) {
		name, value, _ := strings.Cut(p, "=")
		keyword := name
		switch name {
		case "BODY":
			keyword, w.eight = "8BITMIME", value == "8BITMIME" || w.eight
		case "SMTPUTF8":
			w.utf8, w.eight = true, true
		case "SIZE":
			size, err := strconv.ParseInt(value, 10, 64)
			if most, _ := strconv.ParseInt(w.offered["SIZE"], 10, 64); err != nil || most > 0 && size > most {
				w.breach("SIZE=%s, %d are taken", value, most)
			}
		}
		if !w.has(keyword) {
			w.breach("MAIL has %s, %s is not offered", p, keyword)
		}
	}
}

// line takes one line of a message, its end included.
func (w *watch) line(text string) {
	switch cut := strings.TrimSuffix(text, "\r\n"); {
	case cut == text || strings.ContainsAny(cut, "\r\n\x00"):
		w.breach("the message has a bare CR or LF, or a NUL: %.40q", text)
	case len(text) > 1000: // RFC 5321 §4.5.3.1.6
		w.breach("a line of the message has %d octets", len(text))
	case !w.eight && strings.ContainsFunc(cut, func(r rune) bool { return r >= 0x80 }):
		w.breach("the message has 8-bit octets that were not declared: %.40q", text)
	}
}
