package letter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/mime"
)

// maxName is the longest file name of an attachment, in octets: that of file systems.
const maxName = 255

// attachment is one of a letter's attachments.
type attachment struct {
	key      string // of the campaign
	path     field.Value
	name     field.Value // fixed and empty: that of the path
	below    string      // what a path of single rows begins with: the folder that they stay in
	optional bool

	file  *files.File      // of a fixed path
	fixed *mime.Attachment // of a fixed path and name
}

// loadAttachments compiles those of the campaign, or of a template's front matter.
func (l *loader) loadAttachments(list []Attachment) (all []attachment) {
	total := int64(0)
	for i, a := range list {
		at := attachment{key: fmt.Sprintf("attachments[%d]", i), optional: a.Optional}
		n, err := l.attach(&at, a)
		if f := (*files.Fault)(nil); errors.As(err, &f) {
			err = f.Err
		}
		if err != nil {
			l.faults.Field(at.key, 0, a.Path+": "+fault.Reason(err), "")
			continue
		}
		if total += n; total > l.o.MaxMessage {
			l.faults.Field(at.key, 0, fmt.Sprintf("the attachments are larger than max_message, %d octets", l.o.MaxMessage), "")
			return all
		}
		if at.file != nil || at.path.Active() { // else it is optional and not there
			all = append(all, at)
		}
	}
	return all
}

// attachToAll gives every version what goes with all letters, beside its own.
func (l *loader) attachToAll() {
	all := l.loadAttachments(l.o.Attachments)
	for _, v := range l.letter.languages.all {
		v.attached = append(all[:len(all):len(all)], v.attached...)
		for _, at := range v.attached {
			v.varied = v.varied || at.path.Active() || at.name.Active()
		}
		l.letter.attaches = l.letter.attaches || len(v.attached) > 0
	}
}

// attach compiles an attachment. What is the same for all letters is read and encoded now; it gives the octets that takes
// in each.
func (l *loader) attach(at *attachment, a Attachment) (n int64, err error) {
	at.path = l.fields.Value(at.key+".path", a.Path)
	at.name = l.fields.Value(at.key+".name", a.Name)
	if at.path.Active() {
		at.below = l.below(at.key+".path", a.Path)
		return 0, nil
	}
	if at.file, err = at.find(context.Background(), l.letter.folder, a.Path); err != nil || at.file == nil {
		return 0, err
	}
	if at.name.Active() {
		return at.file.Size(), nil
	}
	if at.fixed, err = attach(at.file, a.Path, a.Name); err != nil {
		return 0, err
	}
	l.known(a.Path, at.file.Sum())
	return at.fixed.Size(), nil
}

// below gives what a path of single rows begins with, whatever the rows hold: the folder that they stay in.
func (l *loader) below(key, text string) string {
	static, _, _ := strings.Cut(text, "{{")
	static = static[:strings.LastIndexByte(static, '/')+1]
	if folder := path.Clean(static); folder == "." || !filepath.IsLocal(folder) {
		l.faults.Field(key, 0, "a path of single rows must begin with the folder that they stay in", "such as invoices/{{ .number }}.pdf")
	}
	return static
}

// attach makes an attachment of the file that a path names. Its type is what its name or else its path stands for.
func attach(f *files.File, name, shown string) (*mime.Attachment, error) {
	kind := files.ContentType(cmp.Or(path.Ext(shown), path.Ext(name)))
	shown = cmp.Or(shown, path.Base(path.Clean(name)))
	if err := mime.CheckValue(shown); err != nil {
		return nil, fmt.Errorf("its name: %w", err)
	}
	if strings.Contains(shown, "=?") { // which many programs decode there too, against RFC 2047 §5
		return nil, errors.New("its name looks like an encoded word")
	}
	if len(shown) > maxName || strings.ContainsAny(shown, `/\`) {
		return nil, fmt.Errorf("its name is longer than %d octets or holds a slash", maxName)
	}
	return mime.Attach(mime.File{Name: shown, Type: kind, Content: f, Size: f.Size()})
}

// attachments are those of one letter, with the files that it uses until it is closed.
type attachments struct {
	all  []*mime.Attachment
	held []*files.File
}

func (a *attachments) release() {
	for _, f := range a.held {
		f.Close()
	}
}

// attachments gives those of a row. All of them are read, and found unchanged, before a letter is begun: what is wrong with
// them must be known before a server is told of it.
func (l *Letter) attachments(ctx context.Context, row *composer.Row) (attachments, error) {
	var a attachments
	if !l.attaches {
		return a, nil
	}
	v, names, err := l.attachmentNames(ctx, row)
	size := int64(0)
	for i := 0; err == nil && i < len(v.attached); i++ {
		at := &v.attached[i]
		m := at.fixed
		if m == nil {
			m, err = a.attach(ctx, l.folder, at, names[i])
		}
		if m == nil {
			continue
		}
		a.all = append(a.all, m)
		if size += m.Size(); size > l.o.MaxMessage {
			err = content(fmt.Sprintf("the attachments have %d octets, more than max_message %d", size, l.o.MaxMessage))
		}
	}
	if err != nil {
		a.release()
		return attachments{}, err
	}
	return a, nil
}

// named is what a row makes of an attachment's templates.
type named struct{ path, name string }

// attachmentNames finds the version for a row and executes the templates of its attachments. The renderer is given back
// before files are read, so that a slow disk does not keep others from rendering.
func (l *Letter) attachmentNames(ctx context.Context, row *composer.Row) (v *version, names []named, err error) {
	v = l.languages.all[""]
	if !v.varied && len(l.languages.all) == 1 {
		return v, nil, nil
	}
	err = l.with(ctx, row, func(re *renderer) (err error) {
		if err = re.speak(); err != nil {
			return err
		}
		v = re.choice.version
		names = make([]named, len(v.attached))
		for i := range v.attached {
			at := &v.attached[i]
			if names[i].path, err = re.print.Text(&at.path); err == nil {
				names[i].name, err = re.print.Text(&at.name)
			}
			if err != nil {
				return part(at.key, err)
			}
		}
		return nil
	})
	return v, names, err
}

// attach gives a row's attachment; nil: it is optional and not there.
func (a *attachments) attach(ctx context.Context, folder *files.Folder, at *attachment, n named) (*mime.Attachment, error) {
	f := at.file
	if f == nil {
		var err error
		if f, err = at.get(ctx, folder, n.path); err != nil || f == nil {
			return nil, err
		}
		a.held = append(a.held, f)
	}
	m, err := attach(f, n.path, n.name)
	if err != nil {
		return nil, content("attachment " + shownPath(n.path) + ": " + err.Error())
	}
	return m, nil
}

// get gives the file that a row's path names, which must not leave the folder that the campaign names.
func (at *attachment) get(ctx context.Context, folder *files.Folder, name string) (f *files.File, err error) {
	rest, ok := strings.CutPrefix(name, at.below)
	if rest == "" || strings.HasSuffix(rest, "/") {
		return nil, content(fmt.Sprintf("attachment %s: it names no file", shownPath(name)))
	}
	if !ok || strays(rest) {
		return nil, content(fmt.Sprintf("attachment %s: it does not stay in %s", shownPath(name), at.below))
	}
	f, err = at.find(ctx, folder, name)
	if wrong := (*files.Fault)(nil); errors.As(err, &wrong) {
		err = content("attachment " + shownPath(name) + ": " + fault.Reason(wrong.Err))
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
