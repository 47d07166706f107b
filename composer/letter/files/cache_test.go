package files

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// A file that is used again is read once, unless it was not used for long.
func TestCache(t *testing.T) {
	c := newCampaign(t)
	c.cache.memory.most = 10 * inMemory
	c.write("a", "A")
	get := func(name string) *File {
		t.Helper()
		f, err := c.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a := get("a")
	if b := get("./a"); b != a {
		t.Error("read twice while it is in use")
	} else {
		b.Close()
	}
	a.Close()
	if b := get("a"); b != a {
		t.Error("read twice although it was used just now")
	}
	for i := range 20 { // a is in use
		name := fmt.Sprint("filler", i)
		c.write(name, strings.Repeat("x", inMemory*3/4-5000))
		get(name).Close()
	}
	if c.cache.memory.size > 10*inMemory || c.cache.memory.size < 5*inMemory {
		t.Errorf("%d octets are kept", c.cache.memory.size)
	}
	if decoded(t, a) != "A" || get("a") != a {
		t.Error("a file in use was lost")
	}
	a.Close()
	a.Close()
	if f := get("filler0"); f.letters != 1 {
		t.Errorf("%d letters use it", f.letters)
	} else {
		f.Close()
	}
}

// Many threads use many paths of few and of large files: each gets what its path holds, nothing is left over, and no more
// files are open than the readers need.
func TestConcurrent(t *testing.T) {
	c := newCampaign(t)
	const paths = 60
	content := func(i int) string {
		size := 1000
		if i%3 == 0 {
			size = inMemory + i*100
		}
		return strings.Repeat(fmt.Sprintf("%03d", i), size/3)
	}
	for i := range paths {
		c.write(fmt.Sprint("d/", i), content(i))
	}
	before := openFiles(t)
	var wg sync.WaitGroup
	var most atomic.Int64
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 0))
			for range 50 {
				i := r.IntN(paths)
				f, err := c.Get(t.Context(), fmt.Sprint("d/", i))
				if err != nil {
					t.Error(err)
					return
				}
				if decoded(t, f) != content(i) {
					t.Errorf("%d: other content", i)
				}
				f.Close()
				if g == 0 {
					most.Store(max(most.Load(), int64(openFiles(t))))
				}
			}
		})
	}
	wg.Wait()
	// The two temporary files, and a file with its folder for each reader; one more to list them.
	if n := most.Load() - int64(before); n > 2+2*readers+1 {
		t.Errorf("%d files were open at once", n)
	}
	for name, f := range c.cache.files {
		if f.letters != 0 || f.idle == nil {
			t.Errorf("%s is used by %d letters", name, f.letters)
		}
	}
}

func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Error(err)
	}
	return len(list) // 0 where there is no /proc: nothing is held against it then
}

// Files that change under the letters: whoever gets one gets a whole one, the first one.
func TestConcurrentChanges(t *testing.T) {
	c := newCampaign(t)
	versions := []string{strings.Repeat("1", inMemory), strings.Repeat("2", inMemory), "3"}
	for i := range 8 {
		c.write(fmt.Sprint(i), versions[0])
		if got, err := c.text(fmt.Sprint(i)); err != nil || got != versions[0] {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			c.replace(fmt.Sprint(i%8), versions[i/8%3])
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	var whole, refused atomic.Int64
	for range 8 {
		readers.Go(func() {
			for i := range 100 {
				got, err := c.text(fmt.Sprint(i % 8))
				switch {
				case err != nil:
					refused.Add(1)
				case got != versions[0]:
					t.Errorf("got %.9q…, %d octets", got, len(got))
				default:
					whole.Add(1)
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writer.Wait()
	t.Logf("%d whole, %d refused", whole.Load(), refused.Load()) // how many of each is the scheduler's affair
	c.replace("0", versions[0])
	if got, err := c.text("0"); err != nil || got != versions[0] {
		t.Errorf("the first version is back, and refused: %v", err)
	}
	c.replace("0", versions[1])
	if _, err := c.text("0"); err == nil {
		t.Error("another version is taken")
	}
}

// Room in the temporary file is given to one at a time, and is all given back.
func TestAnySpill(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := &spill{dir: dir}
		defer func() {
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		}()
		var held []extent
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "give") {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				s.give(held[i].at, held[i].size)
				held = append(held[:i], held[i+1:]...)
				continue
			}
			e := extent{size: rapid.Int64Range(1, 5*block).Draw(t, "size")}
			var err error
			if e.at, err = s.take(e.size); err != nil {
				t.Fatal(err)
			}
			for _, h := range held {
				if e.at < h.at+h.size && h.at < e.at+e.size {
					t.Fatalf("%v lies in %v", e, h)
				}
			}
			held = append(held, e)
		}
		free, last := int64(0), int64(-1)
		for _, f := range s.free {
			if f.at <= last || f.size <= 0 {
				t.Fatalf("free room is out of order: %v", s.free)
			}
			free, last = free+f.size, f.at+f.size
		}
		for _, h := range held {
			free += blocks(h.size)
		}
		if free != s.end || last == s.end {
			t.Fatalf("%d octets of %d are known, free are %v", free, s.end, s.free)
		}
		for _, h := range held {
			s.give(h.at, h.size)
		}
		if s.end != 0 || len(s.free) != 0 {
			t.Fatalf("all is given back, but %d octets with %v", s.end, s.free)
		}
	})
}

// The table of a hundred thousand paths: each keeps what it was first, and memory does not grow with them.
func TestPins(t *testing.T) {
	p := &pins{dir: t.TempDir()}
	const n = 100_000
	at := func(i, version int) digest {
		var d digest
		binary.BigEndian.PutUint64(d[:], uint64(i+1))
		d[15] = byte(version)
		return d
	}
	heap := inUse()
	for i := range n {
		if first, err := p.pin(fmt.Sprint("invoices/", i, ".pdf"), at(i, 0)); err != nil || first != at(i, 0) {
			t.Fatalf("%d: %x, %v", i, first, err)
		}
	}
	if grown := inUse() - heap; grown > 1<<20 {
		t.Errorf("%d paths take %d octets of memory", n, grown)
	}
	for i := range n {
		if first, err := p.pin(fmt.Sprint("invoices/", i, ".pdf"), at(i, 1)); err != nil || first != at(i, 0) {
			t.Fatalf("%d: %x, %v", i, first, err)
		}
	}
	if p.used != n || p.buckets*records < n*unusedShare || p.buckets*records > 4*n*unusedShare {
		t.Errorf("%d records in %d buckets", p.used, p.buckets)
	}
	if info, err := p.file.Stat(); err != nil || info.Size() != p.buckets*bucketSize || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(p.dir + "/*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Thousands of paths with as many files: what is kept in memory and on disk is bounded.
func TestManyPaths(t *testing.T) {
	c := newCampaign(t)
	c.cache.memory.most, c.cache.disk.most = 1<<20, 8<<20
	c.write("small", strings.Repeat("s", 20<<10))
	c.write("large", strings.Repeat("l", 200<<10))
	const n = 3000
	for i := range n {
		from := "small"
		if i%20 == 0 {
			from = "large"
		}
		if err := os.Link(filepath.Join(c.dir, from), filepath.Join(c.dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	heap := inUse()
	for i := range n {
		f, err := c.Get(t.Context(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if grown := inUse() - heap; grown > 2<<20 {
		t.Errorf("%d paths take %d octets of memory", n, grown)
	}
	if info, err := c.spill.file.Stat(); err != nil || info.Size() > 9<<20 {
		t.Errorf("the temporary file has %d octets, %v", info.Size(), err)
	}
	if c.cache.memory.size > 1<<20 || c.cache.disk.size > 8<<20 || c.cache.memory.size < 1<<19 || c.cache.disk.size < 4<<20 {
		t.Errorf("kept %d octets in memory and %d on disk", c.cache.memory.size, c.cache.disk.size)
	}
}

func BenchmarkGet(b *testing.B) {
	c := newCampaign(b)
	const paths = 5000
	for i := range paths {
		c.write(fmt.Sprintf("invoices/%d.pdf", i), fmt.Sprint(i)+strings.Repeat("x", 20<<10))
	}
	b.SetBytes(20 << 10)
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f, err := c.Get(b.Context(), fmt.Sprintf("invoices/%d.pdf", next.Add(1)%paths))
			if err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
}
