// Package file reads lists that are no database:
//
//  1. the name says which kind a list is, on standard input its first octets;
//  2. standard input is copied into a file first, so that each kind can be looked at twice; nothing is sent before all of
//     it is there;
//  3. gzip and Zstandard are unpacked;
//  4. text is decoded, and its delimiter found; the first line names the columns;
//  5. objects (JSON) have the columns of all of them together, in the order in which they first appear;
//  6. of a workbook one sheet is taken, and in it the table: what stands above its header is passed over;
//  7. a row that cannot be used is kept with its fault; what makes the whole list doubtful is an *Error.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/header"
	"github.com/mailblast/mailblast/composer/rows/sheet"
	"github.com/mailblast/mailblast/composer/rows/unpack"
	"github.com/mailblast/mailblast/composer/rows/worksheet"
)

// Kind says which sort of trouble an Error is.
type Kind uint8

// The kinds of Error.
const (
	Invalid Kind = iota // the list is faulty
	Missing             // it is not there or cannot be read
	Full                // it is larger than it may be, or cannot be copied
	Changed             // it was changed while it was read: reading it again may succeed
)

// Error says why a list cannot be read.
type Error struct {
	Kind       Kind
	Line       int // of the file, or row of the sheet; 0: not known
	Text, Hint string
	Err        error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// Source is a list: a file by its Path, or In.
type Source struct {
	Path      string
	In        io.Reader // standard input; it is read to its end, once
	Charset   string    // of text, by a name package charset knows; empty: it is found out
	Delimiter byte      // 0: it is found out
	Sheet     string    // empty: the only one that has cells

	Dir string // for files that are gone at the end
	Max int64  // octets the list may have when it is unpacked
	Log *slog.Logger
}

// Sink takes the columns, more of them behind them later, and the rows. Values are not kept.
type Sink interface {
	Columns(cols []composer.Column)
	Add(line int, values []any, fault string) error
}

// format is how a list is laid out.
type format uint8

const (
	unnamed format = iota // standard input
	delimited
	objects
	workbook
)

// formats are the kinds by the ending of the name.
var formats = map[string]format{".csv": delimited, ".tsv": delimited, ".txt": delimited,
	".jsonl": objects, ".ndjson": objects, ".json": objects, ".xlsx": workbook}

// File is a list to be read.
type File struct {
	src    Source
	format format
	tabs   bool // the name says that tabs delimit
	f      *os.File
	name   string // of a copy, to be removed
	copied bool
}

// Open looks at the name only.
func Open(src Source) (*File, error) {
	f := &File{src: src}
	if src.In != nil {
		return f, nil
	}
	name := strings.ToLower(src.Path)
	packed := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	ext := filepath.Ext(packed)
	f.format, f.tabs = formats[ext], ext == ".tsv"
	if f.format == unnamed || f.format == workbook && packed != name {
		return nil, fault(0, "a list is a .csv, .tsv, .txt, .jsonl, .ndjson or .json file, each also as .gz or .zst, or an .xlsx workbook")
	}
	return f, nil
}

func fault(line int, format string, args ...any) *Error {
	return &Error{Line: line, Text: fmt.Sprintf(format, args...)}
}

// hinted adds what to do about it.
func (e *Error) hinted(hint string) *Error {
	e.Hint = hint
	return e
}

// Close lets go of the file. A copy of standard input is gone then.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	if f.name != "" {
		err = errors.Join(err, os.Remove(f.name))
	}
	f.f = nil
	return err
}

// Read reads the list from its beginning.
func (f *File) Read(ctx context.Context, w Sink) error {
	before, err := f.begin(ctx)
	if err != nil {
		return err
	}
	if err := f.table(ctx, before.Size(), w); err != nil {
		return explain(err)
	}
	after, err := f.f.Stat()
	if err != nil {
		return missing(err)
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return &Error{Kind: Changed, Text: "the file was changed while it was read"}
	}
	return nil
}

func (f *File) table(ctx context.Context, size int64, w Sink) error {
	head := make([]byte, 8)
	n, err := f.f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return missing(err)
	}
	head = head[:n]
	binary := strings.HasPrefix(string(head), "PK\x03\x04") || strings.HasPrefix(string(head), "\xd0\xcf\x11\xe0")
	switch {
	case f.format == workbook || f.format == unnamed && binary:
		return worksheet.Read(ctx, worksheet.Source{In: f.f, Size: size, Sheet: f.src.Sheet, Dir: f.src.Dir, Max: f.src.Max, Log: f.src.Log}, w)
	case binary:
		return fault(0, "this is a workbook or a ZIP archive, and no text").hinted("name an Excel workbook .xlsx")
	case f.src.Sheet != "":
		return fault(0, "sheet: %s is for .xlsx files only", f.src.Sheet)
	}
	return f.text(ctx, w)
}

// explain makes an *Error of what the rooms below say.
func explain(err error) error {
	var own *Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e := (*header.Error)(nil); errors.As(err, &e) {
		return &Error{Line: e.Line, Text: e.Text, Hint: e.Hint}
	}
	if e := (*sheet.Error)(nil); errors.As(err, &e) {
		out := &Error{Text: e.Text, Hint: e.Hint, Err: e.Err}
		if e.Full {
			out.Kind = Full
		}
		return out
	}
	if e := (*unpack.Error)(nil); errors.As(err, &e) {
		out := &Error{Text: e.Text, Hint: e.Hint, Err: e.Err}
		if e.Full {
			out.Kind = Full
		}
		return out
	}
	return err
}

func missing(err error) *Error {
	text := err.Error()
	if p := (*fs.PathError)(nil); errors.As(err, &p) { // without its path: the error names that already
		text = p.Err.Error()
	}
	return &Error{Kind: Missing, Text: text, Err: err}
}
