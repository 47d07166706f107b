package files

import (
	"container/list"
	"io/fs"
	"sync"
)

// The most that is kept of files which no letter uses at the moment, in octets.
const (
	idleMemory = 8 << 20
	idleDisk   = 256 << 20
)

// cache counts the uses of every file, and keeps the files that were used last.
type cache struct {
	mu     sync.Mutex
	files  map[string]*File
	memory shelf
	disk   shelf
}

// shelf holds files without uses, the last used in front.
type shelf struct {
	files *list.List
	size  int64 // of all of them, in octets
	most  int64
}

// overhead is what a file takes beside its content, so that many small ones are not kept for nothing.
const overhead = 1 << 10

// use is what the cache knows of a file.
type use struct {
	letters int
	stale   bool          // in no map any more: freed after its last use
	idle    *list.Element // nil while in use
}

func newCache() cache {
	return cache{files: map[string]*File{}, memory: shelf{list.New(), 0, idleMemory}, disk: shelf{list.New(), 0, idleDisk}}
}

// take counts a use of the file that is known by that name, if it is the one that info shows, else of a new one.
func (c *cache) take(name string, info fs.FileInfo, create func() *File) (f *File, created bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f = c.files[name]
	if f != nil && !same(f.info, info) {
		c.forget(f)
		f = nil
	}
	if f == nil {
		f, created = create(), true
		c.files[name] = f
	}
	f.letters++
	c.unshelve(f)
	return f, created
}

// give ends a use.
func (c *cache) give(f *File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.letters--; f.letters > 0 {
		return
	}
	if f.stale {
		f.free()
		return
	}
	s := c.shelf(f)
	f.idle = s.files.PushFront(f)
	for s.size += f.size + overhead; s.size > s.most; {
		c.forget(s.files.Back().Value.(*File))
	}
}

// drop keeps a file that could not be read from others.
func (c *cache) drop(f *File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.stale {
		c.forget(f)
	}
}

func (c *cache) forget(f *File) {
	delete(c.files, f.name)
	f.stale = true
	if f.idle != nil {
		c.unshelve(f)
		f.free()
	}
}

func (c *cache) unshelve(f *File) {
	if f.idle != nil {
		s := c.shelf(f)
		s.files.Remove(f.idle)
		s.size -= f.size + overhead
		f.idle = nil
	}
}

func (c *cache) shelf(f *File) *shelf {
	if f.spilled() {
		return &c.disk
	}
	return &c.memory
}
