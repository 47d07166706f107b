package body

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style"
)

// dressed finishes the templates of a page, once for all rows: rules of style sheets move to the elements that they are for,
// images of the campaign's folder become parts of the letter, and the preheader goes to the top unless a template has its
// own place for it.
func (l *Loader) dressed(sources []markup.Source) []markup.Source {
	sources, p := l.styled(sources)
	edits := make([][]page.Edit, len(sources))
	for n := range p.Root.All() {
		if e, ok := l.picture(n, sources); ok {
			edits[n.Template] = append(edits[n.Template], e)
		} else {
			l.nowhere(n, sources)
		}
	}
	if l.preheader && !markup.Uses("preheader", l.sources...) {
		i, at := top(p)
		edits[i] = append(edits[i], page.Edit{Offset: at, Text: preheaderText})
	}
	for i := range sources {
		text, err := page.Apply(sources[i].Text, edits[i])
		if err != nil {
			l.Faults.Add(fault.Fault{File: sources[i].Name, Text: err.Error()})
			continue
		}
		sources[i].Text, sources[i].Made = text, true
	}
	return sources
}

// styled moves the rules of style sheets into attributes. A partial that looks different in different places becomes
// several.
func (l *Loader) styled(sources []markup.Source) ([]markup.Source, *page.Page) {
	templates := make([]page.Template, len(sources))
	for i, s := range sources {
		templates[i] = page.Template{Name: s.Called(), Text: s.Text}
	}
	templates, origin, faults := style.Inline(templates...)
	for _, f := range faults {
		l.note(sources, f)
	}
	for i, t := range templates {
		if i == len(sources) {
			sources = append(sources, markup.Source{Name: sources[origin[0]].Name, As: t.Name})
			origin = origin[1:]
		}
		sources[i].Text = t.Text
	}
	return sources, page.Parse(templates...)
}

// file gives the file of a template by the name that others call it by.
func (l *Loader) file(sources []markup.Source, called string) string {
	for _, s := range sources {
		if s.Called() == called {
			return s.Name
		}
	}
	return called
}

// note tells of what is odd in a style sheet, which keeps no letter back.
func (l *Loader) note(sources []markup.Source, f style.Fault) {
	if l.Note == nil {
		return
	}
	name := l.file(sources, f.Source)
	src, ok := l.written[name]
	if !ok || isMarkdown(name) { // the place is one of what was made of it
		src = markup.Source{Name: name, Made: true}
	}
	l.Note(fault.InFile(markup.Fault{Source: src, Offset: f.Offset, Text: f.Text, Hint: f.Hint}).Error())
}

// pictured are the attributes that name an image.
var pictured = map[string][]string{"img": {"src"}, "body": {"background"}, "table": {"background"}, "td": {"background"}, "th": {"background"}}

// picture puts the content id of an image in place of its path, if it is one of the campaign's folder.
func (l *Loader) picture(n *page.Node, sources []markup.Source) (page.Edit, bool) {
	if l.Images == "link" {
		return page.Edit{}, false
	}
	for _, name := range pictured[n.Name] {
		a := n.Attribute(name)
		if a == nil || a.Dynamic {
			continue
		}
		file, ok := local(a.Value)
		if !ok {
			continue
		}
		cid, err := l.embed(path.Dir(sources[n.Template].Name), file)
		if err != nil {
			l.inSource(sources[n.Template], a, file+": "+fault.Reason(err))
			continue
		}
		e := page.Edit{Offset: a.ValueStart, Length: a.ValueEnd - a.ValueStart, Text: "cid:" + cid}
		if a.Quote == 0 {
			e.Text = `"` + e.Text + `"`
		}
		return e, true
	}
	return page.Edit{}, false
}

// linked are the attributes that hold addresses.
var linked = []string{"src", "href", "background", "poster", "data", "srcset"}

// nowhere tells of addresses that lead nowhere from a letter: those without a host, and those of one machine.
func (l *Loader) nowhere(n *page.Node, sources []markup.Source) {
	for i := range n.Attributes {
		a := &n.Attributes[i]
		value := strings.ToLower(strings.TrimSpace(a.Value))
		switch {
		case a.Dynamic || l.Note == nil || value == "" || value[0] == '#' || !slices.Contains(linked, a.Name) && a.Name != "style":
		case a.Name == "style" && localImage(value), a.Name != "style" && (!strings.Contains(value, ":") && !strings.HasPrefix(value, "//") || strings.HasPrefix(value, "file:")):
			l.noteAt(sources[n.Template], a, fmt.Sprintf("%s=%q leads nowhere: it has no host, or only this machine has it", a.Name, a.Value))
		}
	}
}

// localImage finds an image without a host in a style.
func localImage(style string) bool {
	_, rest, ok := strings.Cut(style, "url(")
	rest = strings.TrimLeft(rest, " \"'")
	return ok && !strings.HasPrefix(rest, "http:") && !strings.HasPrefix(rest, "https:") && !strings.HasPrefix(rest, "data:") && !strings.HasPrefix(rest, "//")
}

// local gives the path of an address that is one: without a host, and not from the root of one.
func local(address string) (file string, ok bool) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.Path == "" || strings.HasPrefix(u.Path, "/") {
		return "", false
	}
	return u.Path, true
}

// embed makes an image a part of the version's letters. Its path is relative to the template's folder, or else to the
// campaign's.
func (l *Loader) embed(folder, file string) (cid string, err error) {
	name := path.Join(folder, file)
	if !l.exists(name) {
		name = path.Clean(file)
	}
	if !strings.HasPrefix(files.ContentType(name), "image/") {
		return "", errors.New("it is no image, by its name")
	}
	part, cid, err := l.Folder.Inline(context.Background(), name)
	if f := (*files.Fault)(nil); errors.As(err, &f) {
		err = f.Err
	}
	if err == nil && !slices.Contains(l.body.Inline, part) {
		l.body.Inline = append(l.body.Inline, part)
		l.Read(name, []byte(cid))
	}
	return cid, err
}

// inSource tells of an attribute of a template, at its place in the file as it was written.
func (l *Loader) inSource(src markup.Source, a *page.Attribute, text string) {
	l.Faults.Add(l.place(src, a, text, "images: link leaves addresses as they are written"))
}

func (l *Loader) noteAt(src markup.Source, a *page.Attribute, text string) {
	l.Note(l.place(src, a, text, "").Error())
}

// place finds where an attribute's value was written.
func (l *Loader) place(src markup.Source, a *page.Attribute, text, hint string) fault.Fault {
	at := a.ValueStart
	if written, ok := l.written[src.Name]; ok {
		src, at = written, max(0, strings.Index(written.Text, a.Value))
	}
	return fault.InFile(markup.Fault{Source: src, Offset: at, Text: text, Hint: hint})
}

// top finds where the page begins to be seen: in the body, else behind the head, else before the first element.
func top(p *page.Page) (template, offset int) {
	found := false
	for n := range p.Root.All() {
		switch {
		case n.Name == "body":
			return n.Template, n.End
		case n.Name == "head" && n.Until > 0:
			template, offset, found = n.Template, n.Until, true
		case !found && n.Name == "html":
			template, offset, found = n.Template, n.End, true
		case !found && !strings.HasPrefix(n.Name, "#"):
			template, offset, found = n.Template, n.Start, true
		}
	}
	return template, offset
}

// preheaderText shows the preheader to an inbox only. The characters behind it, which nobody sees, keep the inbox from
// showing what follows.
var preheaderText = `{{ with preheader }}<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{{ . }}` +
	strings.Repeat("&#847;&zwnj;&nbsp;", 40) + `</div>{{ end }}`
