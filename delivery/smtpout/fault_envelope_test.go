package smtpout

import (
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

const (
	certain = "tried later, as it was certainly not taken"
	certai2 = "the next host at once, as it was certainly not taken"
	final   = "failed for good"
	keeps   = "; the connection stays usable"
)

// TestFaultMail is about MAIL, and what a connection that breaks before the body means.
func TestFaultMail(t *testing.T) {
	table := []row{
		{name: "S28 MAIL 421", must: later + "; closed", script: "mail: 421 4.3.2 no; drop", want: "deferred mail 421; closed; cools"},
		{name: "S28 MAIL 421, second host", must: next, script: "mail: 421 4.3.2 no; drop", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S28 MAIL 451", must: later, script: "mail: 451 4.3.0 no", want: "deferred mail 451; closed; cools"},
		{name: "S28 MAIL 451, one by one", must: later, script: "mail: 451 4.3.0 no", serial: true, want: "deferred mail 451; closed; cools"},
		{name: "S28 MAIL 452", must: later, script: "mail: 452 4.3.1 no", want: "deferred mail 452; closed; cools"},
		{name: "S28 MAIL 452, second host", must: next, script: "mail: 452 4.3.1 no", second: true, want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S29 MAIL 550", must: final + keeps, script: "mail: 550 5.7.1 no", want: "failed mail 550 charged; kept"},
		{name: "S29 MAIL 550, second host", must: final + ", and no other host is asked", script: "mail: 550 5.7.1 no", second: true, want: "failed mail 550 charged; kept"},
		{name: "S29 MAIL 552", must: final + keeps, script: "mail: 552 5.3.4 no", want: "failed mail 552 charged; kept"},
		{name: "S29 MAIL 552, one by one", must: final + keeps, script: "mail: 552 no", serial: true, want: "failed mail 552 charged; kept"},
	}
	for verb, limit := range map[string]string{"mail": "5m0s", "rcpt": "5m0s", "data": "2m0s"} {
		for _, serial := range []bool{false, true} {
			for _, how := range []string{"drop", "hang", "rst"} {
				name := "S30 " + verb + " " + how + map[bool]string{true: ", one by one"}[serial]
				took := map[string]string{"hang": "; " + limit}[how]
				table = append(table,
					row{name: name, must: certain, script: verb + ": " + how, serial: serial, tcp: how == "rst", want: "deferred " + verb + " charged; closed" + took},
					row{name: name + ", second host", must: certai2, script: verb + ": " + how, serial: serial, tcp: how == "rst", second: true,
						want: "sent dot 250 charged at mx2; closed" + took})
			}
		}
	}
	rows(t, table)
}

// TestFaultRecipient is about RCPT and DATA.
func TestFaultRecipient(t *testing.T) {
	const apart = "the replies count recipient by recipient"
	rows(t, []row{
		{name: "S31 RCPT 450", must: "tried later" + keeps, script: "rcpt: 450 4.2.1 later", want: "deferred rcpt 450 charged; kept"},
		{name: "S31 RCPT 450, second host", must: "tried later, and no other host is asked", script: "rcpt: 450 4.2.1 later", second: true, want: "deferred rcpt 450 charged; kept"},
		{name: "S31 RCPT 451, one by one", must: "tried later" + keeps, script: "rcpt: 451 4.3.0 later", serial: true, want: "deferred rcpt 451 charged; kept"},
		{name: "S31 RCPT 451 for one of two", must: apart, script: "rcpt#1: 451 4.3.0 later", to: 2, want: "deferred rcpt 451 charged, sent dot 250 charged; kept"},
		{name: "S32 RCPT 452 for the third", must: "the rest in a new transaction, not charged", script: "rcpt#3: 452 4.5.3 too many", to: 3,
			want: "not-tried rcpt, sent dot 250 charged, sent dot 250 charged; kept"},
		{name: "S32 RCPT 452 without enhanced code", must: "the rest in a new transaction, not charged", script: "rcpt#3: 452 too many", to: 3,
			want: "not-tried rcpt, sent dot 250 charged, sent dot 250 charged; kept"},
		{name: "S32 RCPT 552 5.5.3", must: "the rest in a new transaction, not charged", script: "rcpt#2: 552 5.5.3 too many", to: 2,
			want: "not-tried rcpt, sent dot 250 charged; kept"},
		{name: "S32 RCPT 452 for the first", must: "that mailbox is full: tried later", script: "rcpt#1: 452 4.2.2 full", to: 2,
			want: "deferred rcpt 452 charged, sent dot 250 charged; kept"},
		{name: "S33 RCPT 550", must: final + keeps, script: "rcpt: 550 5.1.1 unknown", want: "failed rcpt 550 charged; kept"},
		{name: "S33 RCPT 551, one by one", must: final + keeps, script: "rcpt: 551 5.1.6 moved", serial: true, want: "failed rcpt 551 charged; kept"},
		{name: "S33 RCPT 554, second host", must: final + ", and no other host is asked", script: "rcpt: 554 5.7.1 no", second: true, want: "failed rcpt 554 charged; kept"},
		{name: "S33 RCPT 550 for one of two", must: apart, script: "rcpt#1: 550 5.1.1 unknown", to: 2, want: "failed rcpt 550 charged, sent dot 250 charged; kept"},
		{name: "S34 RCPT 421", must: later + "; closed", script: "rcpt: 421 4.3.2 bye; drop", want: "deferred rcpt 421; closed; cools"},
		{name: "S34 RCPT 421, one by one, second host", must: next, script: "rcpt: 421 4.3.2 bye; drop", serial: true, second: true,
			want: "sent dot 250 charged at mx2; closed; cools"},
		{name: "S34 RCPT 421 after one refused", must: "who was refused is, the rest is tried later", script: "rcpt#1: 550 5.1.1 no\nrcpt#2: 421 4.3.2 bye; drop", to: 2,
			want: "failed rcpt 550 charged, deferred rcpt 421; closed"},
		{name: "S35 RCPT 354", must: "protocol error: closed, tried later, no body", script: "rcpt: 354 go", want: "deferred rcpt charged; closed", says: "protocol error"},
		{name: "S35 RCPT 354, one by one", must: "protocol error: closed, tried later, no body", script: "rcpt: 354 go", serial: true,
			want: "deferred rcpt charged; closed", says: "protocol error"},
		{name: "S35 DATA 250", must: "protocol error: closed, tried later, no body", script: "data: 250 ok", want: "deferred data charged; closed", says: "protocol error"},
		{name: "S35 DATA 250, one by one, second host", must: certai2, script: "data: 250 ok", serial: true, second: true, want: "sent dot 250 charged at mx2; closed"},
		{name: "S36 DATA 421", must: "tried later; closed", script: "data: 421 4.3.2 bye; drop", want: "deferred data 421; closed; cools"},
		{name: "S36 DATA 451", must: "tried later" + keeps, script: "data: 451 4.3.0 later", want: "deferred data 451 charged; kept"},
		{name: "S36 DATA 554", must: final + keeps, script: "data: 554 5.7.1 no", want: "failed data 554 charged; kept"},
		{name: "S36 DATA 554, one by one", must: final + keeps, script: "data: 554 5.7.1 no", serial: true, want: "failed data 554 charged; kept"},
		{name: "S36 354 although nobody is to get it", must: "the dot alone, and its refusal" + keeps, script: "rcpt: 550 5.1.1 unknown\ndata: 354 go\n.: 554 5.5.1 nobody",
			want: "failed rcpt 550 charged; kept"},
		{name: "S36 354 although nobody is to get it, taken", must: "the dot alone; closed, as it was taken", script: "rcpt: 550 5.1.1 unknown\ndata: 354 go\n.: 250 ok",
			want: "failed rcpt 550 charged; closed"},
		{name: "S57 354 before the last recipient's reply", must: "protocol error: closed, tried later, no body", script: "rcpt#2: 354 go", to: 2,
			want: "deferred rcpt charged, deferred rcpt charged; closed", says: "protocol error: 354"},
		{name: "S57 354 for MAIL", must: "protocol error: closed, tried later, no body", script: "mail: 354 go", want: "deferred mail charged; closed", says: "protocol error: 354"},
		{name: "S57 replies in another order", must: "protocol error: closed, tried later, no body", script: "mail: raw \"250 ok\\r\\n354 go\\r\\n250 ok\\r\\n\"; hang",
			want: "deferred rcpt charged; closed", says: "protocol error: 354"},
		{name: "S57 one reply more than commands", must: "protocol error: closed, tried later, no body", script: "mail: raw \"250 ok\\r\\n250 ok\\r\\n354 go\\r\\n250 ok\\r\\n\"; hang",
			want: "deferred dot charged; closed", says: "more than one reply to DATA"},
		{name: "S57 recipients' codes", must: apart, script: "rcpt#2: 550 5.1.1 no\nrcpt#3: 450 4.2.1 no", to: 3,
			want: "failed rcpt 550 charged, deferred rcpt 450 charged, sent dot 250 charged; kept"},
	})
}

// TestFaultExtensions has servers that offer less than usual, and letters that need more. No rule is broken on the way: the
// peer watches.
func TestFaultExtensions(t *testing.T) {
	plain := func() *letter { return &letter{text: "a\r\n"} }
	eight := func() *letter { return &letter{text: "\xc3\xb1\r\n", eightBit: true} }
	utf8 := func() *letter { return &letter{text: "Subject: \xc3\xb1\r\n\r\na\r\n", utf8: true} }
	huge := func() *letter { return &letter{text: "a\r\n", size: 11} }
	const works, refuse = "works", "failed before MAIL, nothing of it is sent"
	all := []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE"}
	rows(t, []row{
		{name: "S55 larger than SIZE", must: refuse, ext: []string{"SIZE 10", "PIPELINING"}, letter: huge, want: "failed mail charged; kept", says: "5.3.4"},
		{name: "S55 as large as SIZE", must: works, ext: []string{"SIZE 11", "PIPELINING"}, letter: huge, want: "sent dot 250 charged; kept"},
		{name: "S56 everything offered", must: works, ext: all, letter: utf8, want: "sent dot 250 charged; kept"},
		{name: "S56 nothing offered", must: works, ext: []string{}, letter: plain, to: 3, want: "sent dot 250 charged, sent dot 250 charged, sent dot 250 charged; kept"},
		{name: "S56 nothing offered, 8 bit", must: refuse, ext: []string{}, letter: eight, want: "failed mail charged; kept", says: "5.6.1"},
		{name: "S56 nothing offered, SMTPUTF8", must: refuse, ext: []string{}, letter: utf8, want: "failed mail charged; kept", says: "5.6.7"},
		{name: "S56 no 8BITMIME", must: works, ext: []string{"PIPELINING", "SIZE"}, letter: plain, want: "sent dot 250 charged; kept"},
		{name: "S56 no 8BITMIME, 8 bit", must: refuse, ext: []string{"PIPELINING", "SIZE"}, letter: eight, want: "failed mail charged; kept", says: "5.6.1"},
		{name: "S56 no SMTPUTF8, 8 bit", must: works, ext: []string{"PIPELINING", "8BITMIME"}, letter: eight, want: "sent dot 250 charged; kept"},
		{name: "S56 no SMTPUTF8, SMTPUTF8", must: refuse, ext: []string{"PIPELINING", "8BITMIME"}, letter: utf8, want: "failed mail charged; kept", says: "5.6.7"},
		{name: "S56 no PIPELINING", must: works + ", one by one", ext: []string{"8BITMIME", "SMTPUTF8", "SIZE"}, letter: utf8, to: 2,
			want: "sent dot 250 charged, sent dot 250 charged; kept"},
		{name: "S56 no EHLO", must: works, script: "ehlo: 500 what", letter: plain, want: "sent dot 250 charged; kept"},
	})
}

// S56: one address that the server cannot take does not hold up the others of its transaction.
func TestFaultForeignAddress(t *testing.T) {
	tell(t, "S56 no SMTPUTF8, one of two recipients needs it", "5.6.7 for that one, the other gets it")
	inLab(t, smtptest.Options{Extensions: []string{"PIPELINING"}}, 0, func(l *lab) {
		f := &feed{t: l.t}
		f.batch(hello(), "ñ@example.org", "a@example.org")
		err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{}))
		one, other := f.done[0], f.done[1]
		if err != nil || one.Status != delivery.Failed || one.Enhanced != "5.6.7" || inWords(other) != sent || len(l.p.Violations()) > 0 {
			l.t.Errorf("%+v, %v, %q", f.done, err, l.p.Violations())
		}
		t.Attr("seen", one.Status.String()+" "+one.Enhanced+", "+inWords(other))
	})
}
