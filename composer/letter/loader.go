package letter

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"

	"github.com/mailblast/mailblast/composer/letter/attachment"
	"github.com/mailblast/mailblast/composer/letter/body"
	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/files"
	"github.com/mailblast/mailblast/composer/letter/markup"
)

// loader gathers the faults while a letter is loaded.
type loader struct {
	o      Options
	letter *Letter
	faults *fault.List
	fields field.Compiler
	bodies *body.Loader

	attachments *attachment.Loader
	sum         hash.Hash // of what is read
}

func newLoader(o Options) *loader {
	o.Note = once(o.Note)
	l := &loader{o: o, faults: &fault.List{Pos: o.Pos}, sum: sha256.New()}
	names := markup.Names{Columns: o.Columns, Nested: o.Nested, Vars: o.Vars, Unsubscribe: o.Unsubscribe.URL != ""}
	l.letter = &Letter{o: o, set: markup.NewSet(names, o.Campaign, l.nulls(names)),
		loose:  markup.NewSet(names, o.Campaign, markup.Nulls{Default: markup.Null{Do: markup.NullPrints}}),
		folder: files.New(files.Options{Root: o.Root, TempDir: o.TempDir, MaxSize: o.MaxMessage, Campaign: o.Campaign})}
	l.fields = field.Compiler{Names: names, Set: l.letter.set, Loose: l.letter.loose, Faults: l.faults, Prints: l.prints}
	l.bodies = &body.Loader{Root: o.Root, Folder: l.letter.folder, Names: names, Set: l.letter.set, Faults: l.faults,
		Text: o.Text, Images: o.Images, Languages: o.Locale != "", Read: l.known, Note: o.Note, Prints: l.prints}
	l.attachments = &attachment.Loader{Folder: l.letter.folder, Fields: &l.fields, Faults: l.faults, Max: o.MaxMessage, Read: l.known}
	for _, text := range []string{o.From, o.Subject, o.Preheader, o.Locale} {
		l.known("", []byte(text))
	}
	return l
}

func (l *loader) prints(columns []int) {
	for _, c := range columns {
		if !slices.Contains(l.letter.prints, c) {
			l.letter.prints = append(l.letter.prints, c)
		}
	}
}

// known takes something that every letter is made of into the hash.
func (l *loader) known(name string, data []byte) {
	if name != "" && !slices.Contains(l.letter.files, name) {
		l.letter.files = append(l.letter.files, name)
	}
	fmt.Fprintf(l.sum, "%q %d\n", name, len(data)) // a hash never fails
	l.sum.Write(data)
}

// once tells of a thing once, in however many languages it is met.
func once(note func(text string)) func(text string) {
	if note == nil {
		return nil
	}
	var told sync.Map // of text; load and the languages' own bound keep it small
	return func(text string) {
		if _, again := told.LoadOrStore(text, true); !again {
			note(text)
		}
	}
}

// nulls puts the campaign's rules for NULL to the columns.
func (l *loader) nulls(names markup.Names) markup.Nulls {
	n := markup.Nulls{Default: l.null("on_null", l.o.OnNull), Columns: map[string]markup.Null{}}
	for name, rule := range l.o.OnNulls {
		key := "on_null." + name
		n.Columns[name] = l.null(key, rule)
		if l.o.Columns == nil {
			continue
		}
		column, path, nested := strings.Cut(name, ".")
		switch i, within := names.Find(name), names.Find(column); {
		case i >= 0:
			n.Columns[l.o.Columns[i]] = n.Columns[name]
		case nested && within >= 0:
			n.Columns[l.o.Columns[within]+"."+path] = n.Columns[name]
		default:
			l.faults.Field(key, 0, fmt.Sprintf("the list has no column %q", name), names.Nearest(name))
		}
	}
	return n
}

func (l *loader) null(field string, n Null) markup.Null {
	switch n.Do {
	case "", "fail":
		return markup.Null{Do: markup.NullFails}
	case "skip":
		return markup.Null{Do: markup.NullSkips}
	case "print":
		return markup.Null{Do: markup.NullPrints, Text: n.Text}
	}
	l.faults.Field(field, 0, "it is none of fail, skip and print", "")
	return markup.Null{}
}
