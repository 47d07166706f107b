package campaign

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/secret"
	"github.com/mailblast/mailblast/cmd/campaign/source"
	"github.com/mailblast/mailblast/delivery/address"
)

const idLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

func identifier(p *string) scalar {
	k := text(p)
	k.json = map[string]any{"type": "string", "pattern": "^[a-z0-9-]{1,64}$"}
	k.parse = func(s string) *misfit {
		if m := idFault(s); m != nil {
			return m
		}
		*p = s
		return nil
	}
	return k
}

func idFault(s string) *misfit {
	if s != "" && len(s) <= 64 && strings.Trim(s, idLetters) == "" {
		return nil
	}
	plain := strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(idLetters, r) {
			return r
		}
		return '-'
	}, strings.ToLower(s)), "-")
	hint := ""
	if plain != "" && len(plain) <= 64 {
		hint = "write: " + plain
	}
	return &misfit{fmt.Sprintf("%q must be made of a-z, 0-9 and -, 64 at most", clip(s)), hint}
}

// mailbox is an address with or without a display name, or a template of one.
func mailbox(p *string) scalar {
	k := letterText(p)
	inner := k.parse
	k.parse = func(s string) *misfit {
		if !strings.Contains(s, "{{") {
			if _, _, err := address.ParseMailbox(s); err != nil {
				hint := "such as Ana <ana@acme.example>"
				if strings.Contains(s, "${") {
					hint = "variables are not expanded in templates"
				}
				return &misfit{fmt.Sprintf("%q is no address: %v", clip(s), err), hint}
			}
		}
		return inner(s)
	}
	return k
}

func plainAddress(p *string) scalar {
	k := text(p)
	k.parse = func(s string) *misfit {
		a, err := address.Parse(s)
		switch {
		case strings.ContainsAny(s, "{}"):
			return &misfit{"it must be a plain address: {token} and templates are not supported", ""}
		case err != nil:
			return &misfit{fmt.Sprintf("%q is no address: %v", clip(s), err), "without a name, such as bounces@acme.example"}
		}
		*p = a.String()
		return nil
	}
	return k
}

// domain is a recipients' domain in A-labels.
func domain(p *string) scalar {
	k := text(p)
	k.parse = func(s string) *misfit {
		name, err := address.ParseDomain(s)
		if err != nil {
			return &misfit{fmt.Sprintf("%q is no domain: %v", clip(s), err), ""}
		}
		*p = name
		return nil
	}
	return k
}

func secretKey(p *Secret) scalar {
	k := secretText(p)
	k.parse = func(s string) *misfit {
		if len(s) < 16 {
			return &misfit{"it must have 16 characters at least", "make one with: openssl rand -hex 32"}
		}
		*p = secret.New(s)
		return nil
	}
	return k
}

// ours are header fields that the letter sets itself, with the key to use for them.
var ours = map[string]string{"from": "from", "to": "to", "cc": "cc", "bcc": "bcc", "reply-to": "reply_to", "subject": "subject", "sender": "", "date": "",
	"message-id": "", "mime-version": "", "auto-submitted": "", "return-path": "return_path", "received": "", "dkim-signature": "",
	"list-unsubscribe": "unsubscribe", "list-unsubscribe-post": "unsubscribe"}

func headers(p *[]Header) table {
	return table{
		item: func(l *loader, path string, e source.Entry) {
			var value string
			before := len(l.faults)
			if text, hint := headerFault(e.Key); text != "" {
				l.fault(e.At, len([]rune(e.Key)), source.Mask(path)+": "+text, hint)
			}
			letterText(&value).take(l, path, e.Value)
			if len(l.faults) == before {
				*p = append(*p, Header{Name: e.Key, Value: value})
			}
		},
		print: func() string {
			all := make([]string, len(*p))
			for i, h := range *p {
				all[i] = h.Name
			}
			return "{" + strings.Join(all, ", ") + "}"
		},
		json: jsonType("string"),
	}
}

// headerFault holds a field's name against RFC 5322 §3.6.8 and what the letter sets itself.
func headerFault(name string) (text, hint string) {
	lower := strings.ToLower(name)
	if name == "" || len(name) > 76 || strings.ContainsFunc(name, func(r rune) bool { return r < 33 || r > 126 || r == ':' }) {
		return "it is no header field's name", "letters, digits and -"
	}
	key, is := ours[lower]
	if !is && !strings.HasPrefix(lower, "content-") && !strings.HasPrefix(lower, "list-") {
		return "", ""
	}
	if key != "" {
		hint = "use the key " + key
	}
	return "this header field is set for you", hint
}

func unsubscribe(u *Unsubscribe) mapping {
	link := text(&u.URL)
	link.parse = func(s string) *misfit {
		parsed, err := url.Parse(strings.ReplaceAll(s, "{token}", "token"))
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" || strings.ContainsAny(s, " <>,\r\n") {
			return &misfit{"it is no URL such as https://acme.example/u?t={token}", ""}
		}
		u.URL = s
		return nil
	}
	return mapping{
		fields: []field{
			{"url", link, "", "Takes the one-click POST of RFC 8058."},
			{"mailto", plainAddress(&u.Mailto), "", "A plain address that takes requests by mail."},
			{"required", boolean(&u.Required), "true", "false: a letter that must be sent even without."},
		},
		brief: func() (string, bool) { return "false", !u.Required && u.URL == "" && u.Mailto == "" },
		json:  map[string]any{"anyOf": []any{jsonPattern("^https?://.+"), map[string]any{"const": false}}},
		short: func(l *loader, path string, n *source.Node) {
			if n.Kind == source.Bool && n.Text == "false" {
				return
			}
			u.Required = true
			link.take(l, path, n)
		},
	}
}
