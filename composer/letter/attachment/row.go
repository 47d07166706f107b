package attachment

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/composer/letter/mime"
)

// Held are the attachments of one letter, with the files that it uses until it is closed.
type Held struct {
	All  []*mime.Attachment
	held []*files.File
}

// Release gives the files back.
func (h *Held) Release() {
	for _, f := range h.held {
		f.Close()
	}
}

// Named is what a row makes of an attachment's templates.
type Named struct{ path, name string }

// Names executes the templates for the row that a printer has begun.
func (l List) Names(p *field.Printer) ([]Named, error) {
	names := make([]Named, len(l))
	for i := range l {
		var err error
		if names[i].path, err = p.Text(&l[i].path); err == nil {
			names[i].name, err = p.Text(&l[i].name)
		}
		if err != nil {
			return nil, markup.In(l[i].key, err)
		}
	}
	return names, nil
}

// Open reads the files of a letter, of max octets at most. Names may be nil when the list is not varied. The error is
// *delivery.Unfit when the row is at fault.
func (l List) Open(ctx context.Context, folder *files.Folder, names []Named, max int64) (Held, error) {
	var h Held
	size, err := int64(0), error(nil)
	for i := 0; err == nil && i < len(l); i++ {
		m := l[i].fixed
		if m == nil {
			m, err = h.attach(ctx, folder, &l[i], names[i])
		}
		if m == nil {
			continue
		}
		h.All = append(h.All, m)
		if size += m.Size(); size > max {
			err = fault.Row(fmt.Sprintf("the attachments have %d octets, more than max_message %d", size, max))
		}
	}
	if err != nil {
		h.Release()
		return Held{}, err
	}
	return h, nil
}

// attach gives a row's attachment; nil: it is optional and not there.
func (h *Held) attach(ctx context.Context, folder *files.Folder, at *attachment, n Named) (*mime.Attachment, error) {
	f := at.file
	if f == nil {
		var err error
		if f, err = at.get(ctx, folder, n.path); err != nil || f == nil {
			return nil, err
		}
		h.held = append(h.held, f)
	}
	m, err := attach(f, n.path, n.name)
	if err != nil {
		return nil, fault.Row("attachment " + shownPath(n.path) + ": " + err.Error())
	}
	return m, nil
}

// get gives the file that a row's path names, which must not leave the folder that the campaign names.
func (at *attachment) get(ctx context.Context, folder *files.Folder, name string) (f *files.File, err error) {
	rest, ok := strings.CutPrefix(name, at.below)
	if rest == "" || strings.HasSuffix(rest, "/") {
		return nil, fault.Row(fmt.Sprintf("attachment %s: it names no file", shownPath(name)))
	}
	if !ok || strays(rest) {
		return nil, fault.Row(fmt.Sprintf("attachment %s: it does not stay in %s", shownPath(name), at.below))
	}
	f, err = at.find(ctx, folder, name)
	if wrong := (*files.Fault)(nil); errors.As(err, &wrong) {
		err = fault.Row("attachment " + shownPath(name) + ": " + fault.Reason(wrong.Err))
	}
	return f, err
}

// strays tells that a row's part of a path is not plainly one: /etc/passwd leads nowhere else than etc/passwd below a folder,
// and yet is not what its author meant.
func strays(rest string) bool {
	for e := range strings.SplitSeq(rest, "/") {
		if e == "" || e == "." || e == ".." {
			return true
		}
	}
	return false
}

func (at *attachment) find(ctx context.Context, folder *files.Folder, name string) (*files.File, error) {
	if at.optional {
		return folder.Find(ctx, name)
	}
	return folder.Get(ctx, name)
}

// shownPath is a path that a list made, on one line whatever it holds.
func shownPath(name string) string {
	const most = 200
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	if q := strconv.Quote(name); len(q) != len(name)+2 {
		return q
	}
	return name
}
