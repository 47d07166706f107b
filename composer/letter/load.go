package letter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/markup"
)

// maxTemplate is the largest template file, in octets.
const maxTemplate = 1 << 20

// read reads a template file.
func (l *loader) read(name string) (markup.Source, error) {
	f, _, err := files.Open(l.o.Root, name)
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
	l.known(name, b)
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

// loadBody loads the parts of a version from its template.
func (l *loader) loadBody(src markup.Source) {
	if strings.EqualFold(path.Ext(src.Name), ".txt") {
		l.loadText(src)
		return
	}
	l.loadHTML(src)
}

// layout finds the layout of one kind: "html" or "txt". Only a layout that is named must exist, in one kind.
func (l *loader) layout(kind string) (markup.Source, bool) {
	name := l.layoutName
	switch name {
	case "none":
		return markup.Source{}, false
	case "":
		name = "base"
	}
	fault := func(text, hint string) {
		l.inFront(&Front{Pos: l.layoutPos}, func() { l.inField("layout", 0, text, hint) })
	}
	if strings.ContainsAny(name, `/\`) {
		fault("it is a name, not a path", "layout: base stands for layouts/base.html and layouts/base.txt")
		return markup.Source{}, false
	}
	src, err := l.read(l.inLanguage("layouts/" + name + "." + kind))
	if errors.Is(err, fs.ErrNotExist) && (l.layoutName == "" || l.exists("layouts/"+name+".html") || l.exists("layouts/"+name+".txt")) {
		return src, false
	}
	if err != nil {
		fault("layouts/"+name+"."+kind+": "+reason(err), "")
	}
	return src, err == nil
}

func (l *loader) exists(name string) bool {
	_, err := l.o.Root.Stat(name)
	return err == nil
}

// surrounded gives the sources of a template: its layout, if there is one, itself, and the partials that they call.
func (l *loader) surrounded(kind string, src markup.Source) []markup.Source {
	sources := []markup.Source{src}
	if layout, ok := l.layout(kind); ok {
		src.As = markup.Content
		sources = []markup.Source{layout, src}
	}
	return l.withPartials(kind, sources)
}

// withPartials adds the partials that are called, and those that they call.
func (l *loader) withPartials(kind string, sources []markup.Source) []markup.Source {
	have := map[string]bool{markup.Content: true}
	for more := true; more; {
		more = false
		for _, name := range markup.Calls(sources...) {
			if have[name] {
				continue
			}
			have[name] = true
			if src, ok := l.partial(kind, name); ok {
				sources, more = append(sources, src), true
			}
		}
	}
	return sources
}

// partial finds partials/NAME.html, or partials/NAME.md for HTML. That there is none is told where it is called.
func (l *loader) partial(kind, name string) (markup.Source, bool) {
	exts := []string{kind}
	if kind == "html" {
		exts = append(exts, "md")
	}
	for _, ext := range exts {
		file := path.Join("partials", strings.TrimSuffix(name, "."+ext)+"."+ext)
		src, err := l.read(l.inLanguage(file))
		src.As = name
		switch {
		case err == nil:
			return src, true
		case !errors.Is(err, fs.ErrNotExist):
			l.faults = append(l.faults, Fault{File: file, Text: reason(err)})
			return src, false
		}
	}
	return markup.Source{}, false
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
		l.version.text = l.compiled(l.letter.set.Text(sources...))
	}
}

// loadHTML loads the HTML part, and the text part beside it.
func (l *loader) loadHTML(src markup.Source) {
	sources := l.surrounded("html", src)
	if l.check(sources...) { // as they were written, so that faults are found where they are
		l.version.html = l.page(sources)
	}
	l.loadTextPart()
}

// page compiles checked sources as HTML.
func (l *loader) page(sources []markup.Source) markup.Ref {
	l.written = map[string]markup.Source{}
	for i, src := range sources {
		l.written[src.Name] = src
		if !isMarkdown(src.Name) {
			continue
		}
		html, faults := markup.Markdown(src)
		if l.inFiles(faults); len(faults) > 0 {
			return markup.Ref{}
		}
		sources[i] = html
	}
	if isMarkdown(sources[0].Name) {
		sources[0].As = markup.Content
		sources = append([]markup.Source{markup.Bare()}, sources...)
	}
	if _, faults := markup.NewSet(l.names, "", markup.Nulls{}).HTML(sources...); len(faults) > 0 { // while lines are those of the files
		l.inFiles(faults)
		return markup.Ref{}
	}
	return l.compiled(l.letter.set.HTML(l.dressed(sources)...))
}

func isMarkdown(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".md" || ext == ".markdown"
}

// loadTextPart finds the text part beside the HTML.
func (l *loader) loadTextPart() {
	switch l.o.Text {
	case "none":
	case "", "auto":
		l.version.derive = true
		layout, ok := l.layout("txt")
		if !ok {
			return
		}
		sources := l.withPartials("txt", []markup.Source{layout, {Name: markup.Content, As: markup.Content}})
		if l.check(sources...) {
			sources[1] = markup.Derived()
			l.version.wrapped = true
			l.version.text = l.compiled(l.letter.set.Text(sources...))
		}
	default:
		if ext := strings.ToLower(path.Ext(l.o.Text)); ext != ".txt" {
			l.inField("text", 0, "it is none of auto, none and a .txt file", "")
			return
		}
		if src, ok := l.named("text", l.inLanguage(l.o.Text)); ok {
			l.plainText(src)
		}
	}
}
