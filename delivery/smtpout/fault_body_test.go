package smtpout

import (
	"fmt"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/route"
)

const (
	doubtful = "unknown: it may have been taken"
	taken    = "accepted"
)

// TestFaultBody is from the 354 to the final dot.
func TestFaultBody(t *testing.T) {
	// The small letter goes out in one write, its dot at the end: hello, dot-stuffed.
	size := len(hello().text) + 1
	quick := Timeouts{Block: time.Second}
	const saidIt = "what it said counts"
	rows(t, []row{
		{name: "S38 reset in mid-body", must: certain, script: "body: skip 1000; rst", tcp: true, letter: big, want: "deferred dot charged; closed", says: "in the middle of the message"},
		{name: "S38 closed in mid-body", must: certain, script: "body: skip 1000; drop", tcp: true, letter: big, want: "deferred dot charged; closed", says: "in the middle of the message"},
		{name: "S38 closed in mid-body, second host", must: certain + ", and no other host is asked now", script: "body: skip 1000; drop", tcp: true, second: true, letter: big,
			want: "deferred dot charged; closed"},
		{name: "S38 half closed in mid-body", must: certain, script: "body: skip 1000; half; hang", tcp: true, letter: big, limits: quick, want: "deferred dot charged; closed"},
		{name: "S38 closed right before the dot", must: certain, script: fmt.Sprintf("body: skip %d; drop", size), want: "deferred dot charged; closed"},
		{name: "S38 closed within the dot", must: doubtful, script: fmt.Sprintf("body: skip %d; drop", size+1), want: "unknown dot charged; closed"},
		{name: "S38 closed right after the dot", must: doubtful, script: fmt.Sprintf("body: skip %d; drop", size+3), want: "unknown dot charged; closed"},
		{name: "S39 552 in mid-body", must: saidIt + ": failed", script: "body: skip 1000; 552 5.3.4 too big; wait 50ms; drop", tcp: true, letter: big,
			want: "failed dot 552 charged; closed", says: "5.3.4 too big"},
		{name: "S39 552 in mid-body, over TLS", must: saidIt + ": failed", script: "body: skip 1000; 552 5.3.4 too big; wait 50ms; drop", tcp: true, letter: big,
			demand: route.Required, want: "failed dot 552 charged; closed", says: "5.3.4 too big"},
		{name: "S39 421 in mid-body", must: saidIt + ": tried later", script: "body: skip 1000; 421 4.3.0 bye; wait 50ms; drop", tcp: true, letter: big,
			want: "deferred dot 421 charged; closed", says: "bye"},
		{name: "S39 421 in mid-body, and stops reading", must: saidIt + ": tried later", script: "body: skip 1000; 421 4.3.0 bye; hang", tcp: true, letter: big, limits: quick,
			want: "deferred dot 421 charged; closed", says: "bye"},
		{name: "S39 250 in mid-body, and stops reading", must: "protocol error: tried later", script: "body: skip 1000; 250 ok; hang", tcp: true, letter: big, limits: quick,
			want: "deferred dot charged; closed", says: "protocol error: 250 before the end"},
		{name: "S39 250 in mid-body, and reads on", must: "protocol error: tried later", script: "body: skip 1000; 250 ok; wait 300ms", tcp: true, letter: big,
			want: "deferred dot charged; closed", says: "protocol error: 250 before the end"},
		{name: "S40 stops reading", must: "tried later; 3 min limit for each write, 2 s for last words", script: "body: hang", want: "deferred dot charged; closed; 3m2s",
			says: "timed out in the middle of the message"},
		{name: "S40 stops reading a large letter", must: "tried later; the limit is for each write", script: "body: skip 1000; hang", tcp: true, letter: big, limits: quick,
			want: "deferred dot charged; closed"},
		{name: "S40 reads slowly", must: "works, as each write is in time", script: "body: skip 16384; wait 2m; skip 16384; wait 2m; ok", letter: func() *letter { return long(40_000) },
			want: "sent dot 250 charged; kept; 4m0s"},
	})
}

// long is a letter of at least n octets.
func long(n int) *letter {
	l := &letter{}
	for len(l.text) < n {
		l.text += "a line of a letter that is somewhat longer than the others\r\n"
	}
	return l
}

// TestFaultDot is about the reply to the final dot, and the goodbye.
func TestFaultDot(t *testing.T) {
	table := []row{
		{name: "S41 dot 421", must: "tried later; closed", script: "dot: 421 4.3.0 later; drop", second: true, want: "deferred dot 421 charged; closed"},
		{name: "S41 dot 450", must: "tried later" + keeps, script: "dot: 450 4.2.0 later", want: "deferred dot 450 charged; kept"},
		{name: "S41 dot 451", must: "tried later" + keeps, script: "dot: 451 4.3.0 later", want: "deferred dot 451 charged; kept"},
		{name: "S41 dot 452", must: "tried later" + keeps, script: "dot: 452 4.3.1 later", want: "deferred dot 452 charged; kept"},
		{name: "S42 dot 550", must: final + keeps, script: "dot: 550 5.7.1 no", second: true, want: "failed dot 550 charged; kept"},
		{name: "S42 dot 552, too big", must: final + keeps, script: "dot: 552 5.3.4 too big", want: "failed dot 552 charged; kept"},
		{name: "S42 dot 552, mailbox full", must: "tried later" + keeps, script: "dot: 552 5.2.2 mailbox full", want: "deferred dot 552 charged; kept"},
		{name: "S42 dot 552, mailbox full in words", must: "tried later" + keeps, script: "dot: 552 mailbox is full", want: "deferred dot 552 charged; kept"},
		{name: "S42 dot 554", must: final + keeps, script: "dot: 554 5.7.1 spam", want: "failed dot 554 charged; kept"},
		{name: "S43 dot drop", must: doubtful + ", and no other host is asked", script: "dot: drop", second: true, want: "unknown dot charged; closed"},
		{name: "S43 dot reset", must: doubtful, script: "dot: rst", tcp: true, want: "unknown dot charged; closed"},
		{name: "S43 dot hang", must: doubtful + "; 10 min limit", script: "dot: hang", second: true, want: "unknown dot charged; closed; 10m0s", says: "before the reply to the message came"},
		{name: "S44 taken, drop", must: doubtful, script: "dot: accept; drop", second: true, want: "unknown dot charged; closed; 1 accepted"},
		{name: "S44 taken, hang", must: doubtful + "; 10 min limit", script: "dot: accept; hang", want: "unknown dot charged; closed; 1 accepted; 10m0s"},
		{name: "S45 reply cut in its code", must: doubtful, script: `dot: raw "25"; drop`, want: "unknown dot charged; closed"},
		{name: "S45 reply cut before its end", must: doubtful, script: `dot: accept; raw "250 2.0.0 ok"; drop`, want: "unknown dot charged; closed; 1 accepted"},
		{name: "S45 reply cut between lines", must: doubtful, script: `dot: 250-ok; drop`, want: "unknown dot charged; closed"},
		{name: "S46 250 after 30 s", must: taken, script: "dot: wait 30s; ok", want: "sent dot 250 charged; kept; 30s"},
		{name: "S46 250 after 9 min", must: taken, script: "dot: wait 9m; ok", want: "sent dot 250 charged; kept; 9m0s"},
		{name: "S47 250 octet by octet", must: taken, script: "dot: accept; drip 1s 250 ok", want: "sent dot 250 charged; kept; 8s"},
		{name: "S47 250 of 200 lines", must: taken, script: "dot: accept; times 199 250-a; 250 b", want: "sent dot 250 charged; kept"},
		{name: "S47 line of 4 KiB", must: taken + keeps, script: `dot: accept; raw "250 "; blow 4090; raw "\r\n"`, want: "sent dot 250 charged; kept"},
		{name: "S47 line of more than 4 KiB", must: taken + "; closed", script: `dot: accept; raw "250 "; blow 4091; raw "\r\n"`, want: "sent dot 250 charged; closed"},
		{name: "S47 line of 1 MiB", must: taken + "; closed", script: `dot: accept; raw "250 "; blow 1048576; raw "\r\n"`, want: "sent dot 250 charged; closed; 1024 KiB read"},
		{name: "S47 line of 2 MiB", must: taken + "; closed", script: `dot: accept; raw "250 "; blow 2097152; raw "\r\n"`, want: "sent dot 250 charged; closed; 2048 KiB read"},
		{name: "S47 line of 3 MiB", must: doubtful + "; read no further than 2 MiB", script: `dot: accept; raw "250 "; blow 3145728; raw "\r\n"`,
			want: "unknown dot charged; closed; 1 accepted; 2056 KiB read", says: "endless line"},
		{name: "S47 line without end", must: doubtful, script: `dot: accept; raw "250 "; blow 1048576; drop`, want: "unknown dot charged; closed; 1 accepted; 1024 KiB read"},
		{name: "S48 dot 354", must: doubtful + "; closed, as it is out of step", script: "dot: 354 go", want: "unknown dot 354 charged; closed"},
		{name: "S48 dot 220", must: doubtful + "; closed, as it is out of step", script: "dot: 220 hi", want: "unknown dot 220 charged; closed"},
		{name: "S49 junk, then 250", must: doubtful + "; closed", script: `dot: raw "what?\r\n250 ok\r\n"`, want: "unknown dot charged; closed"},
	}
	for _, q := range []string{"drop", "hang", "500 what", `raw "what?"; hang`, "221-a; drop", "half; hang"} {
		table = append(table, row{name: "S50 QUIT " + q, must: "the outcome stands, and nobody waits for more than 2 s", script: "quit: " + q, want: "sent dot 250 charged; kept"})
	}
	rows(t, table)
}
