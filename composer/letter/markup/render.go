package markup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"regexp"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/mailblast/mailblast/composer/letter/locale"
)

// Limits of one row's templates.
const (
	maxOutput = 1 << 20         // octets of one template's output
	maxTime   = 5 * time.Second // for all of a row's templates
	maxSteps  = 100_000         // turns of loops and calls of templates, for all of a row's templates
)

// Held is the error for a row whose letter must not be sent.
type Held struct {
	Null bool // NULL was printed
	Skip bool // and such a row is left out
	Text string
}

func (e *Held) Error() string { return e.Text }

// In says in which part of the letter a row failed.
func In(part string, err error) error {
	if held := (*Held)(nil); errors.As(err, &held) {
		return &Held{Null: held.Null, Skip: held.Skip, Text: part + ": " + held.Text}
	}
	return err
}

// Set is a number of compiled templates. Text and HTML come first; Renderer may be called by many at once after.
type Set struct {
	campaign string
	names    Names
	aliases  map[string]int
	nulls    Nulls
	texts    []*texttemplate.Template
	htmls    []*htmltemplate.Template
}

// NewSet makes an empty set.
func NewSet(n Names, campaign string, nulls Nulls) *Set {
	return &Set{campaign: campaign, names: n, aliases: n.aliases(), nulls: nulls}
}

// Ref names a template of a Set. The zero value is none.
type Ref struct {
	text, html int // from 1
}

// Row is what templates are executed with.
type Row struct {
	Values         []any // one a column; may be short
	Locale         locale.Locale
	Recipient      string
	UnsubscribeURL string
	Preheader      string
	Content        string // what Derived stands for
}

// Derived is a template for the Content of a Row, to be put into a text layout.
func Derived() Source { return Source{Name: Content, As: Content, Text: "{{ " + stepDerived + " }}"} }

// Text compiles checked sources as text; the first is the one that is executed.
func (s *Set) Text(sources ...Source) (Ref, []Fault) {
	t := texttemplate.New(sources[0].Called()).Funcs((&Renderer{}).textFunctions())
	for i, src := range sources {
		to := t
		if i > 0 {
			to = t.New(src.Called())
		}
		if _, err := to.Parse(src.Text); err != nil {
			return Ref{}, []Fault{syntaxFault(src, err)}
		}
	}
	for _, each := range t.Templates() {
		arm(each.Tree)
	}
	s.texts = append(s.texts, t)
	return Ref{text: len(s.texts)}, nil
}

// HTML compiles checked sources as HTML. It finds what contextual escaping cannot make safe.
func (s *Set) HTML(sources ...Source) (Ref, []Fault) {
	t := htmltemplate.New(sources[0].Called()).Funcs((&Renderer{}).functions())
	for i, src := range sources {
		to := t
		if i > 0 {
			to = t.New(src.Called())
		}
		if _, err := to.Parse(outlook(src.Text)); err != nil {
			return Ref{}, []Fault{syntaxFault(src, err)}
		}
	}
	for _, each := range t.Templates() {
		arm(each.Tree)
	}
	s.htmls = append(s.htmls, t)
	ref := Ref{html: len(s.htmls)}
	r := s.Renderer()
	err := r.Begin(context.Background(), Row{})
	if err == nil {
		err = r.execute(io.Discard, ref, "")
	}
	if e := (*htmltemplate.Error)(nil); errors.As(err, &e) {
		return Ref{}, []Fault{syntaxFault(named(sources, e.Name), err)}
	}
	return ref, nil
}

// named finds the source of a template; html/template adds a context to the names of those that it escapes twice.
func named(sources []Source, name string) Source {
	name, _, _ = strings.Cut(name, "$htmltemplate_")
	for _, s := range sources {
		if s.Called() == name {
			return s
		}
	}
	return sources[0]
}

// Renderer executes the templates of a Set for one row at a time.
type Renderer struct {
	set      *Set
	texts    []*texttemplate.Template
	htmls    []*htmltemplate.Template
	data     map[string]any
	row      Row
	ctx      context.Context
	deadline time.Time
	steps    int
}

// Renderer makes a new one. It is costly: keep it.
func (s *Set) Renderer() *Renderer {
	return &Renderer{set: s, texts: make([]*texttemplate.Template, len(s.texts)), htmls: make([]*htmltemplate.Template, len(s.htmls)),
		data: make(map[string]any, len(s.names.Columns)+1)}
}

// Begin takes the next row.
func (r *Renderer) Begin(ctx context.Context, row Row) error {
	r.ctx, r.row, r.steps, r.deadline = ctx, row, 0, time.Now().Add(maxTime)
	r.data["vars"] = r.set.names.Vars
	for i, name := range r.set.names.Columns {
		if i < len(row.Values) {
			r.data[name] = row.Values[i]
		} else {
			r.data[name] = nil
		}
	}
	for name, i := range r.set.aliases {
		r.data[name] = r.data[r.set.names.Columns[i]]
	}
	return ctx.Err()
}

func (r *Renderer) language() locale.Locale { return r.row.Locale }

// Speak sets the row's language, and the text that its inbox shows beside the subject.
func (r *Renderer) Speak(l locale.Locale, preheader string) {
	r.row.Locale, r.row.Preheader = l, preheader
}

// Derive sets the Content of the row.
func (r *Renderer) Derive(content string) { r.row.Content = content }

// End forgets the row.
func (r *Renderer) End() {
	r.ctx, r.row = nil, Row{}
	clear(r.data)
}

// Render appends a template's output to dst. The error is *Held when the row is to blame.
func (r *Renderer) Render(dst *bytes.Buffer, ref Ref) error { return r.render(dst, ref, "") }

// RenderContent leaves the layout out.
func (r *Renderer) RenderContent(dst *bytes.Buffer, ref Ref) error {
	return r.render(dst, ref, Content)
}

func (r *Renderer) render(dst *bytes.Buffer, ref Ref, entry string) error {
	from := dst.Len()
	err := r.execute(&limited{r: r, dst: dst, room: maxOutput}, ref, entry)
	switch held := (*Held)(nil); {
	case err == nil:
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case errors.As(err, &held):
		return held
	default:
		return &Held{Text: execText(err)}
	}
	// html/template's answer to a value it cannot make safe, such as a javascript: URL.
	if ref.html > 0 && bytes.Contains(dst.Bytes()[from:], []byte("ZgotmplZ")) {
		return &Held{Text: "a value is not safe where it stands (ZgotmplZ), such as a javascript: address in a link"}
	}
	return nil
}

// failed matches what text/template says of an action that failed: the action, and why.
var failed = regexp.MustCompile(`(?s) at <(.*?)>: (?:error calling \w+: )?(.*)$`)

// execText keeps the action and the fault of what the template packages say.
func execText(err error) string {
	m := failed.FindStringSubmatch(err.Error())
	if m == nil {
		return err.Error()
	}
	return "{{ " + m[1] + " }}: " + m[2]
}

func (r *Renderer) execute(w io.Writer, ref Ref, entry string) error {
	if ref.html > 0 {
		t, err := r.html(ref.html - 1)
		if err != nil {
			return err
		}
		if entry != "" {
			return t.ExecuteTemplate(w, entry, r.data)
		}
		return t.Execute(w, r.data)
	}
	t, err := r.text(ref.text - 1)
	if err != nil {
		return err
	}
	return t.Execute(w, r.data)
}

func (r *Renderer) text(i int) (*texttemplate.Template, error) {
	if r.texts[i] == nil {
		t, err := r.set.texts[i].Clone()
		if err != nil {
			return nil, err
		}
		r.texts[i] = t.Funcs(r.textFunctions())
	}
	return r.texts[i], nil
}

func (r *Renderer) html(i int) (*htmltemplate.Template, error) {
	if r.htmls[i] == nil {
		t, err := r.set.htmls[i].Clone()
		if err != nil {
			return nil, err
		}
		r.htmls[i] = t.Funcs(r.functions())
	}
	return r.htmls[i], nil
}

// tick counts a step.
func (r *Renderer) tick() (bool, error) {
	if r.steps++; r.steps > maxSteps {
		return false, &Held{Text: fmt.Sprintf("its loops take more than %d turns", maxSteps)}
	}
	return true, r.late()
}

func (r *Renderer) late() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if time.Now().After(r.deadline) {
		return &Held{Text: fmt.Sprintf("it takes longer than %v", maxTime)}
	}
	return nil
}

// limited is a writer with an end.
type limited struct {
	r      *Renderer
	dst    *bytes.Buffer
	room   int
	writes int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.room -= len(p); l.room < 0 {
		return 0, &Held{Text: fmt.Sprintf("a template makes more than %d octets", maxOutput)}
	}
	if l.writes++; l.writes%256 == 0 {
		if err := l.r.late(); err != nil {
			return 0, err
		}
	}
	return l.dst.Write(p)
}
