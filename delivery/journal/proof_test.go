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

// Without damage the story is what was told.
func TestProofStory(t *testing.T) {
	s, dir := tell(t, 4096), memory(t)
	for _, f := range []files{s.killed, s.closed} {
		seen := sightOf(t, dir, f)
		for n, want := range truth {
			if seen.states[n].Status != want {
				t.Errorf("%d is %v, want %v", n, seen.states[n].Status, want)
			}
		}
		r := trial{t: t, dir: dir, more: true}
		r.do("no damage", f, seen)
		if r.v != (verdicts{harmless: 1}) {
			t.Error(r.v)
		}
	}
	seen := sightOf(t, dir, s.first)
	if got := seen.states[7].Status; got != delivery.Unknown || seen.states[9].Status != delivery.Failed {
		t.Error(seen)
	}
	for n, f := range []files{s.first, s.killed, s.closed} {
		for name, b := range f {
			t.Log(n, name, len(b))
		}
	}
	t.Log(len(s.moments))
}

// proof tries damage to every form of a story.
type proof struct {
	t      *testing.T
	s      *story
	other  *story
	dir    string
	past   []*sight // of the moments
	picked func(k kind) []int
	more   int // each which trial sends more
	n      int
	all    verdicts
}

func newProof(t *testing.T, page int, picked func(kind) []int) *proof {
	p := &proof{t: t, s: tell(t, page), other: tell(t, page), dir: memory(t), picked: picked, more: 3}
	for _, m := range p.s.moments {
		p.past = append(p.past, sightOf(t, p.dir, m))
	}
	return p
}

func (p *proof) form(f, other files, earlier []files) {
	now := sightOf(p.t, p.dir, f)
	for _, k := range append(damages(f, other, earlier, p.s.page), takenBack(f, other, earlier)) {
		p.kind(k, now)
	}
}

func (p *proof) kind(k kind, now *sight) {
	r := trial{t: p.t, dir: p.dir}
	for _, i := range p.picked(k) {
		what, f := k.at(i)
		if f == nil {
			continue
		}
		allowed := []*sight{now}
		if k.back != nil && k.back(i) >= 0 {
			allowed = append(allowed, p.past[k.back(i)])
		}
		p.n++
		r.more = p.n%p.more == 0
		r.do(what, f, allowed...)
	}
	p.t.Logf("%s: %v", k.name, r.v)
	p.all.refused, p.all.harmless, p.all.later = p.all.refused+r.v.refused, p.all.harmless+r.v.harmless, p.all.later+r.v.later
}

// forms are all three, each with what went before it.
func (p *proof) forms(t *testing.T) {
	for _, form := range []struct {
		name     string
		f, other files
	}{{"closed", p.s.closed, p.other.closed}, {"killed", p.s.killed, p.other.killed}, {"first", p.s.first, p.other.first}} {
		t.Run(form.name, func(t *testing.T) {
			p.t = t
			end := slices.IndexFunc(p.s.moments, form.f.same)
			if end < 0 {
				end = len(p.s.moments) - 1
			}
			p.form(form.f, form.other, p.s.moments[:end])
		})
	}
	p.t = t
}

// Whatever becomes of the files of a journal, it never lies: a sample.
func TestProof(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := newProof(t, 4096, func(k kind) (some []int) {
		for range 2 {
			some = append(some, rng.IntN(k.n))
		}
		return some
	})
	p.forms(t)
	t.Log(p.all)
}

// Every octet, every length, every page, on a journal with small pages; and a fine sample of one as they are.
func TestProofLong(t *testing.T) {
	if os.Getenv("MAILBLAST_LONG") == "" {
		t.Skip("left out: takes most of an hour; run it with MAILBLAST_LONG=1")
	}
	for page, coarse := range map[int]int{512: 1, 4096: 97} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			t.Parallel()
			p := newProof(t, page, func(k kind) (some []int) {
				step := 1
				if k.n > 5000 {
					step = coarse
				}
				if strings.HasPrefix(k.name, shmFile) { // SQLite throws it away
					step = 97
				}
				for i := 0; i < k.n; i += step {
					some = append(some, i)
				}
				return some
			})
			p.more = 5
			p.forms(t)
			t.Log(p.all)
		})
	}
}
