package lanes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbers are items of a hundred octets in memory and of 8 to 48 on disk.
type numbers struct{}

func (numbers) Size(int) int { return 100 }

func (numbers) Append(b []byte, domain string, x int) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(x))
	return append(b, make([]byte, x%41)...)
}

func (numbers) Decode(rec []byte, domain string) (int, error) {
	x := int(binary.BigEndian.Uint64(rec))
	if len(rec) != 8+x%41 {
		return 0, fmt.Errorf("%d: %d octets", x, len(rec))
	}
	return x, nil
}

func ownSite(k Key) SiteKey { return SiteKey{Via: k.Via, Name: k.Domain} }

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// model is what a set should hold of one lane: what was put back by the order it was first taken in, what is due
// again, what was never taken.
type model struct{ back, due, fresh []int }

// Whatever is pushed, taken, put back, deferred and brought back, in whatever little memory: each lane gives its items
// in order, nothing is lost, nothing comes twice, and the counts say so.
func TestLanesKeepOrderAcrossSpill(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		store := NewStore(dir, rapid.SampledFrom([]int64{0, 1000, 20_000, 1 << 20}).Draw(t, "memory"), numbers{})
		defer func() { _ = store.Close() }()
		set := NewSet(store, 0, ownSite)
		want := map[Key]*model{}
		keys := []Key{{"a.example", 0}, {"b.example", 0}, {"b.example", 1}}
		flying := []Parcel[int]{}
		now, next, later, waiting := epoch, 0, 0, 0
		of := func(t *rapid.T) (Key, *model) {
			k := rapid.SampledFrom(keys).Draw(t, "lane")
			if want[k] == nil {
				want[k] = &model{}
			}
			return k, want[k]
		}
		must := func(t *rapid.T, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				k, w := of(t)
				for range rapid.IntRange(1, 300).Draw(t, "parcels") {
					xs := []int{}
					for range next%3 + 1 {
						xs = append(xs, next)
						next++
					}
					must(t, set.Push(k, xs...))
					w.fresh = append(w.fresh, xs...)
					waiting += len(xs)
				}
			},
			"take": func(t *rapid.T) {
				k, w := of(t)
				for range rapid.IntRange(1, 400).Draw(t, "times") {
					l := set.lanes[k]
					if l == nil {
						return
					}
					p, err := set.Take(l, 2)
					must(t, err)
					waiting -= len(p.Items)
					for _, x := range p.Items {
						from := &w.fresh
						if len(w.back) > 0 {
							from = &w.back
						} else if len(w.due) > 0 {
							from = &w.due
						}
						if len(*from) == 0 || (*from)[0] != x {
							t.Fatalf("%v: got %d, want the first of %v", k, x, *from)
						}
						*from = (*from)[1:]
					}
					if keep := len(flying) < 20; keep && len(p.Items) > 0 {
						flying = append(flying, p)
					} else {
						set.Finish(&p)
					}
				}
			},
			"back": func(t *rapid.T) {
				if len(flying) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "flight")
				p := flying[i]
				flying = slices.Delete(flying, i, i+1)
				w := want[p.Lane.Key]
				set.Back(&p, p.Items...)
				set.Finish(&p)
				waiting += len(p.Items)
				w.back = append(w.back, p.Items...)
				// The lane orders by when a parcel was first taken; so does the model, with what it sees in the lane.
				w.back = w.back[:0]
				for j := len(p.Lane.front) - 1; j >= 0; j-- {
					w.back = append(w.back, p.Lane.front[j].x)
				}
				if !slices.IsSortedFunc(p.Lane.front, func(a, b put[int]) int { return int(b.seq) - int(a.seq) }) {
					t.Fatal("put back out of order")
				}
			},
			"later": func(t *rapid.T) {
				k, _ := of(t)
				at := When(now, now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "seconds"))*time.Second))
				must(t, set.Later(at, k, next, next+1))
				next += 2
				later += 2
			},
			"wake": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
				before := set.Deferred()
				held := map[Key]int{}
				for k, l := range set.lanes {
					held[k] = l.Len()
				}
				must(t, set.Wake(now, 1<<20))
				woken := before - set.Deferred()
				later -= woken
				waiting += woken
				// What came back is not in any order across buckets that the model would have to know.
				for k, l := range set.lanes {
					if l.due == nil {
						continue
					}
					if want[k] == nil {
						want[k] = &model{}
					}
					want[k].due = chainItems(t, store, l.due)
				}
				if at := set.NextDue(); !at.IsZero() && !at.After(now) {
					t.Fatalf("due at %s is still there at %s", at, now)
				}
			},
			"": func(t *rapid.T) {
				if set.Waiting() != waiting || set.Deferred() != later {
					t.Fatalf("%d waiting and %d deferred, want %d and %d", set.Waiting(), set.Deferred(), waiting, later)
				}
				if store.used < 0 || store.buffered < 0 {
					t.Fatalf("memory in use: %d and %d", store.used, store.buffered)
				}
			},
		})
	})
}

// chainItems reads a chain without taking from it.
func chainItems(t *rapid.T, s *Store[int], c *chain) (xs []int) {
	if err := c.flush(&s.file); err != nil {
		t.Fatal(err)
	}
	copied := *c
	copied.cache = nil
	for range c.n {
		rec, err := copied.peek(&file{f: s.file.f})
		if err != nil {
			t.Fatal(err)
		}
		x, _ := numbers{}.Decode(rec[1:], "")
		xs = append(xs, x)
		copied.cache = copied.cache[len(rec)+prefix:]
		copied.head += len(rec) + prefix
		for copied.head >= blockSize {
			copied.head -= blockSize
			copied.blocks = copied.blocks[1:]
		}
	}
	return xs
}

// A file that is filled and read again and again keeps its size, and gives its room back when it is empty.
func TestSpillFileReusesBlocks(t *testing.T) {
	dir := t.TempDir()
	store := NewStore(dir, 1000, numbers{})
	defer func() { _ = store.Close() }()
	set := NewSet(store, 0, ownSite)
	k := Key{Domain: "a.example"}
	most := uint32(0)
	for round := range 50 {
		for x := range 5000 {
			if err := set.Push(k, x); err != nil {
				t.Fatal(err)
			}
		}
		most = max(most, store.file.blocks)
		for set.Waiting() > 100 {
			p, err := set.Take(set.lanes[k], 1)
			if err != nil {
				t.Fatal(err)
			}
			set.Finish(&p)
		}
		if round == 0 && most < 20 {
			t.Fatalf("%d blocks: nothing was spilled", most)
		}
	}
	if most > 80 {
		t.Errorf("%d blocks for 5,100 records at most", most)
	}
	for set.Waiting() > 0 {
		p, err := set.Take(set.lanes[k], 1)
		if err != nil {
			t.Fatal(err)
		}
		set.Finish(&p)
	}
	info, err := store.file.f.Stat()
	if err != nil || info.Size() != 0 {
		t.Errorf("empty, the file has %v octets, %v", info.Size(), err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the file can be seen: %v", left)
	}
	if len(set.lanes) != 0 || len(set.sites) != 0 {
		t.Errorf("%d lanes, %d sites are left", len(set.lanes), len(set.sites))
	}
}

// However many domains wait, items and buffers stay within the memory they were given, nearly.
func TestMemoryIsSharedByDomain(t *testing.T) {
	const memory = 1 << 20
	store := NewStore(t.TempDir(), memory, numbers{})
	defer func() { _ = store.Close() }()
	set := NewSet(store, 0, ownSite)
	for x := range 100_000 {
		if err := set.Push(Key{Domain: fmt.Sprintf("d%d.example", x%500)}, x); err != nil {
			t.Fatal(err)
		}
		if store.used > memory*3/4 || store.buffered > memory/4+2*blockSize {
			t.Fatalf("after %d: %d octets of items, %d of buffers", x, store.used, store.buffered)
		}
	}
	if set.Spilled() < 90_000 {
		t.Errorf("%d spilled", set.Spilled())
	}
	for i := range 100_000 {
		l := set.Pick().Lane()
		p, err := set.Take(l, 1)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("d%d.example", p.Items[0]%500); l.Domain != want || p.Items[0] != i/500*500+p.Items[0]%500 {
			t.Fatalf("take %d gave %d of %s", i, p.Items[0], l.Domain)
		}
		set.Finish(&p)
		if store.buffered > memory/4+2*blockSize {
			t.Fatalf("%d octets of buffers", store.buffered)
		}
	}
	if store.used != 0 || store.buffered != 0 {
		t.Errorf("at the end %d octets of items, %d of buffers", store.used, store.buffered)
	}
}

// Sites and lanes take turns; a capped lane is ready as long as it has slots; hands keep a site from being picked.
func TestReadyRings(t *testing.T) {
	store := NewStore(t.TempDir(), 1<<20, numbers{})
	set := NewSet(store, 2, func(k Key) SiteKey {
		if k.Domain[0] == 'r' {
			return SiteKey{Name: "relay", Known: true}
		}
		return ownSite(k)
	})
	for x := range 9 {
		for _, d := range []string{"a", "r1", "r2"} {
			if err := set.Push(Key{Domain: d}, x); err != nil {
				t.Fatal(err)
			}
		}
	}
	if set.Slots() != 6 || set.Near() != 27 {
		t.Errorf("%d slots, %d near", set.Slots(), set.Near())
	}
	first, second, third := set.Pick(), set.Pick(), set.Pick()
	if first == second || first != third {
		t.Errorf("sites %v %v %v", first.Name, second.Name, third.Name)
	}
	relay := set.sites[SiteKey{Name: "relay", Known: true}]
	one, two := relay.Lane(), relay.Lane()
	if one == two {
		t.Errorf("one lane twice: %s", one.Domain)
	}
	var flying []Parcel[int]
	for range 2 {
		p, _ := set.Take(one, 1)
		flying = append(flying, p)
	}
	if a, b := relay.Lane(), relay.Lane(); a != two || b != two || set.Near() != 9+9 {
		t.Errorf("a lane at its limit is ready still, %d near", set.Near())
	}
	set.Finish(&flying[0])
	if a, b := relay.Lane(), relay.Lane(); a == b {
		t.Error("a lane below its limit is not ready")
	}
	for range 3 {
		relay.Enter()
	}
	if a, b := set.Pick(), set.Pick(); a != b || !set.Others(relay) {
		t.Error("a site with hands for all that is ready is picked")
	}
	set.Hold(two, epoch.Add(time.Second))
	if a, b := relay.Lane(), relay.Lane(); a != one || b != one {
		t.Error("a held lane is ready")
	}
	if err := set.Wake(epoch.Add(time.Second), 1); err != nil {
		t.Fatal(err)
	}
	if a, b := relay.Lane(), relay.Lane(); a == b {
		t.Error("not ready again")
	}
}

// What is paused is counted apart, through pushes, a change of site and the pause's end, and nobody stays for it.
func TestPausedLanesAreCounted(t *testing.T) {
	relay := "one"
	set := NewSet(NewStore(t.TempDir(), 1<<20, numbers{}), 0, func(Key) SiteKey { return SiteKey{Name: relay, Known: true} })
	push := func(d string) {
		if err := set.Push(Key{Domain: d}, 1); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, waiting, paused int, blocked bool) {
		t.Helper()
		site := set.sites[SiteKey{Name: relay, Known: true}]
		if set.Waiting() != waiting || set.Paused() != paused || site.Blocked() != blocked {
			t.Errorf("%s: %d wait, %d paused, blocked %v", when, set.Waiting(), set.Paused(), site.Blocked())
		}
	}
	push("a")
	push("a")
	push("b")
	a, until := set.lanes[Key{Domain: "a"}], epoch.Add(time.Hour)
	set.Pause(a, until)
	check("paused", 3, 2, true)
	push("a")
	set.Pause(set.lanes[Key{Domain: "b"}], until)
	check("all paused", 4, 4, false)
	relay = "two"
	set.Regroup()
	check("regrouped", 4, 4, false)
	each := map[string]int{}
	set.Each(func(k Key, n int) { each[k.Domain] += n })
	if each["a"] != 3 || each["b"] != 1 || set.First() != nil {
		t.Errorf("%v, ready is %v", each, set.First())
	}
	if err := set.Wake(until, 1); err != nil {
		t.Fatal(err)
	}
	check("over", 4, 0, true)
	for range 3 {
		p, err := set.Take(a, 1)
		if err != nil {
			t.Fatal(err)
		}
		set.Finish(&p)
	}
	check("taken", 1, 0, true)
}

func TestWhen(t *testing.T) {
	for _, c := range []struct{ wait, want time.Duration }{
		{0, 0},
		{1500 * time.Millisecond, 2 * time.Second},
		{60 * time.Second, 60 * time.Second},
		{61 * time.Second, 70 * time.Second},
		{601 * time.Second, 11 * time.Minute},
	} {
		if got := When(epoch, epoch.Add(c.wait)).Sub(epoch); got != c.want {
			t.Errorf("%s: %s, want %s", c.wait, got, c.want)
		}
	}
	now := time.Now()
	if got := When(now, now.Add(90*time.Second)).Sub(now); got < 90*time.Second || got > 100*time.Second {
		t.Errorf("with a monotonic reading: %s", got)
	}
}

// A parcel that is due comes back whole, however little is brought back at once: nothing that is put into its lane
// meanwhile is taken together with a part of it.
func TestDueParcelComesBackWhole(t *testing.T) {
	store := NewStore(t.TempDir(), 1<<20, numbers{})
	defer func() { _ = store.Close() }()
	set, k := NewSet(store, 0, ownSite), Key{"a.example", 0}
	at := When(epoch, epoch.Add(time.Second))
	var errs []error
	errs = append(errs, set.Later(at, k, 1, 2, 3), set.Later(at, k, 4, 5), set.Wake(at, 1), set.Again(k, 6), set.Wake(at, 1))
	var got []string
	for l := set.lanes[k]; l != nil && l.Len() > 0; {
		p, err := set.Take(l, 100)
		errs = append(errs, err)
		got = append(got, fmt.Sprint(p.Items))
		set.Finish(&p)
	}
	if want := []string{"[1 2 3]", "[6]", "[4 5]"}; errors.Join(errs...) != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, want %v; %v", got, want, errors.Join(errs...))
	}
}
