// Package letter makes the letters of a campaign:
//
//  1. Load reads the templates, the layout and the attachments once, and finds every fault in them before any mail;
//  2. Envelope says who a row's letter goes from and to;
//  3. Render executes the templates for a row (package markup) and lays the letter out (package mime).
//
// A row whose letter must not be sent is a *delivery.Unfit, never a letter with something left out.
package letter

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"runtime"

	"github.com/mailblast/mailblast/composer/letter/attachment"
	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/markup"
)

// Options describe a letter. Fields that are templates may refer to columns.
type Options struct {
	Root *os.Root // the campaign's folder: nothing outside it is read

	Template string // file: .md makes a text and an HTML part, .html likewise, .txt a text. It may begin with front matter
	Locale   string // template of a language: offer.de.md stands in for offer.md then; "": there is one for all
	Text     string // the text part beside HTML: "auto" (derived; also ""), "none", or a .txt file
	Layout   string // layouts/NAME.html and .txt; "": "base" if there is such a file; "none"

	Subject    string   // template; may be left to front matter
	Preheader  string   // template of what an inbox shows beside the subject; "": what the letter begins with
	From       string   // template of a mailbox
	To         string   // template of a mailbox; "": the column email, e-mail or mail
	CC, BCC    []string // templates of mailboxes; each may be a list with commas, or come out empty
	ReplyTo    string   // template of a mailbox; "": none
	ReturnPath string   // template of an address; "": that of From
	Headers    []Header // more header fields

	Attachments []Attachment
	Images      string          // "embed" those of the folder that the HTML shows (also ""), or "link": leave their addresses
	Vars        map[string]any  // constants, as .vars.NAME
	Columns     []string        // of the list; nil: not known yet, only what is wrong with any list is a fault
	Nested      map[string]bool // columns that may hold lists and mappings
	OnNull      Null            // printing a NULL
	OnNulls     map[string]Null // of single columns
	Unsubscribe Unsubscribe

	Campaign   string // its name, for templates
	MaxMessage int64  // octets of the largest message; 0: 25 MB, which most servers take
	TempDir    string // for large attachments; "": the system's

	// Pos tells where the value of a field such as "subject", "cc[0]" or "headers.X-Campaign" begins; nil: nowhere.
	Pos fault.Pos
	// Front parses the front matter of a template file. nil: there is none.
	Front func(file, yaml string) (Front, Faults)
	// Note is told, once each, of what somebody may want to look at while letters are made; it may be called by many at
	// once. nil: nobody.
	Note func(text string)
}

// Null is what printing a NULL does: "fail" that row (also ""), "skip" it, or "print" Text in its place.
type Null struct{ Do, Text string }

// Fault is one thing that is wrong with a letter, Faults is everything.
type (
	Fault  = fault.Fault
	Faults = fault.Faults
)

// Header is a header field; Value is a template.
type Header struct{ Name, Value string }

// Attachment is a file to attach.
type Attachment = attachment.Source

// Unsubscribe says how to leave the list. {token} in it stands for the recipient's token.
type Unsubscribe struct {
	URL    string // "": none
	Mailto string // an address, which ?subject=… may follow; "": none
}

// Letter is a compiled letter. It implements composer.Letter and is safe for concurrent use.
type Letter struct {
	o       Options
	set     *markup.Set
	loose   *markup.Set // of cc and bcc, where NULL is nobody
	fields  fields
	headers []header
	hash    string
	files   []string // that it is made of, in the order in which they were read
	prints  []int    // columns

	folder    *files.Folder
	attaches  bool // a letter has attachments
	languages languages

	renderers chan *renderer // as many as may render at once; nil in it: not made yet
}

// fields are who a letter goes from and to.
type fields struct {
	from, to, replyTo, returnPath field.Mailbox
	cc, bcc                       []field.Mailbox
}

// header is a user's header field.
type header struct {
	name  string
	value field.Value
}

const defaultMaxMessage = 25_000_000

// Load reads and checks everything a letter is made of. The error is Faults when the campaign is at fault.
func Load(o Options) (*Letter, error) {
	if o.MaxMessage == 0 {
		o.MaxMessage = defaultMaxMessage
	}
	l := newLoader(o)
	l.loadFields()
	l.loadVersions()
	l.loadHeaders()
	l.attachToAll()
	if faults := l.faults.Faults.Distinct(); len(faults) > 0 {
		if err := l.letter.Close(); err != nil {
			return nil, errors.Join(faults, err)
		}
		return nil, faults
	}
	l.letter.hash = hex.EncodeToString(l.sum.Sum(nil))
	l.letter.renderers = make(chan *renderer, runtime.GOMAXPROCS(0))
	for range cap(l.letter.renderers) {
		l.letter.renderers <- nil
	}
	return l.letter, nil
}

// Hash changes when anything changes that every letter is made of: fields, templates, layouts, partials and fixed files.
func (l *Letter) Hash() string { return l.hash }

// Prints lists the columns, by their places, that letters print as they are: an empty one leaves a gap.
func (l *Letter) Prints() []int { return l.prints }

// Files lists the files of the folder that every letter is made of.
func (l *Letter) Files() []string { return l.files }

// Close gives the attachments back. No Body of the letter may be written after it.
func (l *Letter) Close() error { return l.folder.Close() }

// take waits for a renderer. Rendering is all computing, so there are no more of them than processors; that keeps their
// memory small however many threads send.
func (l *Letter) take(ctx context.Context) (*renderer, error) {
	select {
	case r := <-l.renderers:
		if r == nil {
			r = newRenderer(l)
		}
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *Letter) give(r *renderer) {
	r.end()
	l.renderers <- r
}
