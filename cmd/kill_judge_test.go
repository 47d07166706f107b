package cmd

import (
	"encoding/csv"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// byKill is what the report says of a delivery that was on the wire when its process was killed.
const byKill = "interrupted before the reply"

// entry is a line of the report.
type entry struct{ state, why string }

// reported gives what the report says of each person.
func (p program) reported(t *testing.T, dir string, only string) map[string]entry {
	t.Helper()
	args := []string{"report", "-o", "csv"}
	if only != "" {
		args = append(args, "--only", only)
	}
	table, err := csv.NewReader(strings.NewReader(p.run(t, dir, []int{exitOK}, args...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	email, state, why := slices.Index(table[0], "email"), slices.Index(table[0], "state"), slices.Index(table[0], "error")
	all := make(map[string]entry, len(table))
	for _, row := range table[1:] {
		e := entry{state: only, why: row[why]}
		if state >= 0 {
			e.state = row[state]
		}
		if old, ok := all[row[email]]; ok {
			t.Errorf("%s is in the report twice: %v and %v", row[email], old, e)
		}
		all[row[email]] = e
	}
	return all
}

// verdict holds what the report says against what the peer has accepted.
type verdict struct {
	people, accepted                             int
	states                                       map[string]int
	lost, doubles, falseSuccess, falseFailure    []string
	open                                         []string // without final state
	unknown, killed                              []string // in doubt, and of them those by a kill
	changedIDs, sharedIDs, changedDates, unasked []string // of two copies; of two people; people who are not on the list
}

// judge asks the peer's log, once nothing is on the wire.
func (p program) judge(t *testing.T, dir string, s *smtptest.Peer, people []string) *verdict {
	t.Helper()
	await(t, "the end of all connections", func() bool { _, _, open := s.Connections(); return open == 0 })
	v := &verdict{people: len(people), states: map[string]int{}}
	copies := v.letters(t, s.Messages())
	all := p.reported(t, dir, "")
	for _, to := range people {
		e, n := all[to], copies[to]
		v.states[e.state]++
		switch {
		case e.state == "":
			v.lost = append(v.lost, to)
		case e.state == "sent" && n == 0:
			v.falseSuccess = append(v.falseSuccess, to)
		case e.state == "failed" && n > 0:
			v.falseFailure = append(v.falseFailure, to)
		case e.state == "unknown":
			v.unknown = append(v.unknown, to)
			if e.why == byKill {
				v.killed = append(v.killed, to)
			}
		case e.state != "sent" && e.state != "failed":
			v.open = append(v.open, to)
		}
		if n > 1 {
			v.doubles = append(v.doubles, to)
		}
		delete(all, to)
		delete(copies, to)
	}
	v.unasked = slices.Concat(slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(copies)))
	return v
}

// letters counts the copies of each person, and compares them: a second one is the same letter.
func (v *verdict) letters(t *testing.T, ms []smtptest.Message) (copies map[string]int) {
	type letter struct{ id, date string }
	copies = map[string]int{}
	first, owner := map[string]letter{}, map[string]string{}
	for _, m := range ms {
		head, err := mail.ReadMessage(strings.NewReader(m.Data))
		if err != nil {
			t.Fatalf("to %v: %v\n%s", m.To, err, m.Data)
		}
		l := letter{head.Header.Get("Message-Id"), head.Header.Get("Date")}
		to := head.Header.Get("To")
		if old, ok := owner[l.id]; ok && old != to || l.id == "" {
			v.sharedIDs = append(v.sharedIDs, to+" "+l.id)
		}
		owner[l.id] = to
		for _, who := range m.To {
			v.accepted++
			copies[who]++
			old, ok := first[who]
			if !ok {
				first[who] = l
				continue
			}
			if old.id != l.id {
				v.changedIDs = append(v.changedIDs, who)
			}
			if old.date != l.date {
				v.changedDates = append(v.changedDates, who)
			}
		}
	}
	return copies
}

// hold fails the test for everything that a campaign promises and the verdict denies. Who was in doubt before may have a second
// copy, of the same letter.
func (v *verdict) hold(t *testing.T, doubted []string) {
	t.Helper()
	for what, who := range map[string][]string{
		"lost": v.lost, "written to twice": without(v.doubles, doubted), "sent, but not accepted": v.falseSuccess,
		"failed, but accepted": without(v.falseFailure, doubted), "left open": v.open, "not on the list": v.unasked,
		"two Message-IDs": v.changedIDs, "another's Message-ID": v.sharedIDs, "two Dates": v.changedDates,
	} {
		if len(who) > 0 {
			t.Errorf("%s: %d: %v", what, len(who), who[:min(len(who), 20)])
		}
	}
}

func without(all, these []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(these, s) })
}
