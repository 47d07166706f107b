package smtpout

import (
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/route"
)

const (
	next  = "the next host at once; this one is left alone for a while, nothing is charged"
	later = "tried later, not charged; the host is left alone for a while"
)

// TestFaultConnect is from the socket to the reply to EHLO.
func TestFaultConnect(t *testing.T) {
	line := "250-" + strings.Repeat("x", 1018) // 1 KiB with its end
	rows(t, []row{
		{name: "S1 no banner", must: later + "; 5 min limit", script: "connect: hang", want: "deferred connect; closed; cools; 5m0s", says: "timed out"},
		{name: "S1 no banner, second host", must: next + ", after 5 min", script: "connect: hang", second: true, want: "sent dot 250 charged at mx2; closed; cools; 5m0s"},
		{name: "S1 no banner, limit of 10 s", must: "the limit is a setting", script: "connect: hang", limits: Timeouts{Greeting: 10 * time.Second},
			want: "deferred connect; closed; cools; 10s"},
		{name: "S2 banner after 20 s", must: "works", script: "connect: wait 20s; ok", want: "sent dot 250 charged; kept; 20s"},
		{name: "S3 banner octet by octet", must: "works", script: "connect: drip 9s 220 hi there", want: "sent dot 250 charged; kept; 2m6s"},
		{name: "S3 banner octet by octet for 10 min", must: "the limit is for the whole reply", script: "connect: drip 40s 220 hi there",
			want: "deferred connect; closed; cools; 5m0s", says: "timed out"},
		{name: "S4 banner of several lines", must: "works", script: "connect: 220-a; 220-b; 220 c", want: "sent dot 250 charged; kept"},
		{name: "S5 endless banner", must: "an end at 1000 lines, closed; " + later, script: "connect: times 1000000 220-a",
			want: "deferred connect; closed; cools", says: "endless reply"},
		{name: "S5 banner of 1000 lines", must: "works", script: "connect: times 999 220-a; 220 b", want: "sent dot 250 charged; kept"},
		{name: "S5 banner of 1001 lines", must: "an end at 1000 lines; next host", script: "connect: times 1000 220-a; 220 b", second: true,
			want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S5 endless EHLO", must: "an end at 1000 lines; next host", script: "ehlo: times 1000000 250-a", second: true,
			want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S5 EHLO of 63 KiB", must: "works", script: "ehlo: times 63 " + line + "; 250 x", want: "sent dot 250 charged; kept; 63 KiB read"},
		{name: "S5 EHLO of long lines without end", must: "an end at 64 KiB; next host", script: "ehlo: times 100000 " + line, second: true,
			want: "sent dot 250 charged at mx2; closed; cools; 68 KiB read"},
		{name: "S6 421 banner", must: later, script: "connect: 421 4.3.2 busy; drop", want: "deferred connect 421; closed; cools", says: "busy"},
		{name: "S6 421 banner, second host", must: next, script: "connect: 421 4.3.2 busy; drop", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S7 554 banner", must: later, script: "connect: 554 5.7.1 no", want: "deferred connect 554; closed; cools", says: "no"},
		{name: "S7 554 banner, second host", must: next, script: "connect: 554 5.7.1 no", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S8 banner of HTTP", must: later, script: `connect: raw "HTTP/1.1 400 Bad Request\r\n"; hang`, want: "deferred connect; closed; cools",
			says: `"HTTP/1.1 400 Bad Request" is no reply`},
		{name: "S8 junk banner, second host", must: next, script: `connect: raw "\x00\xff\r\n"; hang`, second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S9 closed at once", must: later, script: "connect: drop", tcp: true, want: "deferred connect; closed; cools", says: "closed by the server"},
		{name: "S9 closed at once, second host", must: next, script: "connect: drop", tcp: true, second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S9 reset at once", must: later, script: "connect: rst", tcp: true, want: "deferred connect; closed; cools", says: "closed by the server"},
		{name: "S9 reset at once, second host", must: next, script: "connect: rst", tcp: true, second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S10 half a banner", must: later + "; 5 min limit", script: `connect: raw "220 he"; hang`, want: "deferred connect; closed; cools; 5m0s"},
		{name: "S10 half a banner, second host", must: next + ", after 5 min", script: `connect: raw "220 he"; hang`, second: true,
			want: "sent dot 250 charged at mx2; closed; cools; 5m0s"},
		{name: "S11 EHLO 421", must: later, script: "ehlo: 421 no", want: "deferred connect 421; closed; cools"},
		{name: "S11 EHLO 451", must: next, script: "ehlo: 451 4.3.0 no", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S11 EHLO 550", must: later, script: "ehlo: 550 5.7.1 no", want: "deferred connect 550; closed; cools"},
		{name: "S11 EHLO 550, second host", must: next, script: "ehlo: 550 5.7.1 no", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S12 EHLO unknown, HELO works", must: "sent without extensions", script: "ehlo: 502 what", want: "sent dot 250 charged; kept"},
		{name: "S12 HELO, TLS required", must: later + ", with the reason", script: "ehlo: 502 what", demand: route.Required,
			want: "deferred tls; closed; cools", says: "TLS is required, the server does not offer STARTTLS"},
		{name: "S12 HELO, login required", must: "no mail goes, with the reason", script: "ehlo: 502 what", relay: true, demand: route.Implicit, login: true,
			want: "halt auth, not-tried gate; closed", says: "the server offers no login"},
		{name: "S12 HELO, SMTPUTF8 required", must: "failed, with the reason", script: "ehlo: 502 what",
			letter: func() *letter { return &letter{text: "a\r\n", utf8: true} }, want: "failed mail charged; kept", says: "5.6.7 the message needs SMTPUTF8"},
		{name: "S13 neither EHLO nor HELO", must: later, script: "ehlo: 502 what\nhelo: 502 what", want: "deferred connect 502; closed; cools"},
		{name: "S13 neither EHLO nor HELO, second host", must: next, script: "ehlo: 500 what\nhelo: 500 what", second: true,
			want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S14 EHLO drop", must: later, script: "ehlo: drop", want: "deferred connect; closed; cools"},
		{name: "S14 EHLO drop, second host", must: next, script: "ehlo: drop", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S14 EHLO reset", must: later, script: "ehlo: rst", tcp: true, want: "deferred connect; closed; cools"},
		{name: "S14 EHLO reset, second host", must: next, script: "ehlo: rst", tcp: true, second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S14 EHLO hang", must: later + "; 5 min limit", script: "ehlo: hang", want: "deferred connect; closed; cools; 5m0s"},
		{name: "S14 EHLO hang, second host", must: next, script: "ehlo: hang", second: true, want: "sent dot 250 charged at mx2; closed; cools; 5m0s"},
		{name: "S15 EHLO line of 1 MiB", must: "4 KiB are kept, closed; next host", script: "ehlo: raw \"250-\"; blow 1048576; raw \"\\r\\n250 x\\r\\n\"", second: true,
			want: "sent dot 250 charged at mx2; closed; cools; 1024 KiB read"},
		{name: "S15 EHLO line of 1 MiB, one host", must: later, script: "ehlo: raw \"250-\"; blow 1048576; raw \"\\r\\n250 x\\r\\n\"",
			want: "deferred connect; closed; cools; 1024 KiB read", says: "endless line"},
		{name: "S15 EHLO line of 4 KiB", must: "works", script: "ehlo: 250-a; 250 " + strings.Repeat("x", 4090), want: "sent dot 250 charged; kept"},
		{name: "S15 EHLO of 5000 lines", must: next, script: "ehlo: times 4999 250-a; 250 x", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S16 half closed after the banner", must: later + "; no spinning", script: "connect: 220 hi; half; hang", tcp: true, want: "deferred connect; closed; cools"},
		{name: "S16 half closed after the banner, second host", must: next, script: "connect: 220 hi; half; hang", tcp: true, second: true,
			want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S16 half closed after EHLO", must: "next host; no spinning", script: "ehlo: ok; half; hang", tcp: true, second: true,
			want: "sent dot 250 charged at mx2; closed"},
		{name: "S16 half closed before the reply to the dot", must: "unknown; no spinning", script: "dot: half; hang", tcp: true, want: "unknown dot charged; closed"},
		{name: "S54 too many connections, of others", must: later, script: "connect: 421 4.7.0 too many connections; drop", want: "deferred connect 421; closed; cools"},
	})
}
