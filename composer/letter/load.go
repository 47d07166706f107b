package letter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/letter/markup"
)

// maxTemplate is the largest template file, in octets.
const maxTemplate = 1 << 20

// open opens a regular file of the campaign's folder. It looks before it opens, since opening a named pipe would wait for
// ever, and again after, in case the file was changed meanwhile.
func (l *loader) open(name string) (*os.File, fs.FileInfo, error) {
	before, err := l.o.Root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, errors.New("it is no regular file")
	}
	f, err := l.o.Root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	after, err := f.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = errors.New("it changed while it was opened")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, after, nil
}

// read reads a template file.
func (l *loader) read(name string) (markup.Source, error) {
	f, _, err := l.open(name)
	if err != nil {
		return markup.Source{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return markup.Source{}, err
	}
	if len(b) > maxTemplate {
		return markup.Source{}, fmt.Errorf("it is larger than %d octets", maxTemplate)
	}
	if !utf8.Valid(b) {
		return markup.Source{}, errors.New("it is not UTF-8")
	}
	return markup.Source{Name: name, Text: strings.TrimPrefix(string(b), "\ufeff")}, nil
}

// named reads a template that a field names.
func (l *loader) named(field, name string) (markup.Source, bool) {
	src, err := l.read(name)
	if err != nil {
		l.inField(field, 0, name+": "+reason(err), "")
	}
	return src, err == nil
}

func (l *loader) loadBodies() {
	if l.o.Template == "" {
		l.inField("template", 0, "it is missing", "")
		return
	}
	var load func(markup.Source)
	switch ext := strings.ToLower(path.Ext(l.o.Template)); ext {
	case ".txt":
		load = l.loadText
	case ".html", ".htm":
		load = l.loadHTML
	case ".md", ".markdown":
		load = l.loadMarkdown
	default:
		l.inField("template", 0, fmt.Sprintf("%q is no kind of template", ext), "use .md, .html or .txt")
		return
	}
	if src, ok := l.named("template", l.o.Template); ok {
		load(src)
	}
}

// layout finds the layout of one kind: "html" or "txt". Only a layout that the campaign names must exist, in one kind.
func (l *loader) layout(kind string) (markup.Source, bool) {
	name := l.o.Layout
	switch name {
	case "none":
		return markup.Source{}, false
	case "":
		name = "base"
	}
	if strings.ContainsAny(name, `/\`) {
		l.inField("layout", 0, "it is a name, not a path", "layout: base stands for layouts/base.html and layouts/base.txt")
		return markup.Source{}, false
	}
	src, err := l.read("layouts/" + name + "." + kind)
	if errors.Is(err, fs.ErrNotExist) && (l.o.Layout == "" || l.exists("layouts/"+name+".html") || l.exists("layouts/"+name+".txt")) {
		return src, false
	}
	if err != nil {
		l.inField("layout", 0, "layouts/"+name+"."+kind+": "+reason(err), "")
	}
	return src, err == nil
}

func (l *loader) exists(name string) bool {
	_, err := l.o.Root.Stat(name)
	return err == nil
}

// surrounded gives the sources of a template with its layout, if there is one.
func (l *loader) surrounded(kind string, src markup.Source) []markup.Source {
	if layout, ok := l.layout(kind); ok {
		return []markup.Source{layout, src}
	}
	return []markup.Source{src}
}

func (l *loader) check(sources ...markup.Source) bool {
	faults := l.names.Check(sources...)
	l.inFiles(faults)
	return len(faults) == 0
}

func (l *loader) inFiles(faults []markup.Fault) {
	for _, f := range faults {
		l.faults = append(l.faults, inFile(f))
	}
}

func (l *loader) compiled(ref markup.Ref, faults []markup.Fault) markup.Ref {
	l.inFiles(faults)
	return ref
}

func (l *loader) loadText(src markup.Source) {
	if l.o.Text != "" && l.o.Text != "auto" && l.o.Text != "none" {
		l.inField("text", 0, "the template is the text part already", "")
	}
	l.plainText(src)
}

func (l *loader) plainText(src markup.Source) {
	if sources := l.surrounded("txt", src); l.check(sources...) {
		l.letter.text = l.compiled(l.letter.set.Text(sources...))
	}
}

func (l *loader) loadHTML(src markup.Source) {
	if sources := l.surrounded("html", src); l.check(sources...) {
		l.letter.html = l.compiled(l.letter.set.HTML(sources...))
	}
	l.loadTextPart()
}

func (l *loader) loadMarkdown(src markup.Source) {
	sources := l.surrounded("html", src)
	if l.check(sources...) { // as it was written, so that faults are found where they are
		html, faults := markup.Markdown(src)
		if l.inFiles(faults); len(faults) == 0 {
			if len(sources) == 1 {
				sources = []markup.Source{markup.Bare(), src}
			}
			l.letter.html = l.compiled(l.letter.set.HTML(sources[0], html))
		}
	}
	l.loadTextPart()
}

// loadTextPart finds the text part beside the HTML.
func (l *loader) loadTextPart() {
	switch l.o.Text {
	case "none":
	case "", "auto":
		l.letter.derive = true
		layout, ok := l.layout("txt")
		if ok && l.check(layout, markup.Source{Name: "content"}) {
			l.letter.wrapped = true
			l.letter.text = l.compiled(l.letter.set.Text(layout, markup.Derived()))
		}
	default:
		if ext := strings.ToLower(path.Ext(l.o.Text)); ext != ".txt" {
			l.inField("text", 0, "it is none of auto, none and a .txt file", "")
			return
		}
		if src, ok := l.named("text", l.o.Text); ok {
			l.plainText(src)
		}
	}
}
