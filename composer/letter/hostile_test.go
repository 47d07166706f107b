package letter_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

// harmful reads the values that mean harm, by their names.
func harmful(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../../testdata/letters/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); !strings.HasPrefix(line, "#") {
			n, err1 := strconv.Atoi(f[1])
			v, err2 := strconv.Unquote(f[2])
			if err := errors.Join(err1, err2); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			values[f[0]] = strings.Repeat(v, n)
		}
	}
	return values
}

// spot is a place of a letter that a column gets into. Read gives the value back; nil: it is written in a form of its own
// there, and only its bounds are checked.
type spot struct {
	options  func(o *letter.Options)
	files    map[string]string
	plain    string // a value that nobody objects to; "": Ana
	read     func(m *reading) string
	people   bool                              // the value names recipients or the sender
	constant func(o *letter.Options, v string) // the value is the campaign's, no column's
	hidden   bool                              // those it names are not named in the letter
	refused  bool                              // none of the values may pass
}

func (s spot) harmless() string {
	if s.plain == "" {
		return "Ana"
	}
	return s.plain
}

// The files of a letter, with one of them changed for each spot.
func hostileFiles(change map[string]string) map[string]string {
	files := map[string]string{"a.txt": "[]\n", "a.html": "<!doctype html><html><head><title>t</title></head><body><p>[]</p></body></html>"}
	maps.Copy(files, change)
	return files
}

func inHTML(body string) map[string]string {
	return map[string]string{"a.html": "<!doctype html><html><head><title>t</title></head><body>" + body + "</body></html>"}
}

func inMarkdown(text string) spot {
	return spot{files: map[string]string{"a.md": text}, options: func(o *letter.Options) { o.Template, o.Text = "a.md", "auto" }}
}

func (s spot) reads(read func(*reading) string) spot {
	s.read = read
	return s
}

func head(set func(o *letter.Options), read func(*reading) string) spot {
	return spot{options: set, read: read}
}

func who(plain string, set func(o *letter.Options)) spot {
	return spot{options: set, plain: plain, people: true}
}

func constant(set func(o *letter.Options, v string), read func(*reading) string) spot {
	return spot{constant: set, read: read}
}

func hidden(s spot) spot {
	s.hidden = true
	return s
}

var spots = map[string]spot{
	"from name":     head(func(o *letter.Options) { o.From = "{{ .v }} <ana@acme.example>" }, name("From")),
	"from":          who("ana@acme.example", func(o *letter.Options) { o.From = "{{ .v }}" }),
	"from address":  who("ana@acme.example", func(o *letter.Options) { o.From = "Ana <{{ .v }}>" }),
	"from local":    who("ana", func(o *letter.Options) { o.From = "Ana <{{ .v }}@acme.example>" }),
	"to name":       head(func(o *letter.Options) { o.To = "{{ .v }} <{{ .email }}>" }, name("To")),
	"to":            who("jo@example.com", func(o *letter.Options) { o.To = "{{ .v }}" }),
	"to col":        who("jo@example.com", func(o *letter.Options) { o.To = `{{ col "First Name" }}` }),
	"to address":    who("jo@example.com", func(o *letter.Options) { o.To = "Jo <{{ .v }}>" }),
	"to domain":     who("example.com", func(o *letter.Options) { o.To = "jo@{{ .v }}" }),
	"cc name":       head(func(o *letter.Options) { o.CC = []string{"{{ .v }} <cc@acme.example>"} }, name("Cc")),
	"cc":            who("cc@acme.example", func(o *letter.Options) { o.CC = []string{"{{ .v }}"} }),
	"cc address":    who("cc@acme.example", func(o *letter.Options) { o.CC = []string{"Jo <{{ .v }}>, cc2@acme.example"} }),
	"bcc":           hidden(who("bcc@acme.example", func(o *letter.Options) { o.BCC = []string{"{{ .v }}"} })),
	"bcc name":      hidden(who("bcc", func(o *letter.Options) { o.BCC = []string{"{{ .v }} <bcc@acme.example>"} })),
	"reply_to name": head(func(o *letter.Options) { o.ReplyTo = "{{ .v }} <help@acme.example>" }, name("Reply-To")),
	"reply_to":      who("help@acme.example", func(o *letter.Options) { o.ReplyTo = "{{ .v }}" }),
	"return_path":   who("bounces@acme.example", func(o *letter.Options) { o.ReturnPath = "{{ .v }}" }),
	"subject":       head(func(o *letter.Options) { o.Subject = "{{ .v }}" }, header("Subject")),
	"in subject":    head(func(o *letter.Options) { o.Subject = "[{{ .v }}]" }, between(header("Subject"), "[", "]")),
	"header":        head(func(o *letter.Options) { o.Headers = []letter.Header{{Name: "X-Value", Value: "{{ .v }}"}} }, header("X-Value")),

	"text":        {files: map[string]string{"a.txt": "[{{ .v }}]\n"}, read: text("[", "]")},
	"text col":    {files: map[string]string{"a.txt": `[{{ col "First Name" }}]`}, read: text("[", "]")},
	"text twice":  {files: map[string]string{"a.txt": `[{{ .v }}{{ col "First Name" }}]`}, read: half(text("[", "]"))},
	"text layout": {files: map[string]string{"a.txt": "x", "layouts/base.txt": "{{ template \"content\" . }} [{{ .v }}]"}, read: text("[", "]")},
	"text query":  {files: map[string]string{"a.txt": "https://x.test/?q={{ .v | urlquery }}&z"}, read: unescaped(text("?q=", "&z"))},

	"html":             {files: inHTML(`<p id="v">{{ .v }}</p>`), read: content},
	"html layout":      {files: map[string]string{"a.html": "<p>x</p>", "layouts/base.html": `<html lang="en"><body>{{ template "content" . }}<p id="v">{{ .v }}</p></body></html>`}, read: content},
	"html title":       {files: map[string]string{"a.html": `<html><head><title id="v">{{ .v }}</title></head><body></body></html>`}},
	"html pre":         {files: inHTML(`<pre id="v">x{{ .v }}</pre>`), read: func(m *reading) string { return strings.TrimPrefix(content(m), "x") }},
	"html textarea":    {files: inHTML(`<textarea id="v">x{{ .v }}</textarea>`), read: func(m *reading) string { return strings.TrimPrefix(content(m), "x") }},
	"attribute":        {files: inHTML(`<p id="v" title="{{ .v }}">x</p>`), read: attr("title")},
	"in quotes":        {files: inHTML(`<p id="v" title='{{ .v }}'>x</p>`), read: attr("title")},
	"bare attribute":   {files: inHTML(`<p id="v" title={{ .v }}>x</p>`)},
	"alt":              {files: inHTML(`<img id="v" src="https://x.test/a.png" alt="{{ .v }}">`), read: attr("alt")},
	"link":             {files: inHTML(`<a href="{{ .v }}">x</a>`), plain: "https://x.test/"},
	"link path":        {files: inHTML(`<a href="https://x.test/{{ .v }}/y">x</a>`)},
	"link query":       {files: inHTML(`<a id="v" href="https://x.test/?q={{ .v }}&amp;z">x</a>`), read: unescaped(between(attr("href"), "?q=", "&z"))},
	"link host":        {files: inHTML(`<a href="//{{ .v }}">x</a>`)},
	"image":            {files: inHTML(`<img alt="" src="https://x.test/{{ .v }}">`)},
	"style attribute":  {files: inHTML(`<p style="color: {{ .v }}">x</p>`), plain: "red"},
	"style":            {files: inHTML(`<style>p { color: {{ .v }} }</style>`), plain: "red"},
	"style string":     {files: inHTML(`<style>p::before { content: "{{ .v }}" }</style>`)},
	"script":           {files: inHTML(`<script id="v">var v = {{ .v }};</script>`), read: literal},
	"script string":    {files: inHTML(`<script>var v = "{{ .v }}";</script>`)},
	"json":             {files: inHTML(`<script type="application/ld+json">{"name": {{ .v }}}</script>`)},
	"handler":          {files: inHTML(`<p onclick="f({{ .v }})">x</p>`)},
	"outlook":          {files: inHTML(`<!--[if mso]><p>{{ .v }}</p><![endif]-->`)},
	"not outlook":      {files: inHTML(`<!--[if !mso]><!--><p id="v">{{ .v }}</p><!--<![endif]-->`), read: content},
	"markdown":         inMarkdown("Hello *{{ .v }}* you").reads(within("em")),
	"markdown heading": inMarkdown("# {{ .v }}\n\nx").reads(within("h1")),
	"markdown link":    inMarkdown("[{{ .v }}](https://x.test)").reads(within("a")),
	"markdown URL":     {files: map[string]string{"a.md": "[x]({{ .v }})"}, plain: "https://x.test/", options: inMarkdown("").options},
	"markdown query":   inMarkdown("[x](https://x.test/?q={{ .v }})"),
	"markdown code":    inMarkdown("a `{{ .v }}` b").reads(within("code")),
	"markdown fence":   inMarkdown("```\nx{{ .v }}\n```\n"),
	"markdown cell":    inMarkdown("| a |\n|---|\n| {{ .v }} |\n").reads(within("td")),
	"markdown quote":   inMarkdown("> {{ .v }}\n"),
	"markdown image":   inMarkdown("![{{ .v }}](https://x.test/a.png)"),
	"markdown title":   inMarkdown(`[x](https://x.test "{{ .v }}")`),

	"name of the campaign": constant(func(o *letter.Options, v string) { o.Campaign, o.Subject = v, "{{ campaign }}" }, header("Subject")),
	"constant": {files: map[string]string{"a.txt": "[{{ .vars.v }}]", "a.html": `<html lang="en"><body><p id="v" title="{{ .vars.v }}">{{ .vars.v }}</p></body></html>`},
		constant: func(o *letter.Options, v string) { o.Vars = map[string]any{"v": v} }, read: text("[", "]")},
	"unsubscribe": {plain: "https://acme.example/leave?t={token}", files: inHTML(`<a href="{{ unsubscribe_url }}">x</a>`),
		constant: func(o *letter.Options, v string) { o.Unsubscribe.URL = v }},
	"unsubscribe query":  constant(func(o *letter.Options, v string) { o.Unsubscribe.URL = "https://acme.example/u?t={token}&c=" + v }, nil),
	"unsubscribe mailto": {plain: "leave@acme.example", constant: func(o *letter.Options, v string) { o.Unsubscribe.Mailto = v }},
	"name of a file":     head(func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "a.txt", Name: "{{ .v }}.txt"}} }, attached),
	"path of a file": {files: map[string]string{"files/Ana.txt": "x"}, refused: true,
		options: func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "files/{{ .v }}.txt"}} }},
	"preheader": head(func(o *letter.Options) { o.Preheader = "x{{ .v }}" }, nil),
	"language":  head(func(o *letter.Options) { o.Locale = "{{ .v }}" }, nil),
	"subject of a translation": {files: map[string]string{"a.html": "---\nsubject: \"{{ .v }}\"\n---\n<p>x</p>"}, options: func(o *letter.Options) { o.Front = front },
		read: header("Subject")},
	"partial":   {files: map[string]string{"a.html": `<p>{{ template "sign" . }}</p>`, "partials/sign.html": `<b id="v">{{ .v }}</b>`}, read: content},
	"safe_url":  {files: inHTML(`<a href="{{ safe_url .v }}">x</a>`), plain: "acmeapp://x"},
	"trunc":     {files: map[string]string{"a.txt": "[{{ trunc 20 .v }}]"}},
	"date":      {files: map[string]string{"a.txt": `[{{ date .v "2026-11-24" }}]`}, plain: "2 January"},
	"printf":    {files: map[string]string{"a.txt": `[{{ printf .v 1 }}]`}, plain: "%d"},
	"text join": {files: map[string]string{"a.txt": `[{{ join "" (split "," .v) }}]`}},
}

// Every value in every place: the row is refused with a reason, or its letter is laid out like the letter of somebody
// harmless, and says what was written.
func TestHostileEverywhere(t *testing.T) {
	harm := harmful(t)
	for at, s := range spots {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			dir := write(t, hostileFiles(s.files))
			l, err := s.load(t, dir, s.harmless())
			if err != nil {
				t.Fatal(err)
			}
			like, err := laidOut(t, l, s.harmless())
			if err != nil {
				t.Fatal(err)
			}
			sent := 0
			for kind, v := range harm {
				l, err := l, error(nil)
				if s.constant != nil {
					l, err = s.load(t, dir, v)
				}
				var m *reading
				if err == nil {
					m, err = laidOut(t, l, v)
				}
				if errors.As(err, new(*delivery.Unfit)) || errors.As(err, new(letter.Faults)) {
					if len(err.Error()) < 10 || len(err.Error()) > 300 || !utf8.ValidString(err.Error()) || strings.ContainsFunc(err.Error(), control) {
						t.Errorf("%s: refused because of %q", kind, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", kind, err)
					continue
				}
				sent++
				for _, fault := range m.unlike(like, s) {
					t.Errorf("%s, %.60q: %s", kind, v, fault)
				}
				if s.read != nil {
					if got, want := s.read(m), written(v); got != want && got != strings.TrimSpace(want) && got != strings.ReplaceAll(want, "\x00", "\ufffd") {
						t.Errorf("%s: %.80q reads %.80q", kind, v, got)
					}
				}
			}
			if s.refused && sent > 0 {
				t.Errorf("%d values pass", sent)
			}
			if sent == 0 && s.plain == "" && !s.refused {
				t.Error("every value is refused")
			}
		})
	}
}

// load loads the letter of a spot. The value matters where it is a constant of the campaign.
func (s spot) load(t *testing.T, dir, v string) (*letter.Letter, error) {
	t.Helper()
	o := letter.Options{Template: "a.html", Text: "a.txt", Subject: "s", From: "Ana <ana@acme.example>", To: "Jo <{{ .email }}>",
		Columns: []string{"email", "v", "First Name"}, Unsubscribe: letter.Unsubscribe{URL: "https://acme.example/u?t={token}"}}
	if s.options != nil {
		s.options(&o)
	}
	if s.constant != nil {
		s.constant(&o, v)
	}
	return load(t, dir, o)
}

// laidOut renders a letter for a value and reads it.
func laidOut(t *testing.T, l *letter.Letter, v string) (*reading, error) {
	t.Helper()
	row := &composer.Row{Number: 1, Values: []any{"jo@example.com", v, v}}
	env, err := l.Envelope(row)
	if err != nil {
		return nil, err
	}
	msg, err := rendered(t, l, row, stamp)
	if err != nil {
		return nil, err
	}
	checkWire(t, msg)
	m, err := readLetter(msg)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	for _, a := range env.Recipients {
		m.recipients = append(m.recipients, a.String())
	}
	m.sender = env.From.String()
	return m, nil
}

// written is a value as a reader finds it: lines end in CRLF on the way.
func written(v string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(v)
}

func control(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || slices.Contains([]rune("\u2028\u2029\u202e\u2066"), r)
}
