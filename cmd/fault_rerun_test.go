package cmd

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// edit is something that is changed between two runs. Two of group 1 have the letter by then, cyd has not; dan is in group 2.
type edit struct {
	name, from, to string // in the campaign's file
	letter         bool
	says           []string
	third          []string // who else gets it
}

const (
	letterChanged = "the letter was changed: 2 have got it as it was before"
	queryChanged  = "the query was changed after 2 have got the letter: who is new on it gets it, who is no longer on it does not"
)

var edits = []edit{
	{name: "R22 nothing edited", third: []string{"cyd"}},
	{name: "R22 letter edited", letter: true, says: []string{letterChanged}, third: []string{"cyd"}},
	{name: "R22 subject edited", from: "subject: Spring", to: "subject: Summer", says: []string{letterChanged}, third: []string{"cyd"}},
	{name: "R22 query edited", from: "grp = 1", to: "grp < 3", says: []string{queryChanged}, third: []string{"cyd", "dan"}},
	{name: "R22 letter and query edited", letter: true, from: "grp = 1", to: "grp = 2", says: []string{letterChanged, queryChanged}, third: []string{"dan"}},
}

// A run that is carried on with another letter or another query: a person is told and asked, cron goes on and notes it in the
// report, and nobody gets a second letter.
func TestFaultEdited(t *testing.T) {
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			t.Attr("fault", e.name+" between runs")
			t.Attr("expected", map[bool]string{true: "nothing is told", false: "a person is told how many have got it, and asked; cron goes on and notes it in the report"}[e.says == nil])
			e.run(t)
		})
	}
}

func (e *edit) run(t *testing.T) {
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	campaign := strings.Replace(campaignHead, "recipients: list.csv", `recipients: {dsn: "sqlite:list.db", query: SELECT email FROM people WHERE grp = 1}`, 1) +
		relayOf(peer, "")
	s := newSending(t, map[string]string{"campaign.yaml": campaign})
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "list.db"))
	must(err)
	_, err = db.Exec(`CREATE TABLE people (email text, grp int); INSERT INTO people VALUES ('ana@x.test', 1), ('bob@x.test', 1), ('cyd@x.test', 1), ('dan@x.test', 2)`)
	must(err)
	must(db.Close())
	s.run("send", "--limit", "2").exits(exitOK)
	if !strings.Contains(campaign, e.from) {
		t.Fatalf("%q is not in %s", e.from, campaign)
	}
	s.write("campaign.yaml", strings.Replace(campaign, e.from, e.to, 1))
	if e.letter {
		s.write("letter.txt", "Hello {{ .email }}, summer is here.\n")
	}
	seen := "cron"
	if there("python3") { // for a terminal
		seen = "a person said no: 0 sent; cron"
		told := s.onTerminal("no\n", "send").exits(exitRefused).says("Type yes", "not sent, as you said").out
		e.tells(t, strings.ReplaceAll(told, "\n", " "))
		if n := peer.Accepted(); n != 2 {
			t.Errorf("%d letters after a no", n)
		}
	}
	s.run("send").exits(exitOK)
	e.tells(t, s.run("report", "-o", "json").exits(exitOK).out)
	got := delivered(peer)
	want := []string{"ana@x.test", "bob@x.test"}
	for _, name := range e.third {
		want = append(want, name+"@x.test")
	}
	if !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
	t.Attr("seen", fmt.Sprintf("%s: %d more sent, none twice, %d notes in the report", seen, len(got)-2, len(e.says)))
}

// tells demands that what was edited is told, and nothing else.
func (e *edit) tells(t *testing.T, text string) {
	t.Helper()
	text = strings.Join(strings.Fields(text), " ")
	for _, words := range []string{letterChanged, queryChanged} {
		if want := slices.Contains(e.says, words); strings.Contains(text, words) != want {
			t.Errorf("tells %q: %v, want %v\n%s", words, !want, want, text)
		}
	}
}

// The same command after everybody has got theirs sends nothing, and is content.
func TestFaultResumeAfterSuccess(t *testing.T) {
	t.Parallel()
	t.Attr("fault", "R23 resumed after success")
	t.Attr("expected", "sends 0, exit 0, says nothing")
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, arg string) string {
		if verb == "RCPT" && strings.Contains(arg, "gone@") {
			return "550 5.1.1 no such user"
		}
		return ""
	}})
	s := toPeer(t, peer, "", list("ana@x.test", "gone@x.test", "bob@x.test"))
	s.run("send").exits(exitOK)
	s.counts(2, 1, 0, 0)
	before := len(peer.Commands())
	for _, args := range [][]string{{"send"}, {"send", "-y"}, {"send", "--json"}} {
		e := s.run(args...).exits(exitOK)
		if e.err != "" || e.out != "" && args[len(args)-1] != "--json" {
			t.Errorf("%v says %q, %q", args, e.out, e.err)
		}
		s.counts(2, 1, 0, 0)
	}
	mails := 0
	for _, c := range peer.Commands()[before:] {
		if strings.Contains(c, "MAIL") {
			mails++
		}
	}
	if mails > 0 || peer.Accepted() != 2 {
		t.Errorf("%d times MAIL, %d accepted", mails, peer.Accepted())
	}
	t.Attr("seen", fmt.Sprintf("3 times: exit 0, %d times MAIL, %d letters to 2 people altogether", mails, peer.Accepted()))
}

// Two campaigns through one smarthost are sent at the same time: neither waits for the other's end, and each has limits of its own.
func TestFaultTwoCampaigns(t *testing.T) {
	t.Parallel()
	t.Attr("fault", "R17 two campaigns at once through one smarthost")
	t.Attr("expected", "both run, each within its own limits; everybody gets one letter of each")
	const connections = 3
	var mu sync.Mutex
	both, from := make(chan struct{}), map[string]bool{}
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, arg string) string {
		if verb != "MAIL" {
			return ""
		}
		mu.Lock()
		if sender, _, _ := strings.Cut(arg, " "); !from[sender] {
			if from[sender] = true; len(from) == 2 {
				close(both)
			}
		}
		mu.Unlock()
		select { // nobody's first letter goes before the other campaign is there as well
		case <-both:
			return ""
		case <-time.After(20 * time.Second):
			return "554 5.0.0 the other campaign does not come"
		}
	}})
	to := people(40, 5)
	spring := toPeer(t, peer, fmt.Sprintf("connections: %d\n", connections), list(to...))
	autumn := newSending(t, map[string]string{"list.csv": list(to...), "campaign.yaml": strings.NewReplacer("name: lab", "name: autumn", "ana@", "bob@").Replace(campaignHead) +
		fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\nconnections: %d\n", peer.Port(), connections)})
	var g sync.WaitGroup
	for _, s := range []*sending{spring, autumn} {
		g.Go(func() {
			if e := s.run("send"); e.code != exitOK {
				t.Errorf("exit code %d\n%s", e.code, e.err)
			}
		})
	}
	g.Wait()
	copies := map[string]int{}
	for _, m := range peer.Messages() {
		copies[m.From+" "+m.To[0]]++
	}
	_, most, _ := peer.Connections()
	if len(copies) != 2*len(to) || peer.Accepted() != 2*len(to) || most > 2*connections {
		t.Errorf("%d of %d letters, %d accepted, %d connections at once", len(copies), 2*len(to), peer.Accepted(), most)
	}
	spring.counts(len(to), 0, 0, 0)
	autumn.counts(len(to), 0, 0, 0)
	t.Attr("seen", fmt.Sprintf("%d letters to %d people, none twice; at most %d connections at once, %d each", peer.Accepted(), len(to), most, connections))
}
