package letter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter/attachment"
	"github.com/mailblast/mailblast/composer/letter/body"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/locale"
	"github.com/mailblast/mailblast/composer/letter/markup"
)

// version is the letter in one language.
type version struct {
	body.Body
	locale    locale.Locale
	subject   field.Value
	preheader field.Value
	attached  attachment.List
}

// languages finds the version for a row.
type languages struct {
	all   map[string]*version // by the tag in the template's name; "" is the default
	asked field.Value         // what names a row's language; without an action and empty: nothing does
	note  func(text string)

	mu     sync.Mutex
	chosen map[string]choice // what was asked for before
}

// choice is what a language that was asked for leads to.
type choice struct {
	*version
	locale locale.Locale // for dates and numbers
}

// maxTag is longer than any tag of a language, in octets; what is longer is none, such as noLanguage.
const (
	maxTag     = 35
	noLanguage = "(a long text)"
)

// maxChosen bounds what is remembered: a column may hold anything.
const maxChosen = 1000

// choose finds the version for what names a row's language. The first row that gets another one than it asks for is noted.
func (ls *languages) choose(asked string) choice {
	if asked = strings.TrimSpace(asked); len(asked) > maxTag {
		asked = noLanguage
	}
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
	asked, err := r.print.Text(&l.languages.asked)
	if err != nil {
		return choice{}, markup.In("locale", err)
	}
	return l.languages.choose(asked), nil
}

// Language gives the language of the letter that a row gets, in its canonical form; empty where the campaign asks for none,
// or the row's cannot be told.
func (l *Letter) Language(r *composer.Row) string {
	if !l.languages.asked.Active() {
		return ""
	}
	tag := ""
	err := l.with(context.Background(), r, func(re *renderer) error {
		c, err := l.speaks(re)
		tag = c.locale.String()
		return err
	})
	if err != nil {
		return ""
	}
	return tag
}

// kinds are the endings of templates.
var kinds = []string{".txt", ".html", ".htm", ".md", ".markdown"}

// loadVersions loads the letter in each of its languages, the default first.
func (l *loader) loadVersions() {
	l.letter.languages = languages{all: map[string]*version{}, chosen: map[string]choice{}, note: l.o.Note,
		asked: l.fields.OrNothing("locale", l.o.Locale)}
	if l.o.Template == "" {
		l.faults.Field("template", 0, "it is missing", "")
		return
	}
	if ext := strings.ToLower(path.Ext(l.o.Template)); !slices.Contains(kinds, ext) {
		l.faults.Field("template", 0, fmt.Sprintf("%q is no kind of template", ext), "use .md, .html or .txt")
		return
	}
	src, ok := l.bodies.Template("template", l.o.Template)
	if !ok {
		return
	}
	body, usual := l.parted(src)
	l.loadVersion("", body, usual, Front{})
	files := l.bodies.Variants(l.o.Template)
	for _, tag := range slices.Sorted(maps.Keys(files)) {
		if src, ok := l.bodies.Template("template", files[tag]); ok {
			body, front := l.parted(src)
			l.loadVersion(tag, body, front, usual)
		}
	}
}

// loadVersion loads one of them. Subject, layout and attachments that its front matter does not set are those of the
// default, then of the campaign.
func (l *loader) loadVersion(tag string, src markup.Source, front, usual Front) {
	v := &version{locale: l.localeOf(tag, &front)}
	l.letter.languages.all[tag] = v
	v.subject = l.fronted("subject", l.o.Subject, func(f *Front) string { return f.Subject }, &front, &usual)
	v.preheader = l.fronted("preheader", l.o.Preheader, func(f *Front) string { return f.Preheader }, &front) // better none than one in another language
	if front.Subject == "" && usual.Subject != "" && l.o.Note != nil {
		l.o.Note(fmt.Sprintf("%s has no subject in its front matter: that of %s is sent", src.Name, l.o.Template))
	}
	if v.subject == (field.Value{}) {
		l.faults.Field("subject", 0, "it is missing", `add: subject: "Hello {{ .first_name }}", or a subject to the front matter of `+src.Name)
	}
	e := body.Edition{Tag: tag, Layout: l.o.Layout, LayoutPos: l.o.Pos, Preheader: v.preheader != (field.Value{})}
	for _, f := range []*Front{&usual, &front} {
		if f.Layout != "" {
			e.Layout, e.LayoutPos = f.Layout, f.Pos
		}
	}
	for _, f := range []*Front{&front, &usual} {
		if len(f.Attachments) > 0 {
			l.faults.In(f.Pos, func() { v.attached = l.attachments.Load(f.Attachments) })
			break
		}
	}
	v.Body = l.bodies.Load(src, e)
}

// attachToAll gives every version what goes with all letters, beside its own.
func (l *loader) attachToAll() {
	all := l.attachments.Load(l.o.Attachments)
	for _, v := range l.letter.languages.all {
		v.attached = append(all[:len(all):len(all)], v.attached...)
		l.letter.attaches = l.letter.attaches || len(v.attached) > 0
	}
}

// standard is the language of a letter that does not say.
const standard = "en"

// localeOf is the language that the letter itself is in.
func (l *loader) localeOf(tag string, front *Front) locale.Locale {
	lang, err := locale.Parse(cmp.Or(tag, front.Locale, standard))
	if err != nil {
		text, hint, _ := strings.Cut(err.Error(), "\nhint: ")
		l.faults.In(front.Pos, func() { l.faults.Field("locale", 0, text, hint) })
		return l.localeOf("", &Front{})
	}
	return lang
}

// fronted compiles a field that front matter may set: the first that does so goes before the campaign.
func (l *loader) fronted(name, campaign string, of func(*Front) string, fronts ...*Front) (v field.Value) {
	for _, f := range fronts {
		if text := of(f); text != "" {
			l.faults.In(f.Pos, func() { v = l.headerValue(name, text) })
			return v
		}
	}
	if campaign != "" {
		v = l.headerValue(name, campaign)
	}
	return v
}
