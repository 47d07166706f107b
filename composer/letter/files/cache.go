package files

import (
	"container/list"
	"io/fs"
	"sync"
)

// The most that is kept for files which no letter uses at the moment, in octets.
const (
	idleMemory = 8 << 20
	idleDisk   = 256 << 20
)

// cache counts the uses of every file, and keeps the files that were used last.
type cache struct {
	mu     sync.Mutex
	files  map[string]*File
	idle   *list.List // of files without uses, the last used in front
	memory int64      // octets of idle files
	disk   int64      // octets of idle files

	mostMemory, mostDisk int64
}

// use is what the cache knows of a file.
type use struct {
	letters int
	stale   bool          // in no map any more: freed after its last use
	idle    *list.Element // nil while in use
}

func newCache() cache { return cache{files: map[string]*File{}, idle: list.New()} }

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
	if f.idle != nil {
		c.wake(f)
	}
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
	f.idle = c.idle.PushFront(f)
	c.count(f, f.size)
	for c.memory > c.mostMemory || c.disk > c.mostDisk {
		c.forget(c.oldest())
	}
}

// oldest is the idle file that was not used for longest, of the kind that there is too much of.
func (c *cache) oldest() *File {
	e := c.idle.Back()
	for c.memory <= c.mostMemory && !e.Value.(*File).spilled() {
		e = e.Prev()
	}
	return e.Value.(*File)
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
		c.wake(f)
		f.free()
	}
}

func (c *cache) wake(f *File) {
	c.idle.Remove(f.idle)
	f.idle = nil
	c.count(f, -f.size)
}

func (c *cache) count(f *File, n int64) {
	if f.spilled() {
		c.disk += n
	} else {
		c.memory += n
	}
}
