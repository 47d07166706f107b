package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/journaltest"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

// What stands in the tests for what tells of people. The first octets make each long enough that no other octets look like it.
func addressOf(run string, n int) string {
	return fmt.Sprintf("person%d.%s@hidden-%d.example", n, run, n)
}
func nameOf(run string, n int) string { return fmt.Sprintf("Nómen-%d-Secretum-%s!", n, run) }

var purgeSpecs = map[string]Spec{
	"spring":  {Campaign: "spring", Key: "w1", Source: "key=email list=0123456789abcdef"},
	"spring2": {Campaign: "spring", Key: "w2", Source: "key=email list=0123456789abcdef"},
	"autumn":  {Campaign: "autumn", Source: "key=email query=0123456789abcdef"},
}

const purgePeople = 40

// crowded makes a journal with runs in which everything happened that can: all statuses, tries put off, rows that are gone and
// reopened ones, intents without an outcome, rows that an earlier reading skipped, kept rows, notes and pauses.
func crowded(t *testing.T, rng *rand.Rand) (dir string) {
	dir = stateDir(t)
	for range 2 {
		for _, name := range []string{"spring", "autumn", "spring2"} {
			b := open(t, dir)
			stop := serve(b)
			r := begin(t, b, purgeSpecs[name])
			live(t, rng, r, name)
			check(t, b.Suppress(t.Context(), []Suppression{{Whom: "barred@hidden.example", At: time.Now()}}))
			check(t, stop())
			check(t, r.Close())
			check(t, b.Close())
		}
	}
	return dir
}

func live(t *testing.T, rng *rand.Rand, r *Run, name string) {
	ctx := t.Context()
	if _, err := r.Reopen(ctx, delivery.Failed, 0, func(delivery.ID) bool { return rng.IntN(2) == 0 }); err != nil {
		t.Fatal(err)
	}
	for from := 0; from < purgePeople; from += 8 {
		var ms []*delivery.Message
		for n := from; n < from+8; n++ {
			ms = append(ms, &delivery.Message{ID: id(r, n), To: addressOf(name, n), Journal: r, Print: rng.Uint64(), Attempts: rng.IntN(3)})
		}
		check(t, r.Intend(ms)(ctx))
		for i, m := range ms {
			if from+i >= 5 { // the others were on the wire when the process was killed
				r.Record([]delivery.Outcome{became(rng, m, name, from+i)})
			}
		}
	}
	check(t, r.Flush(ctx))
	check(t, r.Skip(ctx, []Skipped{{Number: rng.IntN(2), Line: 7, To: addressOf(name, 1000) + ",", Class: delivery.ClassInvalid, Text: nameOf(name, 1000)}}))
	check(t, r.Keep(ctx, []string{"email", "name"}, []Kept{{ID: id(r, 7), To: addressOf(name, 7), Fields: []string{addressOf(name, 7), nameOf(name, 1001)}}}))
	check(t, r.Note(ctx, "the list was changed"))
	check(t, r.Note(ctx, "bounced: "+addressOf(name, 1002)))
	check(t, r.PauseNow(ctx, delivery.Pause{Breaker: "site", Kind: "site", Name: "hidden-9.example", Text: nameOf(name, 1003), At: time.Now()}))
	check(t, r.PauseNow(ctx, delivery.Pause{Breaker: "login", Kind: "route", Name: "relay", Text: nameOf(name, 1004), Host: "relay.test", At: time.Now()}))
	check(t, r.Expect(ctx, purgePeople+1, 10))
}

func became(rng *rand.Rand, m *delivery.Message, name string, n int) delivery.Outcome {
	at := func() time.Time { return time.UnixMicro(rng.Int64N(1e15) + 1) }
	return delivery.Outcome{ID: m.ID, To: m.To, Status: delivery.Status(rng.IntN(int(delivery.Skipped) + 1)), Attempt: 1 + rng.IntN(3), Try: 3,
		Charged: rng.IntN(2) == 0, Class: delivery.Class(rng.IntN(5)), Code: 250 + n, Enhanced: "5.1.1", Text: nameOf(name, n) + " is not here",
		Host: fmt.Sprintf("mx.hidden-%d.example", n), Queue: fmt.Sprintf("hidden-%d.example", n), TLS: "TLS1.3", Print: m.Print,
		First: at(), At: at(), Next: at()}
}

// secrets are what must not be found after a run was purged.
func secrets(name string) (all []string) {
	for n := range purgePeople {
		all = append(all, addressOf(name, n))
		if n >= 5 {
			all = append(all, nameOf(name, n))
		}
	}
	all = append(all, addressOf(name, 1000))
	for n := 1000; n < 1005; n++ {
		if n != 1002 {
			all = append(all, nameOf(name, n))
		}
	}
	return append(all, addressOf(name, 1002))
}

func copied(t *testing.T, from string) (dir string) {
	dir = stateDir(t)
	check(t, os.CopyFS(dir, os.DirFS(from)))
	check(t, os.Chmod(dir, 0o700))
	return dir
}

// purgeRuns purges runs by their names of the test.
func purgeRuns(t *testing.T, b *Book, names ...string) error {
	t.Helper()
	var infos []RunInfo
	for _, n := range names {
		infos = append(infos, found(t, b, n))
	}
	return b.Purge(t.Context(), infos, time.UnixMicro(1764000000000000), func(s string) string { return s[:10] })
}

func found(t *testing.T, b *Book, name string) RunInfo {
	t.Helper()
	s := purgeSpecs[name]
	info, err := b.Find(t.Context(), s.Campaign+"/"+s.Key)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// Whatever happened in a run: after a purge no octet tells of its people, and every delivery is in the state it was in.
func TestFaultPurgeTraces(t *testing.T) {
	t.Parallel()
	seeds := 1
	if os.Getenv("MAILBLAST_LONG") == "1" {
		seeds = 30
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		before := crowded(t, rng)
		dir := copied(t, before)
		for _, name := range []string{"spring", "spring2", "autumn"} {
			if got := journaltest.Traces(t, dir, secrets(name)); len(got) < len(secrets(name)) {
				t.Fatalf("seed %d: only %d of %d secrets of %s are there to be purged", seed, len(got), len(secrets(name)), name)
			}
		}
		old, b := open(t, before), open(t, dir)
		for range 2 { // the second time there is nothing left to do
			check(t, purgeRuns(t, b, "spring", "autumn"))
		}
		for _, name := range []string{"spring", "autumn"} { // while it is open, with its log
			if got := journaltest.Traces(t, dir, secrets(name)); len(got) > 0 {
				t.Errorf("seed %d: %d left: %q", seed, len(got), got[0])
			}
			same(t, old, b, name, true)
		}
		if got := journaltest.Traces(t, dir, append(secrets("spring2"), "barred@hidden.example")); len(got) <= len(secrets("spring2")) {
			t.Errorf("seed %d: of another run and of the suppression list only %d are left", seed, len(got))
		}
		same(t, old, b, "spring2", false)
		states(t, old, b)
	}
	t.Attr("fault", "P12 somebody reads the state directory after a purge")
	t.Attr("expected", "no octet of an address, a name, a server's text or a host; every delivery in the state it was in")
	t.Attr("seen", "addresses, names, texts and hosts are nowhere, also as UTF-16, base64 or hex; all states are the same")
}

// same holds a run against what it was before.
func same(t *testing.T, old, b *Book, name string, purged bool) {
	t.Helper()
	was, is := found(t, old, name), found(t, b, name)
	if holds, err := b.Holds(t.Context(), is); err != nil || holds == purged {
		t.Errorf("%s: holds some: %v, %v", name, holds, err)
	}
	if is.Purged.IsZero() == purged {
		t.Errorf("%s: purged at %v", name, is.Purged)
	}
	if purged {
		was.Purged, was.Columns, was.Source, was.Notes = time.UnixMicro(1764000000000000), []string{}, was.Source[:10], []string{"the list was changed", "the list was changed"}
	}
	if !reflect.DeepEqual(was, is) {
		t.Errorf("%s was\n%+v, is\n%+v", name, was, is)
	}
	var want, got []delivery.Outcome
	for o, err := range old.Outcomes(t.Context(), was) {
		if check(t, err); purged {
			o.To, o.Text, o.Host, o.Queue, o.Print = "", "", "", "", 0
		}
		want = append(want, o)
	}
	for o, err := range b.Outcomes(t.Context(), is) {
		check(t, err)
		got = append(got, o)
	}
	if !reflect.DeepEqual(got, want) || len(got) == 0 {
		t.Errorf("%s: outcomes\n%+v, want\n%+v", name, got, want)
	}
	lines := map[bool][]Skipped{}
	for old, b := range map[bool]*Book{true: old, false: b} {
		for s, err := range b.Skipped(t.Context(), is) {
			if check(t, err); old && purged {
				s.To, s.Text = "", ""
			}
			lines[old] = append(lines[old], s)
		}
	}
	if !slices.Equal(lines[true], lines[false]) || len(lines[true]) != 1 {
		t.Errorf("%s: skipped rows %+v", name, lines)
	}
	pauses, err := b.Pauses(t.Context(), is)
	if check(t, err); purged && (len(pauses) != 1 || pauses[0].Text+pauses[0].Host != "") || !purged && len(pauses) != 2 {
		t.Errorf("%s: pauses %+v", name, pauses)
	}
	if f, err := b.Fields(t.Context(), delivery.ID{Run: is.ID, Key: id(&Run{info: is}, 7).Key, Copy: 1}); err != nil || (f == nil) != purged {
		t.Errorf("%s: kept row %q, %v", name, f, err)
	}
}

// states begins the runs of two journals and compares the state of every delivery; those that were on the wire become unknown.
func states(t *testing.T, old, b *Book) {
	t.Helper()
	for name, spec := range purgeSpecs {
		var got [2][]state.State
		for i, book := range []*Book{old, b} {
			r := begin(t, book, spec)
			var ids []delivery.ID
			for n := range purgePeople + 1 {
				ids = append(ids, id(r, n))
			}
			var err error
			got[i], err = r.Lookup(t.Context(), ids)
			check(t, err)
			if spec.Key != "w2" {
				for n := range got[i] {
					if i == 1 && got[i][n].Print != 0 {
						t.Errorf("%s: delivery %d has a fingerprint", name, n)
					}
					got[i][n].Print = 0
				}
			}
			if got[i][0].Status != delivery.Unknown || got[i][purgePeople].Status != delivery.NotTried {
				t.Errorf("%s: %+v, %+v", name, got[i][0], got[i][purgePeople])
			}
			check(t, r.Close())
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s: states were\n%+v, are\n%+v", name, got[0], got[1])
		}
	}
}
