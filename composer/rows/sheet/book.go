// Package sheet reads Excel workbooks (.xlsx; ECMA-376, ISO/IEC 29500) as streams, in memory that does not grow with
// their rows:
//
//  1. Open finds the sheets, what their number formats mean, and puts the shared strings into files;
//  2. Each gives the rows of a sheet that have a value, in their order, each cell as what the sheet shows;
//  3. what Excel shows as an error, or has never calculated, is a cell's fault;
//  4. merged cells and links, which follow the rows in the file, are given at the end.
//
// A part that is cut, damaged or far too large ends in an *Error.
package sheet

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Error says why a workbook cannot be read.
type Error struct {
	Text, Hint string
	Full       bool // a limit was reached
	Err        error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// Sheet is one sheet with cells.
type Sheet struct {
	Name   string
	Hidden bool
	part   string
}

// Book is an open workbook. It must be closed.
type Book struct {
	Sheets []Sheet // in their order

	ctx      context.Context
	dir      string
	limit    int64
	parts    map[string]*zip.File // by name in lower case
	date1904 bool
	strings  *shared
	formats  []format // by the number a cell has
}

const saveHint = "open it in a spreadsheet program and save it as .xlsx, or as CSV UTF-8"

// Open reads what is common to the sheets. The files of the shared strings go into dir; a part of the workbook may have
// limit octets when it is unpacked. All reading of the book ends with ctx.
func Open(ctx context.Context, in io.ReaderAt, size int64, dir string, limit int64) (*Book, error) {
	head := make([]byte, min(size, 4<<10))
	if _, err := in.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := foreign(in, head); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(in, size)
	if err != nil {
		return nil, &Error{Text: "the workbook is damaged or cut short: " + err.Error(), Hint: "copy the file again; nothing of it is used", Err: err}
	}
	b := &Book{ctx: ctx, dir: dir, limit: limit, parts: map[string]*zip.File{}}
	for _, f := range z.File {
		b.parts[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))] = f
	}
	if err := b.kind(); err != nil {
		return nil, err
	}
	if err := b.open(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close removes what Open has made.
func (b *Book) Close() {
	if b.strings != nil {
		b.strings.close()
	}
}

// foreign recognises files that are no ZIP archive by their first octets.
func foreign(in io.ReaderAt, head []byte) error {
	switch {
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		// A workbook with a password is a compound file that has a stream of this name, in UTF-16.
		directory := make([]byte, 1<<20)
		n, _ := in.ReadAt(directory, 0) // what cannot be read tells nothing
		if bytes.Contains(directory[:n], []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")) {
			return &Error{Text: "the workbook is protected with a password", Hint: "save a copy without a password for opening it"}
		}
		return &Error{Text: "this is a workbook in the old format of Excel (.xls)", Hint: saveHint}
	case !bytes.HasPrefix(head, []byte("PK")):
		return &Error{Text: "this is no Excel workbook", Hint: saveHint}
	}
	return nil
}

// kind recognises what else is a ZIP archive.
func (b *Book) kind() error {
	has := func(name string) bool { return b.parts[name] != nil }
	switch {
	case has("_rels/.rels") && !has("xl/workbook.bin"):
		return nil
	case has("xl/workbook.bin"):
		return &Error{Text: "this is a binary workbook (.xlsb)", Hint: saveHint}
	case has("content.xml") && has("mimetype"):
		return &Error{Text: "this is an OpenDocument spreadsheet (.ods)", Hint: saveHint}
	case has("index/document.iwa") || has("index.zip"):
		return &Error{Text: "this is a Numbers spreadsheet", Hint: "export it from Numbers as Excel or as CSV"}
	}
	return &Error{Text: "this is a ZIP archive, and no Excel workbook in it", Hint: "unpack it first"}
}

func (b *Book) open() error {
	main := "xl/workbook.xml"
	links, err := b.relations("")
	if err != nil {
		return err
	}
	for _, l := range links {
		if strings.HasSuffix(l.kind, "/officeDocument") {
			main = l.target
		}
	}
	if links, err = b.relations(main); err != nil {
		return err
	}
	if err := b.workbook(main, links); err != nil {
		return err
	}
	for _, l := range links {
		switch {
		case strings.HasSuffix(l.kind, "/styles"):
			err = b.styles(l.target)
		case strings.HasSuffix(l.kind, "/sharedStrings"):
			b.strings, err = b.shareStrings(l.target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// workbook reads the names of the sheets.
func (b *Book) workbook(part string, links map[string]link) error {
	return b.each(part, func(p *reader, e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			b.date1904 = truth(attr(e, "date1904"))
		case "sheet":
			l, ok := links[attr(e, "id")]
			if !ok {
				return damaged(fmt.Errorf("the sheet %q is missing", attr(e, "name")))
			}
			if strings.HasSuffix(l.kind, "/worksheet") { // and no chart
				if len(b.Sheets) == maxSheets {
					return many(part, maxSheets, "sheets")
				}
				if len(attr(e, "name")) > maxName {
					return damaged(fmt.Errorf("the name of a sheet is longer than %d octets", maxName))
				}
				state := attr(e, "state")
				b.Sheets = append(b.Sheets, Sheet{attr(e, "name"), state == "hidden" || state == "veryHidden", l.target})
			}
		}
		return nil
	})
}

// link is what a part has to do with another, or with the world.
type link struct{ kind, target string }

// relations reads the links of a part, by their id. The part "" is the whole package.
func (b *Book) relations(part string) (map[string]link, error) {
	dir, name := path.Split(part)
	rels := dir + "_rels/" + name + ".rels"
	out := map[string]link{}
	if b.parts[strings.ToLower(rels)] == nil {
		return out, nil
	}
	size := 0
	err := b.each(rels, func(_ *reader, e xml.StartElement) error {
		if e.Name.Local != "Relationship" {
			return nil
		}
		l := link{kind: attr(e, "Type"), target: attr(e, "Target")}
		size += len(l.kind) + len(l.target) + len(attr(e, "Id"))
		if len(out) == maxLinks || size > maxLinked {
			return many(rels, maxLinks, "relationships, or very long ones")
		}
		if attr(e, "TargetMode") != "External" {
			if strings.HasPrefix(l.target, "/") {
				l.target = l.target[1:]
			} else {
				l.target = path.Join(dir, l.target)
			}
		}
		out[attr(e, "Id")] = l
		return nil
	})
	return out, err
}
