package cmd

import (
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// setting is a campaign's peer and what it is like.
type setting struct {
	peer      smtptest.Options
	copies    int // people in cc of each row
	queues    int // specific ones
	pipelines bool
	resends   bool // on_unknown: resend
	early     bool // its processes end before they have a plan

	server  *pgtest.Own // of the journal; nil: it is in a file
	crashes bool        // the server ends now and then, too, as by a power cut
}

// flaky tells that the peer refuses connections and logins, too. It is the one with TLS.
func (s *setting) flaky() bool { return s.peer.TLS != nil }

const (
	campaignConnections = 8
	perConnection       = 40 // messages; the scripts of peers go as far
)

// folder makes the campaign's folder, with a list of nobody.
func (s *setting) folder(t *testing.T, port int) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name: kills\nfrom: Shop <news@shop.example>\nsubject: \"News for {{ .name }}\"\ntemplate: letter.txt\n"+
		"recipients: people.csv\nunsubscribe: false\nconnections: %d\ngeneral: {per_domain: 4, messages_per_connection: %d}\n"+
		"retry: {first: 1s, max: 1s, wait: 2s}\n", campaignConnections, perConnection)
	smtp := fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", port)
	files := map[string]string{"people.csv": "email,name,boss\n", "letter.txt": "Dear {{ .name }},\n\nnews.\n"}
	if s.flaky() {
		smtp = fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: starttls, ca_file: ca.pem, user: %s, password: %s}\n", port, s.peer.User, s.peer.Password)
		files["ca.pem"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.peer.TLS.Certificates[0].Certificate[0]}))
	}
	if s.server != nil {
		fmt.Fprintf(&b, "state: %s\n", s.server.DSN)
	}
	b.WriteString(smtp)
	if s.copies > 0 {
		b.WriteString("cc: [\"{{ .boss }}\"")
		for i := 1; i < s.copies; i++ {
			fmt.Fprintf(&b, ", \"deputy%d.{{ .boss }}\"", i)
		}
		b.WriteString("]\n")
	}
	if s.queues > 0 {
		b.WriteString("queues:\n")
		for i := range s.queues {
			fmt.Fprintf(&b, "  q%d: {domains: [large%d.example], connections: 4, messages_per_connection: %d}\n", i, i, perConnection)
		}
	}
	if !s.pipelines {
		b.WriteString("pipelining: off\n")
	}
	if s.resends {
		b.WriteString("on_unknown: resend\n")
	}
	files["campaign.yaml"] = b.String()
	return folder(t, files)
}

// grow adds n rows to the list, from number first on, and gives their people: half at the large domains, which have queues of
// their own where there are any, the others at thirty small ones.
func (s *setting) grow(t *testing.T, dir string, first, n int) (people []string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "people.csv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := first; i < first+n; i++ {
		to, boss := fmt.Sprintf("p%d@small%d.example", i, i%30), fmt.Sprintf("boss%d@large%d.example", i, (i+1)%3)
		if i%2 == 0 {
			to = fmt.Sprintf("p%d@large%d.example", i, i%3)
		}
		fmt.Fprintf(f, "%s,Name%d,%s\n", to, i, boss)
		people = append(people, to)
		for c := range s.copies {
			if c > 0 {
				boss = fmt.Sprintf("deputy%d.boss%d@large%d.example", c, i, (i+1)%3)
			}
			people = append(people, boss)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return people
}

// wellBehaved takes everything.
func wellBehaved() smtptest.Options {
	return smtptest.Options{Addr: "127.0.0.1:0", Latency: time.Millisecond}
}

// dropping closes the connection after every fourth final dot; half of these messages it has taken, half it has not.
func dropping(rng *rand.Rand) smtptest.Options {
	o := wellBehaved()
	for range scripts {
		var b strings.Builder
		for n := range perConnection {
			switch rng.IntN(8) {
			case 0:
				fmt.Fprintf(&b, "dot#%d: accept; drop\n", n+1)
			case 1:
				fmt.Fprintf(&b, "dot#%d: drop\n", n+1)
			}
		}
		o.Scripts = append(o.Scripts, b.String())
	}
	return o
}

// scripts is for how many connections a peer is scripted; there are fewer.
const scripts = 8000

// faults are what a flaky peer does in place of what is proper.
var faults = []string{
	"451 4.3.0 not now",
	"550 5.3.0 no",
	"421 4.3.2 closing; drop",
	"drop",
	"rst",
	"wait 400ms; drop", // a hang, as far as a test can wait for its end
	"wait 100ms; ok",
	`raw "25"; drop`,
	`raw "\x00\xff what?\r\n"; ok`,
	`raw "250-and so\r\n550 forth\r\n"; drop`,
}

// doubtful is what it does after a final dot besides: the message is taken, and the client cannot know.
var doubtful = []string{"accept; drop", "accept; rst", `accept; raw "25"; drop`, `accept; raw "\x00\xff what?\r\n"; 250 taken`, "accept; wait 400ms; drop"}

// stages are where a flaky peer does so. The last two have no reply of their own.
var stages = []string{"connect", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "noop", "quit", "tls", "body"}

// flaky misbehaves in one of twenty things it does, at every stage and verb, STARTTLS and AUTH among them.
func flaky(t *testing.T, rng *rand.Rand) smtptest.Options {
	o := wellBehaved()
	o.TLS, o.User, o.Password = smtptest.NewCA(t).Server("127.0.0.1"), "shop", "correct-horse"
	for range scripts {
		var b strings.Builder
		for _, stage := range stages {
			times := 2
			switch stage {
			case "mail", "data", "body", "dot", "rset":
				times = perConnection
			case "rcpt":
				times = 2 * perConnection
			}
			for n := range times {
				if rng.IntN(20) == 0 {
					fmt.Fprintf(&b, "%s#%d: %s\n", stage, n+1, misdeed(rng, stage))
				}
			}
		}
		o.Scripts = append(o.Scripts, b.String())
	}
	return o
}

func misdeed(rng *rand.Rand, stage string) string {
	all := faults
	switch stage {
	case "dot":
		all = append(doubtful, faults...)
	case "tls", "body":
		all = []string{"drop", "rst", "wait 400ms; drop", "421 4.3.2 closing; drop"}
	case "connect":
		all = append([]string{"554 5.3.2 no; drop"}, faults...)
	}
	return all[rng.IntN(len(all))]
}
