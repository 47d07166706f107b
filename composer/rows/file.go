package rows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/csvfile"
)

// file is a CSV or TSV file. Its first line names the columns.
type file struct {
	name      string // as the campaign spells it
	path      string
	delimiter byte
	values    []any
}

func newFile(src Source) (*file, error) {
	f := &file{name: src.Path, path: within(src.Base, src.Path)}
	switch strings.ToLower(filepath.Ext(src.Path)) {
	case ".csv":
		f.delimiter = ','
	case ".tsv":
		f.delimiter = '\t'
	default:
		return nil, f.fault(0, "a list is a .csv or .tsv file")
	}
	return f, nil
}

func (f *file) fault(line int, format string, args ...any) *Error {
	return &Error{Source: f.name, Line: line, Text: fmt.Sprintf(format, args...)}
}

func (f *file) close() error { return nil }

func (f *file) read(ctx context.Context, w *writer) error {
	before, err := regular(f.name, f.path)
	if err != nil {
		return err
	}
	in, err := os.Open(f.path)
	if err != nil {
		return missing(f.name, err)
	}
	defer func() { _ = in.Close() }() // nothing was written
	r := csvfile.New(in, f.delimiter)
	cols, err := f.header(r)
	if err != nil {
		return err
	}
	w.columns(cols)
	for {
		if w.Len()%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return &Error{Kind: Missing, Source: f.name, Text: cause(err), Err: err}
		}
		if err := f.add(w, rec); err != nil {
			return err
		}
	}
	after, err := in.Stat()
	if err != nil {
		return missing(f.name, err)
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return &broken{f.fault(0, "the file was changed while it was read")}
	}
	return nil
}

func (f *file) add(w *writer, rec csvfile.Record) error {
	f.values = f.values[:0]
	for _, s := range rec.Fields {
		f.values = append(f.values, s)
	}
	if rec.Fault == "" && len(rec.Fields) != len(w.cols) {
		rec.Fault = fmt.Sprintf("%s, the header has %d", count(len(rec.Fields), "field"), len(w.cols))
		f.values = f.values[:min(len(f.values), len(w.cols))]
	}
	return w.add(rec.Line, f.values, rec.Fault)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// header reads the names of the columns.
func (f *file) header(r *csvfile.Reader) ([]composer.Column, error) {
	rec, err := r.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, f.fault(0, "the file is empty: its first line must name the columns")
	case err != nil:
		return nil, &Error{Kind: Missing, Source: f.name, Text: cause(err), Err: err}
	case rec.Fault != "":
		return nil, f.fault(rec.Line, "%s", rec.Fault)
	}
	cols := make([]composer.Column, len(rec.Fields))
	for i, name := range rec.Fields {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			return nil, f.fault(rec.Line, "column %d has no name", i+1)
		case strings.IndexByte(name, 0) >= 0:
			return nil, f.fault(rec.Line, "this is no text file in UTF-8")
		case strings.ContainsAny(name, "\r\n"):
			return nil, f.fault(rec.Line, "the name of column %d runs over a line break: lines must end in LF or CRLF", i+1)
		}
		cols[i].Name = name
	}
	if text, _ := checkColumns(cols); text != "" {
		return nil, f.fault(rec.Line, "%s", text)
	}
	return cols, nil
}

// regular finds a file that can be read twice with the same result.
func regular(name, path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, missing(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Source: name, Text: "this is no regular file"}
	}
	return info, nil
}

func missing(name string, err error) *Error {
	return &Error{Kind: Missing, Source: name, Text: cause(err), Err: err}
}

// cause gives what went wrong with a file, without its path: the error names that already.
func cause(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
