package rows

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/mailblast/mailblast/composer/rows/file"
)

// list is a file, or standard input.
type list struct {
	name string // as the campaign spells it
	f    *file.File
}

func newList(src Source, o Options) (*list, error) {
	l := &list{name: src.Path}
	in := file.Source{Path: within(src.Base, src.Path), In: src.Stdin, Charset: src.Charset, Delimiter: src.Delimiter, Sheet: src.Sheet,
		Dir: o.Dir, Max: o.MaxStore, Log: o.Log}
	if src.Stdin != nil {
		l.name, in.Path = "standard input", ""
	}
	var err error
	if l.f, err = file.Open(in); err != nil {
		return nil, l.explain(err)
	}
	return l, nil
}

func (l *list) close() error { return l.f.Close() }

func (l *list) read(ctx context.Context, w *writer) error {
	return l.explain(l.f.Read(ctx, w))
}

// explain makes an *Error of an error of package file, or a *broken when reading again may help.
func (l *list) explain(err error) error {
	var said *file.Error
	if !errors.As(err, &said) {
		return err
	}
	e := &Error{Source: l.name, Line: said.Line, Text: said.Text, Hint: said.Hint, Err: said.Err}
	switch said.Kind {
	case file.Missing:
		e.Kind = Missing
	case file.Full:
		e.Kind = Full
	case file.Changed:
		return &broken{e}
	}
	return e
}

// within gives a path below base, unless it is absolute.
func within(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}
