package cmd

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/journaltest"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

const purgeable = 30 // people of whom the last three are refused

// told is a campaign that was sent, with whatever a state directory may keep of people, and the words that tell of them.
func (p program) told(t *testing.T) (dir string, peer *smtptest.Peer, words []string) {
	t.Helper()
	peer = smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(_, arg string) string {
		if _, rest, ok := strings.Cut(arg, "refused"); ok {
			who, _, _ := strings.Cut(rest, "@")
			return "550 5.1.1 no Quisquam" + who + " in this house"
		}
		return ""
	}})
	list := "email,name\n"
	for n := range purgeable {
		who := "person"
		if n >= purgeable-3 {
			who = "refused"
			words = append(words, fmt.Sprintf("Quisquam%d in", n), fmt.Sprintf("Nómen%dSecretum", n))
		}
		to := fmt.Sprintf("%s%d@hidden%d.example", who, n, n)
		list += fmt.Sprintf("%s,Nómen%dSecretum\n", to, n)
		words = append(words, to)
	}
	list += "nobody.at.all,x\n"
	dir = folder(t, map[string]string{
		"campaign.yaml": campaignHead + "smtp: {host: 127.0.0.1, port: " + strconv.Itoa(peer.Port()) + ", tls: none}\n",
		"letter.txt":    "Hello {{ .name }}\n", "list.csv": list,
	})
	p.run(t, dir, []int{exitOK}, "send")
	p.run(t, dir, []int{exitOK}, "report", "-o", "csv", "--out", ".mailblast/everybody.csv")
	p.run(t, dir, []int{exitOK}, "preview", "--out", ".mailblast/letters")
	for name, text := range map[string]string{"tmp/rows-1": list, "journal.damaged-20260101-000000/journal.db": list} {
		path := filepath.Join(dir, ".mailblast", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, peer, append(words, "nobody.at.all")
}

// Wherever a purge is killed, between any two things it does to the disk, the journal says the same of every delivery, and
// the next purge leaves nothing of anybody. Nobody gets a letter twice.
func TestFaultKillInPurge(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p, rng := build(t), rand.New(rand.NewPCG(seedOf(t), 3))
	dir, peer, words := p.told(t)
	if got := journaltest.Traces(t, filepath.Join(dir, ".mailblast"), words); len(got) != len(words) {
		t.Fatalf("of %d words only %d are there to be purged: %q", len(words), len(got), got)
	}
	accepted, counts := peer.Accepted(), p.run(t, dir, []int{exitOK}, "status")
	if accepted != purgeable-3 {
		t.Fatalf("%d letters accepted", accepted)
	}
	killed := 0
	places := purgePlaces(rng)
	for _, at := range places {
		again := twin(t, dir)
		call := p.killedAt(t, again, at, "purge", "--all", "--yes")
		if call != "" {
			killed++
		}
		if got := p.run(t, again, []int{exitOK}, "status"); got != counts {
			t.Errorf("killed at %s: %s, want %s", call, got, counts)
		}
		p.run(t, again, []int{exitOK}, "purge", "--all", "--yes")
		if got := journaltest.Traces(t, filepath.Join(again, ".mailblast"), words); len(got) > 0 {
			t.Errorf("killed at %s: %d left: %q", call, len(got), got[0])
		}
		if got := p.run(t, again, []int{exitOK}, "status"); got != counts {
			t.Errorf("killed at %s, purged again: %s, want %s", call, got, counts)
		}
		if p.run(t, again, []int{exitOK}, "send"); peer.Accepted() != accepted {
			t.Fatalf("killed at %s: %d letters sent again", call, peer.Accepted()-accepted)
		}
	}
	if killed == 0 {
		t.Error("no process was killed")
	}
	t.Attr("fault", "P12 kill during a purge, at its writes")
	t.Attr("expected", "the journal stays valid; purged again, nothing is left of anybody, and nobody gets a letter twice")
	t.Attr("seen", fmt.Sprintf("killed at %d places: states the same, no octet left, 0 letters sent again", killed))
}

// purgePlaces are the calls by which a purge changes what is on disk, as often as it makes them.
func purgePlaces(rng *rand.Rand) (all []place) {
	for call, most := range map[string]int{"pwrite64": 60, "fsync": 10, "ftruncate": 6, "unlinkat": 40} {
		for n := range most {
			all = append(all, place{call, n + 1})
		}
	}
	slices.SortFunc(all, func(x, y place) int { return cmp.Or(strings.Compare(x.call, y.call), x.n-y.n) })
	if os.Getenv("MAILBLAST_KILLS") == "" { // some of them
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:3]
	}
	return all
}

// A person is shown what goes and is asked; anything but yes changes nothing. A send that comes meanwhile is told why it may not.
func TestPurgeAsks(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list("ana@x.test", "bob@x.test"),
	})
	s.run("send").exits(exitOK)
	state := filepath.Join(s.dir, ".mailblast")
	for _, said := range []string{"no\n", "y\nno\n"} {
		s.onTerminal(said, "purge").exits(exitRefused).says("lab: 2 deliveries, begun 20", "Delete it for good? Type yes", "not purged, as you said")
	}
	if got := journaltest.Traces(t, state, []string{"ana@x.test", "bob@x.test"}); len(got) != 2 {
		t.Fatalf("only %q are left", got)
	}
	held, err := lock.Alone(t.Context(), state, lock.Holder{PID: 4711, Host: "there", Doing: "purged"})
	if err != nil {
		t.Fatal(err)
	}
	s.run("send").exits(exitPaused).says("the state directory is being purged by process 4711 on there since")
	if e := s.run("status").exits(exitOK); !strings.HasPrefix(e.out, "lab finished") {
		t.Errorf("status while it is purged: %s", e.out)
	}
	s.run("purge", "-y").exits(exitPaused).says("nothing was purged: the state directory is being purged by process 4711")
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	s.onTerminal("yes\n", "purge").exits(exitOK).says("What stays: keys", "purged 1 run (2 deliveries) and 0 files from")
	if got := journaltest.Traces(t, state, []string{"ana@x.test", "bob@x.test"}); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}

// asking is a person who does something before they answer.
type asking struct {
	first  func()
	answer io.Reader
}

func (a *asking) Read(b []byte) (int, error) {
	if a.first != nil {
		a.first()
		a.first = nil
	}
	return a.answer.Read(b)
}

// While it is purged, nothing begins in a state directory: no campaign that it never heard of either.
func TestPurgeKeepsAllOut(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	smtp := fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port())
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + smtp, "other.yaml": strings.Replace(campaignHead, "lab", "other", 1) + smtp, "list.csv": list("ana@x.test"),
	})
	s.run("send").exits(exitOK)
	state, asked := filepath.Join(s.dir, ".mailblast"), false
	in := &asking{answer: strings.NewReader("yes\n"), first: func() {
		asked = true
		s.run("send", "other.yaml").exits(exitPaused).says("the state directory is being purged by process 4712")
	}}
	var out, said bytes.Buffer
	e := &env{args: []string{"purge", "--state", state}, in: in, inTTY: true, errTTY: true, width: func() int { return 80 }, out: &out, err: &said, now: time.Now, pid: 4712,
		lookup: func(string) (string, bool) { return "", false }}
	if code := e.main(); code != exitOK || !asked || !strings.Contains(out.String(), "purged 1 run (1 delivery)") || peer.Accepted() != 1 {
		t.Errorf("exit code %d, asked %v, %d letters\n%s%s", code, asked, peer.Accepted(), &out, &said)
	}
	if s.run("send", "other.yaml").exits(exitOK); peer.Accepted() != 2 {
		t.Errorf("%d letters", peer.Accepted())
	}
	s.run("purge", "--all", "--yes").exits(exitOK)
	if names, err := filepath.Glob(filepath.Join(state, "locks", "*_*")); err != nil || len(names) != 1 { // of all, of no campaign
		t.Errorf("locks %q, %v", names, err)
	}
	if names, err := filepath.Glob(filepath.Join(state, "locks", "*%5F*")); err != nil || len(names) != 0 {
		t.Errorf("locks %q, %v", names, err)
	}
}
