// Package files gives letters the files of a campaign's folder:
//
//  1. a path is looked at below the folder, out of which neither .. nor a symbolic link leads, before anything is opened;
//  2. the file is read once: hashed, and encoded into memory or, if it is large, into a temporary file;
//  3. its hash is held against the one from the path's first use, so that a letter that is tried again is the same letter;
//  4. letters share it until the last one closes it; then it is kept for the next row that names it, as long as there is room.
//
// Memory, temporary files and open files do not grow with the number of paths.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/mailblast/mailblast/composer/letter/mime"
)

// Options describe a campaign's folder.
type Options struct {
	Root     *os.Root // nothing outside of it is read
	TempDir  string   // for large files and for the hashes of what was used; "": the system's
	MaxSize  int64    // of a file in a letter, encoded, in octets
	Campaign string   // its name, which content ids are made from
}

// readers is how many files are open at once for reading.
const readers = 4

// Folder is a campaign's folder. It is safe for concurrent use.
type Folder struct {
	o     Options
	slots chan struct{} // as many as may read at once
	pins  pins
	spill spill
	cache cache

	mu      sync.Mutex
	inlines map[string]*mime.Attachment // by content id
}

// New gives a folder, whose temporary files are made when they are needed.
func New(o Options) *Folder {
	return &Folder{o: o, slots: make(chan struct{}, readers), pins: pins{dir: o.TempDir}, spill: spill{dir: o.TempDir},
		cache: newCache(), inlines: map[string]*mime.Attachment{}}
}

// Close gives memory and temporary files back. No File may be used after it.
func (d *Folder) Close() error { return errors.Join(d.pins.close(), d.spill.close()) }

// Fault is what is wrong with a file of the campaign, or with the path to it. Any other error is one of our side.
type Fault struct {
	Path string
	Err  error
}

func (f *Fault) Error() string { return f.Path + ": " + f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// Get gives a file by its path, with slashes, relative to the folder. Every File must be closed. The error is *Fault when
// the campaign or its list is to blame.
func (d *Folder) Get(ctx context.Context, name string) (*File, error) {
	f, err := d.get(ctx, name)
	if err == nil || ctx.Err() != nil || ours(err) {
		return f, err
	}
	return nil, &Fault{Path: name, Err: err}
}

// Find is Get for a file that need not be there: it is nil then, and stays so, that a letter that is tried again is the
// same letter.
func (d *Folder) Find(ctx context.Context, name string) (*File, error) {
	f, err := d.Get(ctx, name)
	switch {
	case errors.Is(err, errAppeared):
		return nil, nil
	case !errors.As(err, new(*Fault)) || !errors.Is(err, fs.ErrNotExist):
		return f, err
	}
	first, err := d.pins.pin(path.Clean(name), absent)
	switch {
	case err != nil:
		return nil, err
	case first != absent:
		return nil, &Fault{Path: name, Err: errGone}
	}
	return nil, nil
}

// Inline gives a file as an inline part and its content id, which is that of any file with the same content. The part is
// kept until the folder is closed: it is for images that templates name.
func (d *Folder) Inline(ctx context.Context, name string) (a *mime.Attachment, cid string, err error) {
	f, err := d.Get(ctx, name)
	if err != nil {
		return nil, "", err
	}
	cid = d.contentID(f)
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.inlines[cid]; ok {
		f.Close()
		return a, cid, nil
	}
	name = path.Base(name)
	a, err = mime.Attach(mime.File{Name: name, Type: ContentType(name), ContentID: cid, Content: f, Size: f.Size()})
	if err != nil {
		f.Close()
		return nil, "", &Fault{Path: name, Err: err}
	}
	d.inlines[cid] = a
	return a, cid, nil
}

// contentID needs no escaping in a cid: URL (RFC 2392 §2).
func (d *Folder) contentID(f *File) string {
	sum := sha256.Sum256(append([]byte(d.o.Campaign+"\x00"), f.sum[:]...))
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").EncodeToString(sum[:20]) + "@mailblast"
}

func (d *Folder) get(ctx context.Context, name string) (*File, error) {
	name = path.Clean(name)
	if err := checkPath(name); err != nil {
		return nil, err
	}
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, mine, err := d.look(name)
	if mine {
		if f.err = d.read(f); f.err != nil {
			d.cache.drop(f)
		}
		close(f.ready)
	}
	<-d.slots
	if err != nil {
		return nil, err
	}
	select {
	case <-f.ready:
		err = f.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// look finds a file that was read before and has not changed since. Else it gives a new one that is mine to read, which
// the others who look meanwhile wait for.
func (d *Folder) look(name string) (f *File, mine bool, err error) {
	info, err := regular(d.o.Root, name)
	if err != nil {
		return nil, false, err
	}
	size := mime.EncodedLen(info.Size())
	if size > d.o.MaxSize {
		return nil, false, fmt.Errorf("it is larger than max_message, %d octets", d.o.MaxSize)
	}
	f, mine = d.cache.take(name, info, func() *File {
		return &File{folder: d, name: name, info: info, size: size, at: -1, ready: make(chan struct{})}
	})
	return f, mine, nil
}

// read reads, hashes and encodes a file.
func (d *Folder) read(f *File) error {
	r, err := open(d.o.Root, f.name, f.info)
	if err != nil {
		return err
	}
	h := sha256.New()
	if err = f.encode(io.TeeReader(r, h)); err == nil {
		var after fs.FileInfo
		if after, err = r.Stat(); err == nil && !same(f.info, after) {
			err = errors.New("it changed while it was read")
		}
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	h.Sum(f.sum[:0])
	now := digestOf(f.sum[:])
	first, err := d.pins.pin(f.name, now)
	switch {
	case err != nil || first == now:
		return err
	case first == absent:
		return errAppeared
	}
	return errChanged
}

// What may have become of a file since its first use.
var (
	errChanged  = errors.New("it changed since it was first used in this run")
	errGone     = errors.New("it is gone since it was first used in this run")
	errAppeared = errors.New("it was not there when it was first looked for in this run")
)

// tempError is trouble with our temporary files.
type tempError struct{ error }

func (e tempError) Unwrap() error { return e.error }

// ours tells that no file of the campaign is to blame.
func ours(err error) bool {
	return errors.As(err, new(tempError)) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}
