package file

import (
	"context"
	"errors"
	"io"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/header"
	"github.com/mailblast/mailblast/composer/rows/jsonfile"
)

// readObjects reads JSON. The columns are the keys of all objects; a row has NULL where its object has none.
func readObjects(ctx context.Context, in io.Reader, w Sink) error {
	r := jsonfile.New(in)
	o := &objectRows{at: map[string]int{}}
	rows, first := 0, ""
	for ; ; rows++ {
		if rows%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if e := (*jsonfile.Error)(nil); errors.As(err, &e) {
			return fault(e.Line, "%s", e.Text)
		}
		if err != nil {
			return err
		}
		if rec.Fault == "" {
			rec.Fault = o.take(&rec, w)
		}
		if first == "" {
			first = rec.Fault
		}
		if len(o.cols) > header.MaxColumns {
			return fault(rec.Line, "the objects have more than %d different keys", header.MaxColumns)
		}
		if rec.Fault != "" {
			err = w.Add(rec.Line, nil, rec.Fault)
		} else {
			err = w.Add(rec.Line, o.values, "")
		}
		if err != nil {
			return err
		}
	}
	switch {
	case rows == 0:
		return fault(0, "the file is empty")
	case len(o.cols) == 0:
		if first == "" {
			first = "they have no keys"
		}
		return fault(0, "there is no row that can be used; the first: %s", first).hinted("write one object a line, or one array of objects")
	}
	return nil
}

type objectRows struct {
	cols   []composer.Column
	at     map[string]int // a key's column
	values []any
}

// take puts an object's values in their columns, and says what is wrong with its keys.
func (o *objectRows) take(rec *jsonfile.Record, w Sink) (fault string) {
	known, nested := len(o.cols), false
	clear(o.values)
	set := make(map[int]struct{}, len(rec.Keys))
	for i, key := range rec.Keys {
		at, ok := o.at[key]
		if !ok {
			name := header.Trim(key)
			if name == "" {
				fault = "a key is empty"
				continue
			}
			if at, ok = o.at[name]; !ok {
				at = len(o.cols)
				o.cols = append(o.cols, composer.Column{Name: name})
				o.values = append(o.values, nil)
				o.at[name] = at
			}
			o.at[key] = at
		}
		if _, twice := set[at]; twice {
			fault = "two keys differ in white space only: " + key
		}
		set[at] = struct{}{}
		o.values[at] = rec.Values[i]
		switch rec.Values[i].(type) {
		case []any, map[string]any:
			nested = nested || o.cols[at].Type == ""
			o.cols[at].Type = "json"
		}
	}
	if nested || len(o.cols) > known {
		w.Columns(o.cols)
	}
	return fault
}
