package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/mailblast/mailblast/composer/rows/unpack"
)

// begin opens the file, or copies standard input into one.
func (f *File) begin(ctx context.Context) (fs.FileInfo, error) {
	switch {
	case f.src.In != nil && !f.copied:
		f.copied = true
		if err := f.copy(ctx); err != nil {
			return nil, err
		}
	case f.src.In != nil:
	default:
		info, err := os.Stat(f.src.Path) // before it is opened, since opening a device may do something
		if err != nil {
			return nil, missing(err)
		}
		if !info.Mode().IsRegular() {
			return nil, fault(0, "this is no regular file")
		}
		if err := f.Close(); err != nil { // of a read that broke
			return nil, missing(err)
		}
		if f.f, err = openSame(f.src.Path, info); err != nil {
			return nil, err
		}
	}
	info, err := f.f.Stat()
	if err != nil {
		return nil, missing(err)
	}
	return info, nil
}

// openSame opens the file that was looked at before. It does not wait for the other end of a pipe that came in its place.
func openSame(path string, before fs.FileInfo) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, missing(err)
	}
	after, err := f.Stat()
	switch {
	case err != nil:
		err = missing(err)
	case !after.Mode().IsRegular() || !os.SameFile(before, after):
		err = &Error{Kind: Changed, Text: "another file came in its place while it was opened"}
	default:
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// copy keeps standard input in a file that nobody else can read. It ends early when ctx does.
func (f *File) copy(ctx context.Context) error {
	unwritable := func(err error) *Error { return &Error{Kind: Full, Text: err.Error(), Err: err} }
	if err := os.MkdirAll(f.src.Dir, 0o700); err != nil {
		return unwritable(err)
	}
	out, err := os.CreateTemp(f.src.Dir, "stdin-*") // mode 0600
	if err != nil {
		return unwritable(err)
	}
	f.f, f.name = out, out.Name()
	if os.Remove(f.name) == nil { // gone even when the process is killed, where the system allows it
		f.name = ""
	}
	// Reading from a pipe cannot be cut, so it goes on beside us, and is left behind when we are told to end. It then ends
	// with the read that it waits in: what that gives cannot be written to a file that Close has closed (an os.File knows
	// that it is, whoever has its number by then), and nobody asks for the error.
	in := &limited{in: f.src.In, ctx: ctx, left: f.src.Max}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, in)
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case in.err != nil:
		return &Error{Kind: Missing, Text: "reading it broke, and it cannot be started again: " + in.err.Error(), Err: in.err}
	case in.left < 0:
		return &Error{Kind: Full, Hint: "split the list",
			Text: fmt.Sprintf("the list is larger than %d octets, the limit of a row store (MaxStore)", f.src.Max)}
	case err != nil:
		return unwritable(err)
	}
	return nil
}

// limited gives so many octets, and keeps the error of reading apart from that of writing.
type limited struct {
	in   io.Reader
	ctx  context.Context
	left int64
	err  error
}

func (l *limited) Read(p []byte) (int, error) {
	if l.ctx.Err() != nil || l.left < 0 {
		return 0, io.EOF
	}
	n, err := l.in.Read(p)
	l.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// source is the list's octets from their beginning, unpacked. An error of the disk is told from one of the archive.
func (f *File) source() (*unpack.Reader, error) {
	in, err := unpack.New(disk{io.NewSectionReader(f.f, 0, 1<<62)}, f.src.Max)
	if err != nil {
		return nil, err
	}
	return in, nil
}

// ending ends with ctx, wherever a text is read as a whole.
type ending struct {
	ctx context.Context
	in  io.Reader
}

func (e ending) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.in.Read(p)
}

// disk makes an *Error of what goes wrong with the file itself.
type disk struct{ in io.Reader }

func (d disk) Read(p []byte) (int, error) {
	n, err := d.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, missing(err)
	}
	return n, err
}
