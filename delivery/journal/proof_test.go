package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// sightOf is what a journal without damage tells.
func sightOf(t testing.TB, dir string, f files) *sight {
	t.Helper()
	f.lay(t, dir)
	s, _, err := look(context.Background(), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// proof tries damage to every form of a story.
type proof struct {
	t      *testing.T
	s      *story
	other  *story // of another directory, that ends otherwise
	dir    string
	past   []*sight // of the moments
	picked func(k kind) []int
	more   int // each which trial sends more
	n      int
	all    verdicts
}

func newProof(t *testing.T, page int, picked func(kind) []int) *proof {
	p := &proof{t: t, s: tell(t, page, (*writing).three), other: tell(t, page, (*writing).otherwise), dir: memory(t), picked: picked, more: 5}
	p.past = make([]*sight, len(p.s.moments))
	return p
}

// rows tries all damage to all forms, by the rows of the table of faults.
func (p *proof) rows(t *testing.T) {
	for _, fault := range []struct{ row, must string }{
		{short, "refused by a typed error that changes nothing, or harmless: never a wrong sent, never a silent unsent"},
		{corrupt, "refused by a typed error before anything is sent, or harmless, also for what is sent after: never a wrong sent, never a silent unsent"},
		{another, "refused by a typed error, or what was true at that moment where all witnesses went back with it"},
	} {
		t.Run(fault.row[:3], func(t *testing.T) {
			p.t, p.all = t, verdicts{}
			t.Attr("fault", fault.row)
			t.Attr("expected", fault.must)
			p.forms(fault.row)
			t.Attr("seen", p.all.String())
		})
	}
}

// whole makes sure that without damage the story is what was told.
func (p *proof) whole(t *testing.T) {
	for _, f := range []files{p.s.killed, p.s.closed} {
		seen := sightOf(t, p.dir, f)
		for n, want := range truth {
			if seen.states[n].Status != want {
				t.Errorf("%d is %v, want %v", n, seen.states[n].Status, want)
			}
		}
		r := trial{t: t, dir: p.dir, more: true}
		r.do("no damage", f, seen)
		if r.v != (verdicts{harmless: 1}) {
			t.Error(r.v)
		}
	}
	if seen := sightOf(t, p.dir, p.s.first); seen.states[7].Status != delivery.Unknown || seen.states[9].Status != delivery.Failed {
		t.Error(seen)
	}
}

// forms are a journal closed well, killed late, and killed early, each with what went before it.
func (p *proof) forms(row string) {
	for _, form := range []struct {
		name     string
		f, other files
	}{{"closed", p.s.closed, p.other.closed}, {"killed", p.s.killed, p.other.killed}, {"killed at first", p.s.first, p.other.killed}} {
		end := slices.IndexFunc(p.s.moments, form.f.same)
		if end < 0 {
			end = len(p.s.moments) - 1
		}
		earlier, now := p.s.moments[:end], sightOf(p.t, p.dir, form.f)
		for _, k := range append(damages(form.f, form.other, earlier, p.s.page), takenBack(form.f, form.other, earlier)) {
			if k.row == row {
				k.name = form.name + ", " + k.name
				p.kind(k, now)
			}
		}
	}
}

func (p *proof) kind(k kind, now *sight) {
	r, picked := trial{t: p.t, dir: p.dir}, p.picked(k)
	for _, i := range picked {
		what, f := k.at(i)
		if f == nil {
			continue
		}
		allowed := []*sight{now}
		if k.back != nil && k.back(i) >= 0 {
			m := k.back(i)
			if p.past[m] == nil {
				p.past[m] = sightOf(p.t, p.dir, p.s.moments[m])
			}
			allowed = append(allowed, p.past[m])
		}
		p.n++
		r.more = p.n%p.more == 0
		r.do(what, f, allowed...)
	}
	if len(picked) > 100 {
		p.t.Logf("%s: %v", k.name, r.v)
	}
	p.all.refused, p.all.harmless, p.all.later = p.all.refused+r.v.refused, p.all.harmless+r.v.harmless, p.all.later+r.v.later
}

// Whatever becomes of the files of a journal, it never lies: a sample.
func TestFaultDamage(t *testing.T) {
	rng, wide := rand.New(rand.NewPCG(1, 2)), 20
	if racing {
		wide = 4
	}
	p := newProof(t, 4096, func(k kind) (some []int) {
		if racing && rng.IntN(4) > 0 {
			return nil
		}
		for range 2 {
			if some = append(some, rng.IntN(k.n)); racing {
				break
			}
		}
		for range min(wide, len(k.used)) {
			some = append(some, k.used[rng.IntN(len(k.used))])
		}
		return some
	})
	p.whole(t)
	p.rows(t)
	p.replaced(t)
}

// Every octet, every length, every page, on a journal with small pages; and a fine sample of one as they are.
func TestFaultDamageLong(t *testing.T) {
	if os.Getenv("MAILBLAST_LONG") == "" {
		t.Skip("left out: takes most of an hour; run it with MAILBLAST_LONG=1")
	}
	for page, coarse := range map[int]int{512: 1, 4096: 97} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			p := newProof(t, page, func(k kind) (some []int) {
				step := 1
				if k.n > 5000 {
					step = coarse
				}
				if strings.Contains(k.name, shmFile) { // SQLite throws it away
					step = 97
				}
				for i := 0; i < k.n; i += step {
					some = append(some, i)
				}
				return some
			})
			p.rows(t)
		})
	}
}

// FuzzJournal writes octets over those of a journal, or between them, at an offset into one of its files.
func FuzzJournal(f *testing.F) {
	s, dir := tell(f, 512, (*writing).three), memory(f)
	forms := []files{s.closed, s.killed, s.first}
	var now []*sight
	for _, form := range forms {
		now = append(now, sightOf(f, dir, form))
	}
	names := []string{dbFile, walFile, mark.Name, register.Name}
	f.Add(byte(0), byte(0), uint(18), false, []byte{1, 1})
	f.Add(byte(0), byte(0), uint(3*512), true, make([]byte, 512))
	f.Add(byte(1), byte(1), uint(40), false, []byte("\x00\x00\x00\x01"))
	f.Add(byte(2), byte(2), uint(31), false, []byte{0xff})
	f.Add(byte(1), byte(3), uint(0), true, []byte("{} 00000000\n"))
	f.Fuzz(func(t *testing.T, form, file byte, at uint, between bool, octets []byte) {
		n, name := int(form)%len(forms), names[int(file)%len(names)]
		b := forms[n][name]
		if len(octets) > 4096 {
			return
		}
		at %= uint(len(b) + 1)
		c, rest := append(slices.Clone(b[:at]), octets...), b[at:]
		if !between {
			rest = rest[min(len(octets), len(rest)):]
		}
		r := trial{t: t, dir: dir, more: len(octets)%2 == 0}
		r.do(fmt.Sprintf("%s of form %d, %q at %d", name, n, octets, at), forms[n].with(files{name: append(c, rest...)}), now[n])
	})
}
