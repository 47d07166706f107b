// Package body makes the bodies of a letter from files of the campaign's folder, once for all rows:
//
//  1. a template is read, with its layout and the partials that they call, each in the language asked for if there is one;
//  2. all of them are checked as they were written, so that a fault has its line;
//  3. Markdown becomes HTML, images of the folder become parts of the letter, the preheader goes to the top;
//  4. what comes out is compiled, and with it the text part, or the layout of one that is derived.
package body

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/composer/letter/mime"
)

// Loader loads bodies. What is wrong goes to Faults.
type Loader struct {
	Root   *os.Root
	Folder *files.Folder // for images
	Names  markup.Names
	Set    *markup.Set
	Faults *fault.List

	Text      string // "auto" (also ""), "none", or a .txt file
	Images    string // "embed" (also "") or "link"
	Languages bool   // files may be there in several

	// Read is told of everything that is read.
	Read func(name string, data []byte)
	// Note is told of what somebody may want to look at; nil: nobody.
	Note func(text string)
	// Prints is told which columns are printed as they are.
	Prints func(columns []int)

	tag       string // language of the body being loaded
	layout    string
	layoutPos fault.Pos
	preheader bool
	sources   []markup.Source          // of the page being made, as they stand in their files
	written   map[string]markup.Source // the same by their names
	body      Body
}

// Edition says which body is to be loaded.
type Edition struct {
	Tag       string    // of its language; "": none
	Layout    string    // "": base if there is such a file; "none"
	LayoutPos fault.Pos // of the field that names the layout
	Preheader bool      // there is one
}

// Body is one body. Its templates are in the loader's Set.
type Body struct {
	HTML    markup.Ref
	Text    markup.Ref // of the text part, or with Wrapped of its layout
	Derive  bool       // the text part is made from the HTML
	Wrapped bool
	Inline  []*mime.Attachment
}

// maxTemplate is the largest template file, in octets.
const maxTemplate = 1 << 20

// read reads a template file.
func (l *Loader) read(name string) (markup.Source, error) {
	f, _, err := files.Open(l.Root, name)
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
	l.Read(name, b)
	return markup.Source{Name: name, Text: strings.TrimPrefix(string(b), "\ufeff")}, nil
}

// Template reads the template that a field names.
func (l *Loader) Template(field, name string) (markup.Source, bool) {
	src, err := l.read(name)
	if err != nil {
		l.Faults.Field(field, 0, name+": "+fault.Reason(err), "")
	}
	return src, err == nil
}

// Load loads the body whose template is src.
func (l *Loader) Load(src markup.Source, e Edition) Body {
	l.tag, l.layout, l.layoutPos, l.preheader, l.body = e.Tag, e.Layout, e.LayoutPos, e.Preheader, Body{}
	if strings.EqualFold(path.Ext(src.Name), ".txt") {
		l.loadText(src)
	} else {
		l.loadHTML(src)
	}
	return l.body
}

// layoutOf finds the layout of one kind: "html" or "txt". Only a layout that is named must exist, in one kind.
func (l *Loader) layoutOf(kind string) (markup.Source, bool) {
	name := l.layout
	switch name {
	case "none":
		return markup.Source{}, false
	case "":
		name = "base"
	}
	complain := func(text, hint string) {
		l.Faults.In(l.layoutPos, func() { l.Faults.Field("layout", 0, text, hint) })
	}
	if strings.ContainsAny(name, `/\`) {
		complain("it is a name, not a path", "layout: base stands for layouts/base.html and layouts/base.txt")
		return markup.Source{}, false
	}
	src, err := l.read(l.inLanguage("layouts/" + name + "." + kind))
	if errors.Is(err, fs.ErrNotExist) && (l.layout == "" || l.exists("layouts/"+name+".html") || l.exists("layouts/"+name+".txt")) {
		return src, false
	}
	if err != nil {
		complain("layouts/"+name+"."+kind+": "+fault.Reason(err), "")
	}
	return src, err == nil
}

func (l *Loader) exists(name string) bool {
	_, err := l.Root.Stat(name)
	return err == nil
}

// surrounded gives the sources of a template: its layout, if there is one, itself, and the partials that they call.
func (l *Loader) surrounded(kind string, src markup.Source) []markup.Source {
	sources := []markup.Source{src}
	if layout, ok := l.layoutOf(kind); ok {
		src.As = markup.Content
		sources = []markup.Source{layout, src}
	}
	return l.withPartials(kind, sources)
}

// withPartials adds the partials that are called, and those that they call.
func (l *Loader) withPartials(kind string, sources []markup.Source) []markup.Source {
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
func (l *Loader) partial(kind, name string) (markup.Source, bool) {
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
			l.Faults.Add(fault.Fault{File: file, Text: fault.Reason(err)})
			return src, false
		}
	}
	return markup.Source{}, false
}

func (l *Loader) check(sources ...markup.Source) bool {
	faults := l.Names.Check(sources...)
	l.Faults.Source(faults...)
	l.Prints(l.Names.Printed(sources...))
	return len(faults) == 0
}

func (l *Loader) compiled(ref markup.Ref, faults []markup.Fault) markup.Ref {
	l.Faults.Source(faults...)
	return ref
}

func (l *Loader) loadText(src markup.Source) {
	if l.Text != "" && l.Text != "auto" && l.Text != "none" {
		l.Faults.Field("text", 0, "the template is the text part already", "")
	}
	l.plainText(src)
}

func (l *Loader) plainText(src markup.Source) {
	if sources := l.surrounded("txt", src); l.check(sources...) {
		l.body.Text = l.compiled(l.Set.Text(sources...))
	}
}

// loadHTML loads the HTML part, and the text part beside it.
func (l *Loader) loadHTML(src markup.Source) {
	sources := l.surrounded("html", src)
	if l.check(sources...) { // as they were written, so that faults are found where they are
		l.body.HTML = l.page(sources)
	}
	l.loadTextPart()
}

// page compiles checked sources as HTML.
func (l *Loader) page(sources []markup.Source) markup.Ref {
	l.written = map[string]markup.Source{}
	l.sources = slices.Clone(sources)
	for i, src := range sources {
		l.written[src.Name] = src
		if !isMarkdown(src.Name) {
			continue
		}
		html, faults := markup.Markdown(src)
		if l.Faults.Source(faults...); len(faults) > 0 {
			return markup.Ref{}
		}
		sources[i] = html
	}
	if isMarkdown(sources[0].Name) {
		sources[0].As = markup.Content
		sources = append([]markup.Source{markup.Bare()}, sources...)
	}
	if _, faults := markup.NewSet(l.Names, "", markup.Nulls{}).HTML(sources...); len(faults) > 0 { // while lines are those of the files
		l.Faults.Source(faults...)
		return markup.Ref{}
	}
	return l.compiled(l.Set.HTML(l.dressed(sources)...))
}

func isMarkdown(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".md" || ext == ".markdown"
}

// loadTextPart finds the text part beside the HTML.
func (l *Loader) loadTextPart() {
	switch l.Text {
	case "none":
	case "", "auto":
		l.body.Derive = true
		layout, ok := l.layoutOf("txt")
		if !ok {
			return
		}
		sources := l.withPartials("txt", []markup.Source{layout, {Name: markup.Content, As: markup.Content}})
		if l.check(sources...) {
			sources[1] = markup.Derived()
			l.body.Wrapped = true
			l.body.Text = l.compiled(l.Set.Text(sources...))
		}
	default:
		if ext := strings.ToLower(path.Ext(l.Text)); ext != ".txt" {
			l.Faults.Field("text", 0, "it is none of auto, none and a .txt file", "")
			return
		}
		if src, ok := l.Template("text", l.inLanguage(l.Text)); ok {
			l.plainText(src)
		}
	}
}
