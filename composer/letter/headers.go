package letter

import (
	"errors"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/mime"
	"github.com/mailblast/mailblast/delivery/address"
)

// tokenMark stands for the recipient's token in the unsubscribe addresses.
const tokenMark = "{token}"

// set are the header fields that a campaign cannot set, because they are set for it or by servers on the way.
var set = []string{
	"From", "To", "Cc", "Bcc", "Subject", "Date", "Message-Id", "Mime-Version", "Reply-To", "Sender", "Auto-Submitted",
	"Return-Path", "Received", "Dkim-Signature", "Authentication-Results", "Delivered-To",
}

var setPrefixes = []string{"Content-", "List-", "Resent-", "Arc-"}

func (l *loader) loadHeaders() {
	var seen []string
	for _, h := range l.o.Headers {
		key := "headers." + h.Name
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		taken := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		switch {
		case !fieldName(h.Name):
			l.faults.Field(key, 0, "a header's name is made of letters, digits and hyphens", "")
		case slices.Contains(set, name) || slices.ContainsFunc(setPrefixes, taken):
			l.faults.Field(key, 0, h.Name+" is set for you", "")
		case slices.Contains(seen, name):
			l.faults.Field(key, 0, h.Name+" is there twice", "")
		default:
			seen = append(seen, name)
			l.letter.headers = append(l.letter.headers, header{name: h.Name, value: l.headerValue(key, h.Value)})
		}
	}
	for key, err := range map[string]error{
		"unsubscribe.url": checkURL(l.o.Unsubscribe.URL), "unsubscribe.mailto": checkMailto(l.o.Unsubscribe.Mailto),
	} {
		if err != nil {
			l.faults.Field(key, 0, err.Error(), "")
		}
	}
}

// fieldName is narrower than RFC 5322 §2.2, which allows any printable character but the colon.
func fieldName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 60
}

func (l *loader) headerValue(key, text string) field.Value {
	v := l.fields.Value(key, text)
	if err := mime.CheckValue(text); err != nil {
		l.faults.Field(key, 0, err.Error(), "")
	}
	return v
}

// maxURI is the longest unsubscribe address, so that it fits a line with its token.
const maxURI = 800

func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(strings.ReplaceAll(s, tokenMark, "token"))
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("it is no https URL")
	}
	return checkURI(s)
}

func checkMailto(s string) error {
	if s == "" {
		return nil
	}
	to, _, _ := strings.Cut(strings.ReplaceAll(s, tokenMark, "token"), "?")
	if _, err := address.Parse(to); err != nil {
		return errors.New("not an address: " + err.Error())
	}
	return checkURI(s)
}

// checkURI refuses what RFC 3986 §2 does not let stand in a URI, and what would end it in a List-Unsubscribe field.
func checkURI(s string) error {
	if strings.Contains(s, "{{") {
		return errors.New("it is no template: {token} is all that can stand in it")
	}
	if len(s) > maxURI {
		return errors.New("it is too long")
	}
	for _, r := range strings.ReplaceAll(s, tokenMark, "") {
		if r <= ' ' || r > '~' || strings.ContainsRune("<>\"{}|\\^`", r) {
			return errors.New("it holds a character that must be escaped in a URL")
		}
	}
	return nil
}

// write writes List-Unsubscribe (RFC 2369 §3.2), and for an https URL the promise that a POST is enough (RFC 8058 §3.1).
func (u Unsubscribe) write(h *mime.Header, token string) {
	token = url.QueryEscape(token)
	var uris []string
	if u.URL != "" {
		uris = append(uris, "<"+strings.ReplaceAll(u.URL, tokenMark, token)+">")
	}
	if u.Mailto != "" {
		uris = append(uris, "<mailto:"+strings.ReplaceAll(u.Mailto, tokenMark, token)+">")
	}
	if len(uris) == 0 {
		return
	}
	if len(uris) == 2 {
		uris[0] += ","
	}
	h.Structured("List-Unsubscribe", uris...)
	if strings.HasPrefix(strings.ToLower(u.URL), "https:") {
		h.Structured("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
}
