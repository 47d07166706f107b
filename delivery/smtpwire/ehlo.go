package smtpwire

import (
	"strconv"
	"strings"
)

// Extensions is what a peer's EHLO reply offers (RFC 5321 §4.1.1.1).
type Extensions struct {
	Names      []string // the keywords, upper-case, in the peer's order
	Pipelining bool     // RFC 2920
	EightBit   bool     // 8BITMIME, RFC 6152
	UTF8       bool     // SMTPUTF8, RFC 6531
	StartTLS   bool     // RFC 3207
	HasSize    bool     // SIZE, RFC 1870
	Size       int64    // the largest message taken, in octets; 0 is no limit told
	Auth       []string // SASL mechanisms, upper-case (RFC 4954)
}

// ParseEHLO reads the keywords of a reply to EHLO. Its first line is the peer's name.
func ParseEHLO(r Reply) Extensions {
	var e Extensions
	for i, line := range r.Lines {
		// QUIRK: "AUTH=LOGIN PLAIN" is what servers said before RFC 2554.
		f := strings.Fields(strings.ToUpper(strings.Replace(line, "AUTH=", "AUTH ", 1)))
		if i == 0 || len(f) == 0 {
			continue
		}
		e.Names = append(e.Names, f[0])
		switch f[0] {
		case "PIPELINING":
			e.Pipelining = true
		case "8BITMIME":
			e.EightBit = true
		case "SMTPUTF8":
			e.UTF8 = true
		case "STARTTLS":
			e.StartTLS = true
		case "SIZE":
			e.HasSize = true
			if len(f) > 1 {
				e.Size, _ = strconv.ParseInt(f[1], 10, 64)
				e.Size = max(e.Size, 0)
			}
		case "AUTH":
			e.Auth = append(e.Auth, f[1:]...)
		}
	}
	return e
}
