package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// kind is a kind of damage to one form of a journal: there are n of it, and at gives each as what the files are then.
type kind struct {
	row  string // of the table of faults
	name string
	n    int
	at   func(i int) (what string, f files)
	used []int // those of n that a small sample is best taken from, where most would hit octets that say nothing
	// back tells to which moment the i-th takes what the journal says back together with its mark, which cannot be told from what
	// was true then; below 0: to none. May be nil.
	back func(i int) int
}

// The rows of the table of faults that damage belongs to.
const (
	short   = "R12 journal cut short: each file of it at every length"
	corrupt = "R13 corruption inside: octets, pages and frames, flipped, swapped, copied, lost, from elsewhere"
	another = "R14 journal deleted, of another campaign, or taken back, file by file and in sets"
)

// damages are all kinds of damage to files, each alone, with those of another journal at hand, and with those of earlier
// moments.
func damages(f, other files, earlier []files, page int) (all []kind) {
	names := []string{dbFile, walFile, shmFile, mark.Name, register.Name}
	for _, name := range names {
		b := f[name]
		if len(b) == 0 {
			continue
		}
		patterns := 3
		if name == walFile || name == dbFile && len(f[walFile]) > 0 { // the log's checksums are over all of it
			patterns = 1
		}
		all = append(all, flips(f, name, patterns), cuts(f, name), wholes(f, other, name))
		if name == dbFile {
			all = append(all, blocks(f, name, 0, page)...)
			all = append(all, stale(f, other, earlier, page))
		}
		if name == walFile {
			all = append(all, blocks(f, name, 32, 24+page)...)
		}
	}
	return all
}

// flips are one bit, all bits and no bit of every octet; or the three in turn.
func flips(f files, name string, patterns int) kind {
	b := f[name]
	var used []int
	if name == dbFile && patterns > 1 {
		for at, octet := range b {
			if octet != 0 {
				used = append(used, patterns*at+at%patterns)
			}
		}
	}
	return kind{row: corrupt, used: used, name: name + " flip", n: patterns * len(b), at: func(i int) (string, files) {
		at, c := i/patterns, slices.Clone(b)
		switch i % 3 {
		case 0:
			c[at] ^= 1 << (at % 8)
		case 1:
			c[at] ^= 0xff
		case 2:
			if c[at] = 0; b[at] == 0 {
				c[at] = 0x80
			}
		}
		return fmt.Sprintf("%s: octet %d is %#x instead of %#x", name, at, c[at], b[at]), f.with(files{name: c})
	}}
}

// cuts are every length.
func cuts(f files, name string) kind {
	return kind{row: short, name: name + " cut", n: len(f[name]), at: func(i int) (string, files) {
		return fmt.Sprintf("%s: cut to %d octets", name, i), f.with(files{name: f[name][:i]})
	}}
}

// wholes are what happens to a file as a whole.
func wholes(f, other files, name string) kind {
	junk := func(n int) []byte {
		b, rng := slices.Clone(f[name]), rand.New(rand.NewPCG(uint64(n), 1))
		for range n {
			b = append(b, byte(rng.Uint32()))
		}
		return b
	}
	all := []struct {
		what string
		b    []byte
	}{
		{"gone", nil}, {"empty", []byte{}}, {"of another journal", other[name]}, {"all zero", make([]byte, len(f[name]))},
		{"twice", append(slices.Clone(f[name]), f[name]...)}, {"with an octet more", junk(1)}, {"with 100 more", junk(100)},
		{"with a page more", junk(4096)}, {"all junk", junk(8192)[len(f[name]):]},
	}
	return kind{row: another, name: name + " whole", n: len(all), at: func(i int) (string, files) {
		return name + ": " + all[i].what, f.with(files{name: all[i].b})
	}}
}

// blocks are what a disk does to blocks of a file: zero, gone, one in the place of another, and two in each other's.
func blocks(f files, name string, head, size int) []kind {
	b := f[name]
	n := (len(b) - head) / size
	block := func(b []byte, i int) []byte { return b[head+i*size : head+(i+1)*size] }
	alone := kind{row: corrupt, name: name + " block", n: 2 * n, at: func(i int) (string, files) {
		c := slices.Clone(b)
		if i%2 == 0 {
			clear(block(c, i/2))
			return fmt.Sprintf("%s: block %d is zero", name, i/2), f.with(files{name: c})
		}
		return fmt.Sprintf("%s: block %d is gone", name, i/2), f.with(files{name: append(c[:head+i/2*size], c[head+(i/2+1)*size:]...)})
	}}
	swap := kind{row: corrupt, name: name + " blocks swapped", n: n * n, at: func(i int) (string, files) {
		c, x, y := slices.Clone(b), i/n, i%n
		if x >= y {
			return "", nil
		}
		copy(block(c, x), block(b, y))
		copy(block(c, y), block(b, x))
		return fmt.Sprintf("%s: blocks %d and %d are swapped", name, x, y), f.with(files{name: c})
	}}
	copied := kind{row: corrupt, name: name + " block copied", n: n * n, at: func(i int) (string, files) {
		c, x, y := slices.Clone(b), i/n, i%n
		if x == y {
			return "", nil
		}
		copy(block(c, x), block(b, y))
		return fmt.Sprintf("%s: block %d is a copy of %d", name, x, y), f.with(files{name: c})
	}}
	return []kind{alone, swap, copied}
}

// stale are pages as they were at an earlier moment, or as another journal has them: a write that was lost, or went astray.
func stale(f, other files, earlier []files, size int) kind {
	b := f[dbFile]
	n := len(b) / size
	return kind{row: corrupt, name: dbFile + " stale page", n: n * (len(earlier) + 1), at: func(i int) (string, files) {
		from, of := other, "another journal"
		if k := i / n; k < len(earlier) {
			from, of = earlier[k], fmt.Sprintf("moment %d", k)
		}
		c, at := slices.Clone(b), i%n*size
		old := image(from, size)
		if at+size > len(old) || bytes.Equal(c[at:at+size], old[at:at+size]) {
			return "", nil
		}
		copy(c[at:], old[at:at+size])
		return fmt.Sprintf("%s: page %d is of %s", dbFile, i%n, of), f.with(files{dbFile: c})
	}}
}

// takenBack are sets of files as they were at an earlier moment, or as another journal has them, beside the others as they
// are.
func takenBack(f, other files, earlier []files) kind {
	sets := [][]string{
		{dbFile, walFile, mark.Name, register.Name}, {dbFile, walFile, mark.Name}, {walFile, mark.Name}, {dbFile, mark.Name},
		{dbFile}, {walFile}, {dbFile, walFile}, {dbFile, walFile, shmFile}, {mark.Name}, {register.Name}, {mark.Name, register.Name},
		{dbFile, walFile, register.Name}, {dbFile, register.Name},
	}
	n := len(earlier)
	return kind{row: another, name: "taken back", n: len(sets) * (n + 1), at: func(i int) (string, files) {
		set, m, change := sets[i/(n+1)], i%(n+1), files{}
		from, of := other, "of another journal"
		if m < n {
			from, of = earlier[m], fmt.Sprintf("of moment %d", m)
		} else if i < n+1 {
			return "", nil // it is the other journal, and not damaged
		}
		for _, name := range set {
			change[name] = from[name]
		}
		return fmt.Sprintf("%v are %s", set, of), f.with(change)
	}, back: func(i int) int {
		if m := i % (n + 1); i/(n+1) < 4 && m < n {
			return m
		}
		return -1
	}}
}

// image is the file with all that its log has for it.
func image(f files, size int) []byte {
	b, wal := slices.Clone(f[dbFile]), f[walFile]
	for at := 32; at+24+size <= len(wal) && bytes.Equal(wal[at+8:at+16], wal[16:24]); at += 24 + size { // frames of this generation
		n := (int(wal[at])<<24 | int(wal[at+1])<<16 | int(wal[at+2])<<8 | int(wal[at+3])) * size
		if n > len(b) {
			b = append(b, make([]byte, n-len(b))...)
		}
		copy(b[n-size:], wal[at+24:at+24+size])
	}
	return b
}
