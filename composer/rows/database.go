package rows

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/sqltext"
)

// statement is a query ready for its driver.
type statement struct {
	source string // for errors
	raw    string // as the user wrote it
	sqltext.Query
	args []any
}

// prepare checks the query and its parameters against each other.
func prepare(source string, src Source, d sqltext.Dialect) (*statement, error) {
	s := &statement{source: source, raw: src.Query}
	q, err := sqltext.Bind(src.Query, d, func(name string) bool { _, ok := src.Params[name]; return ok })
	if bad := (*sqltext.Error)(nil); errors.As(err, &bad) {
		return nil, Error{Source: source, Text: bad.Text, Hint: bad.Hint}.placed(src.Query, bad.Offset)
	}
	s.Query = q
	for _, name := range q.Names {
		v, err := argument(src.Params[name])
		if err != nil {
			return nil, &Error{Source: source, Text: fmt.Sprintf("params.%s: %v", name, err)}
		}
		s.args = append(s.args, v)
	}
	for name := range src.Params {
		if !slices.Contains(q.Names, name) {
			return nil, &Error{Source: source, Text: fmt.Sprintf("params.%s: the query has no :%s", name, name)}
		}
	}
	return s, nil
}

// argument makes what a driver takes of what YAML gives.
func argument(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool, int64, float64, time.Time:
		return v, nil
	case fmt.Stringer:
		return v.String(), nil
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return r.Int(), nil
	case r.CanUint() && r.Uint() <= math.MaxInt64:
		return int64(r.Uint()), nil
	case r.CanFloat():
		return r.Float(), nil
	}
	return nil, fmt.Errorf("a %T is no single value", v)
}

// stream runs the statement and appends its rows. fail makes an *Error or a *broken of a driver's error.
func (s *statement) stream(ctx context.Context, q sqlx.PreparerContext, w *writer, cell func(col int, v any) (any, error)) error {
	stmt, err := q.PrepareContext(ctx, s.Text) // the extended protocol takes one statement only
	if err != nil {
		return err
	}
	defer stmt.Close() // its transaction ends with it
	rs, err := stmt.QueryContext(ctx, s.args...)
	if err != nil {
		return err
	}
	defer rs.Close() // Err says it
	cols, err := s.columns(rs)
	if err != nil {
		return err
	}
	w.Columns(cols)
	values := make([]any, len(cols))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &raw{&values[i]}
	}
	for rs.Next() {
		if err := rs.Scan(into...); err != nil {
			return err
		}
		fault := ""
		for i, v := range values {
			if values[i], err = cell(i, v); err != nil && fault == "" {
				fault = fmt.Sprintf("column %s: %v", cols[i].Name, err)
			}
		}
		if err := w.Add(0, values, fault); err != nil {
			return err
		}
	}
	return rs.Err()
}

// raw takes what a driver gives as it is; database/sql would copy it first.
type raw struct{ v *any }

// Scan implements sql.Scanner. What it keeps is made into a value of its own before the next row is asked for.
func (r *raw) Scan(v any) error {
	*r.v = v
	return nil
}

func (s *statement) columns(rs *sql.Rows) ([]composer.Column, error) {
	types, err := rs.ColumnTypes()
	if err != nil {
		return nil, err
	}
	cols := make([]composer.Column, len(types))
	for i, t := range types {
		cols[i] = composer.Column{Name: strings.TrimSpace(t.Name()), Type: strings.ToLower(t.DatabaseTypeName())}
		if cols[i].Name == "" || cols[i].Name == "?column?" {
			return nil, &Error{Source: s.source, Text: fmt.Sprintf("column %d of the query has no name", i+1),
				Hint: "name it with AS"}
		}
	}
	if text, hint := checkColumns(cols); text != "" {
		return nil, &Error{Source: s.source, Text: text, Hint: hint}
	}
	return cols, nil
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
