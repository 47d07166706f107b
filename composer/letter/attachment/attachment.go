// Package attachment gives letters the files that go with them:
//
//  1. a Loader compiles their paths and names, and reads at once what is the same for all letters;
//  2. Names executes, for one row, those that are templates;
//  3. Open reads and holds the files of a row before its letter is begun, so that what is wrong with them is known before a
//     server is told of it.
package attachment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/mime"
)

// maxName is the longest file name of an attachment, in octets: that of file systems.
const maxName = 255

// Source is a file to attach, as the campaign has it. Path and Name may be templates; a path that is one begins with the
// folder that it stays in, such as invoices/{{ .number }}.pdf.
type Source struct {
	Path     string
	Name     string // that recipients see; "": the file's own
	Optional bool   // a letter whose file is not there goes without it; else it does not go
}

// Loader compiles attachments. What is wrong with them goes to Faults.
type Loader struct {
	Folder *files.Folder
	Fields *field.Compiler
	Faults *fault.List
	Max    int64                          // octets of a letter
	Read   func(name string, data []byte) // told of everything that is the same for all letters
}

// List is the attachments of a letter.
type List []attachment

// Varied tells whether they differ from row to row.
func (l List) Varied() bool {
	return slices.ContainsFunc(l, func(a attachment) bool { return a.path.Active() || a.name.Active() })
}

type attachment struct {
	key      string // of the campaign
	path     field.Value
	name     field.Value // fixed and empty: that of the path
	below    string      // what a path of single rows begins with: the folder that they stay in
	optional bool

	file  *files.File      // of a fixed path
	fixed *mime.Attachment // of a fixed path and name
}

// Load compiles the attachments of the campaign, or of a template's front matter.
func (l *Loader) Load(list []Source) (all List) {
	total := int64(0)
	for i, a := range list {
		at := attachment{key: fmt.Sprintf("attachments[%d]", i), optional: a.Optional}
		n, err := l.attach(&at, a)
		if f := (*files.Fault)(nil); errors.As(err, &f) {
			err = f.Err
		}
		if err != nil {
			l.Faults.Field(at.key, 0, a.Path+": "+fault.Reason(err), "")
			continue
		}
		if total += n; total > l.Max {
			l.Faults.Field(at.key, 0, fmt.Sprintf("the attachments are larger than max_message, %d octets", l.Max), "")
			return all
		}
		if at.file != nil || at.path.Active() { // else it is optional and not there
			all = append(all, at)
		}
	}
	return all
}

// attach compiles an attachment. What is the same for all letters is read and encoded now; it gives the octets that takes
// in each.
func (l *Loader) attach(at *attachment, a Source) (n int64, err error) {
	at.path = l.Fields.Value(at.key+".path", a.Path)
	at.name = l.Fields.Value(at.key+".name", a.Name)
	if at.path.Active() {
		at.below = l.below(at.key+".path", a.Path)
		l.Read(a.Path, []byte(a.Name))
		return 0, nil
	}
	if at.file, err = at.find(context.Background(), l.Folder, a.Path); err != nil || at.file == nil {
		return 0, err
	}
	if at.name.Active() {
		return at.file.Size(), nil
	}
	if at.fixed, err = attach(at.file, a.Path, a.Name); err != nil {
		return 0, err
	}
	l.Read(a.Path, at.file.Sum())
	return at.fixed.Size(), nil
}

// below gives what a path of single rows begins with, whatever the rows hold: the folder that they stay in.
func (l *Loader) below(key, text string) string {
	static, _, _ := strings.Cut(text, "{{")
	static = static[:strings.LastIndexByte(static, '/')+1]
	if folder := path.Clean(static); folder == "." || !filepath.IsLocal(folder) {
		l.Faults.Field(key, 0, "a path of single rows must begin with the folder that they stay in", "such as invoices/{{ .number }}.pdf")
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
	if strings.ContainsFunc(shown, turns) { // so that exe.fdp does not read pdf.exe
		return nil, errors.New("its name holds a mark that turns the direction of writing")
	}
	if strings.Trim(strings.TrimSuffix(shown, path.Ext(shown)), " .") == "" {
		return nil, errors.New("its name is empty")
	}
	if len(shown) > maxName || strings.ContainsAny(shown, `/\`) {
		return nil, fmt.Errorf("its name is longer than %d octets or holds a slash", maxName)
	}
	return mime.Attach(mime.File{Name: shown, Type: kind, Content: f, Size: f.Size()})
}

// turns tells of the marks that make text run the other way (Unicode UAX #9).
func turns(r rune) bool { return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' }
