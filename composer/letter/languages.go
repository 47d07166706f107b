package letter

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/mailblast/mailblast/composer/letter/locale"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/composer/letter/mime"
)

// version is the letter in one language.
type version struct {
	locale    locale.Locale
	subject   value
	preheader value
	html      markup.Ref
	text      markup.Ref
	derive    bool // the text part is made from the HTML
	wrapped   bool // text is the layout of the derived part
	inline    []*mime.Attachment
	attached  []attachment
	varied    bool // what is attached differs from row to row
}

// languages finds the version for a row.
type languages struct {
	all   map[string]*version // by the tag in the template's name; "" is the default
	asked value               // what names a row's language; without an action and empty: nothing does
	note  func(text string)

	mu     sync.Mutex
	chosen map[string]choice // what was asked for before
}

// choice is what a language that was asked for leads to.
type choice struct {
	*version
	locale locale.Locale // for dates and numbers
}

// maxChosen bounds what is remembered: a column may hold anything.
const maxChosen = 1000

// choose finds the version for what names a row's language. The first row that gets another one than it asks for is noted.
func (ls *languages) choose(asked string) choice {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if c, ok := ls.chosen[asked]; ok {
		return c
	}
	c, missing := ls.find(asked)
	if missing != "" && ls.note != nil && len(ls.chosen) < maxChosen {
		ls.note(missing)
	}
	if len(ls.chosen) < maxChosen {
		ls.chosen[asked] = c
	}
	return c
}

func (ls *languages) find(asked string) (c choice, missing string) {
	usual := ls.all[""]
	c = choice{usual, usual.locale}
	if strings.TrimSpace(asked) == "" {
		return c, ""
	}
	l, err := locale.Parse(asked)
	if err != nil {
		return c, fmt.Sprintf("%.40q is no language such as de or pt-BR: the letter without a language in its name is sent", asked)
	}
	own := usual.locale.Fallbacks()
	for _, tag := range l.Fallbacks() {
		if v, ok := ls.all[tag]; ok {
			return choice{v, l}, ""
		}
		if tag == own[len(own)-1] { // en-GB, where the letter without a language in its name is English
			return choice{usual, l}, ""
		}
	}
	if len(ls.all) == 1 { // one letter for all: its dates and numbers follow the reader
		return choice{usual, l}, ""
	}
	return c, fmt.Sprintf("there is no letter for the language %s: the one without a language in its name is sent", l)
}

// speaks finds the version for the renderer's row.
func (l *Letter) speaks(r *renderer) (choice, error) {
	asked, err := r.value(l.languages.asked)
	if err != nil {
		return choice{}, part("locale", err)
	}
	return l.languages.choose(asked), nil
}

// variants finds the files that hold a template in other languages: offer.de.md beside offer.md, by their languages.
func (l *loader) variants(name string) map[string]string {
	found := map[string]string{}
	if l.o.Locale == "" {
		return found
	}
	dir, ext := path.Dir(name), path.Ext(name)
	stem := strings.TrimSuffix(path.Base(name), ext)
	entries, err := fs.ReadDir(l.o.Root.FS(), dir)
	if err != nil {
		return found // the template itself is missed then
	}
	for _, e := range entries {
		tag, ok := strings.CutPrefix(e.Name(), stem+".")
		tag, ext := strings.CutSuffix(tag, ext)
		if !ok || !ext {
			continue
		}
		if lang, err := locale.Parse(tag); err == nil {
			found[lang.String()] = path.Join(dir, e.Name())
		}
	}
	return found
}

// inLanguage gives the file of a language, or that of one it falls back to, or the one without.
func (l *loader) inLanguage(name string) string {
	if l.tag == "" {
		return name
	}
	lang, err := locale.Parse(l.tag)
	if err != nil {
		return name
	}
	files := l.variants(name)
	for _, tag := range lang.Fallbacks() {
		if f, ok := files[tag]; ok {
			return f
		}
	}
	return name
}

// kinds are the endings of templates.
var kinds = []string{".txt", ".html", ".htm", ".md", ".markdown"}

// loadVersions loads the letter in each of its languages, the default first.
func (l *loader) loadVersions() {
	l.letter.languages = languages{all: map[string]*version{}, chosen: map[string]choice{}, note: l.o.Note,
		asked: l.compile(l.letter.loose, "locale", l.o.Locale, 0)}
	if l.o.Template == "" {
		l.inField("template", 0, "it is missing", "")
		return
	}
	if ext := strings.ToLower(path.Ext(l.o.Template)); !slices.Contains(kinds, ext) {
		l.inField("template", 0, fmt.Sprintf("%q is no kind of template", ext), "use .md, .html or .txt")
		return
	}
	src, ok := l.named("template", l.o.Template)
	if !ok {
		return
	}
	body, usual := l.parted(src)
	l.loadVersion("", body, usual, Front{})
	files := l.variants(l.o.Template)
	for _, tag := range slices.Sorted(maps.Keys(files)) {
		if src, ok := l.named("template", files[tag]); ok {
			body, front := l.parted(src)
			l.loadVersion(tag, body, front, usual)
		}
	}
}

// loadVersion loads one of them. Subject, layout and attachments that its front matter does not set are those of the
// default, then of the campaign.
func (l *loader) loadVersion(tag string, src markup.Source, front, usual Front) {
	v := &version{}
	l.tag, l.version = tag, v
	l.letter.languages.all[tag] = v
	v.locale = l.localeOf(tag, &front)
	v.subject = l.fronted("subject", l.o.Subject, func(f *Front) string { return f.Subject }, &front, &usual)
	v.preheader = l.fronted("preheader", l.o.Preheader, func(f *Front) string { return f.Preheader }, &front) // better none than one in another language
	if front.Subject == "" && usual.Subject != "" && l.o.Note != nil {
		l.o.Note(fmt.Sprintf("%s has no subject in its front matter: that of %s is sent", src.Name, l.o.Template))
	}
	if v.subject == (value{}) {
		l.inField("subject", 0, "it is missing", `add: subject: "Hello {{ .first_name }}", or a subject to the front matter of `+src.Name)
	}
	l.layoutName, l.layoutPos = l.o.Layout, l.o.Pos
	for _, f := range []*Front{&usual, &front} {
		if f.Layout != "" {
			l.layoutName, l.layoutPos = f.Layout, f.Pos
		}
	}
	for _, f := range []*Front{&front, &usual} {
		if len(f.Attachments) > 0 {
			l.inFront(f, func() { v.attached = l.loadAttachments(f.Attachments) })
			break
		}
	}
	l.loadBody(src)
}

// standard is the language of a letter that does not say.
const standard = "en"

// localeOf is the language that the letter itself is in.
func (l *loader) localeOf(tag string, front *Front) locale.Locale {
	lang, err := locale.Parse(cmp.Or(tag, front.Locale, standard))
	if err != nil {
		text, hint, _ := strings.Cut(err.Error(), "\nhint: ")
		l.inFront(front, func() { l.inField("locale", 0, text, hint) })
		return l.localeOf("", &Front{})
	}
	return lang
}

// fronted compiles a field that front matter may set: the first that does so goes before the campaign.
func (l *loader) fronted(field, campaign string, of func(*Front) string, fronts ...*Front) (v value) {
	for _, f := range fronts {
		if text := of(f); text != "" {
			l.inFront(f, func() { v = l.headerValue(field, text) })
			return v
		}
	}
	if campaign != "" {
		v = l.headerValue(field, campaign)
	}
	return v
}
