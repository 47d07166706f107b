package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/composer/rows/charset"
	"github.com/mailblast/mailblast/composer/rows/csvfile"
	"github.com/mailblast/mailblast/composer/rows/dialect"
	"github.com/mailblast/mailblast/composer/rows/header"
	"github.com/mailblast/mailblast/composer/rows/unpack"
)

// decoded is a text from its beginning, in UTF-8.
type decoded struct {
	*bufio.Reader
	packed *unpack.Reader
}

func (d *decoded) Close() { d.packed.Close() }

// decode opens the text anew.
func (f *File) decode(ctx context.Context, cs charset.Charset) (*decoded, error) {
	in, err := f.source()
	if err != nil {
		return nil, err
	}
	return &decoded{bufio.NewReaderSize(cs.Reader(ending{ctx, in}), dialect.Sample), in}, nil
}

// charset finds out how the text is encoded, which reads all of it.
func (f *File) charset(ctx context.Context) (charset.Charset, error) {
	var in *unpack.Reader
	free := func() {
		if in != nil {
			in.Close()
		}
	}
	defer func() { free() }()
	cs, err := charset.Detect(func() (_ io.Reader, err error) {
		free()
		in, err = f.source()
		return ending{ctx, in}, err
	}, f.src.Charset)
	if e := (*charset.Error)(nil); errors.As(err, &e) {
		return cs, &Error{Line: e.Line, Text: e.Text, Hint: e.Hint}
	}
	if err == nil && cs.Name != "utf-8" {
		f.src.Log.Info("recipients decoded", "charset", cs.Name)
	}
	return cs, err
}

// text reads delimited text, or objects.
func (f *File) text(ctx context.Context, w Sink) error {
	cs, err := f.charset(ctx)
	if err != nil {
		return err
	}
	in, err := f.decode(ctx, cs)
	if err != nil {
		return err
	}
	defer func() { in.Close() }()
	if f.format == objects || f.format == unnamed && startsObject(in) {
		return readObjects(ctx, in, w)
	}
	t := &table{f: f, cs: cs}
	if err := t.sniff(in); err != nil {
		return err
	}
	return t.read(ctx, in, w)
}

// startsObject tells that the first sign of a text is a brace or a bracket.
func startsObject(in *decoded) bool {
	head, _ := in.Peek(dialect.Sample) // its error comes with the next read
	head = []byte(strings.TrimLeft(string(head), " \t\r\n"))
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// table is delimited text.
type table struct {
	f  *File
	cs charset.Charset
	d  dialect.Dialect
	h  *header.Header
}

func (t *table) sniff(in *decoded) error {
	sample, err := in.Peek(dialect.Sample)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	def := byte(',')
	if t.f.tabs {
		def = '\t'
	}
	t.d, err = dialect.Sniff(sample, def, err != nil)
	if t.f.src.Delimiter != 0 {
		t.d.Delimiter, err = t.f.src.Delimiter, nil
	}
	if err != nil {
		return fault(0, "%v", err).hinted(`write it under recipients, such as delimiter: ";"`)
	}
	return nil
}

// records begins to read the text after the line that names the delimiter.
func (t *table) records(in *decoded) (*csvfile.Reader, error) {
	from := io.Reader(in)
	if t.d.CR {
		from = dialect.Lines(in)
	}
	r := csvfile.New(from, t.d.Delimiter)
	if t.cs.Name != "utf-8" {
		r.Charset = t.cs.Name
	}
	if t.d.Named {
		if _, err := r.Next(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (t *table) read(ctx context.Context, in *decoded, w Sink) error {
	r, err := t.records(in)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var rec csvfile.Record
	if err == nil {
		rec, err = r.Next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return fault(0, "the file is empty: its first line must name the columns")
	case err != nil:
		return err
	case rec.Fault != "":
		return fault(rec.Line, "%s", rec.Fault)
	}
	t.h, err = header.New(rec.Fields, rec.Line, header.Naming{Row: "line", Column: strconv.Itoa}, func() ([]int, error) { return t.used(ctx) })
	if err != nil {
		return err
	}
	w.Columns(t.h.Columns)
	values := make([]any, len(t.h.Columns))
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.add(w, rec, values); err != nil {
			return err
		}
	}
}

// add appends a record, unless all of it is empty.
func (t *table) add(w Sink, rec csvfile.Record, values []any) error {
	have := 0
	for have < len(t.h.At) && t.h.At[have] < len(rec.Fields) {
		values[have] = rec.Fields[t.h.At[have]]
		have++
	}
	if rec.Fault == "" && (have < len(t.h.At) || len(rec.Fields) > t.h.Width && !blank(rec.Fields[t.h.Width:])) {
		rec.Fault = fmt.Sprintf("%s, the header has %d", count(len(rec.Fields), "field"), t.h.Width)
	}
	for i, s := range rec.Fields {
		if rec.Fault == "" && strings.IndexByte(s, 0) >= 0 {
			rec.Fault = fmt.Sprintf("field %d holds a NUL octet", i+1)
		}
	}
	if len(rec.Fields) > 1 && rec.Fields[0] == "" && blank(rec.Fields) {
		return nil
	}
	return w.Add(rec.Line, values[:have], rec.Fault)
}

// used reads the whole text, and gives for each column the line of its first value.
func (t *table) used(ctx context.Context) ([]int, error) {
	in, err := t.f.decode(ctx, t.cs)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r, err := t.records(in)
	if err != nil {
		return nil, err
	}
	var used []int
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return used, nil
		}
		if err != nil {
			return nil, err
		}
		for len(used) < len(rec.Fields) {
			used = append(used, 0)
		}
		for i, s := range rec.Fields {
			if n > 0 && used[i] == 0 && strings.TrimSpace(s) != "" {
				used[i] = rec.Line
			}
		}
	}
}

func blank(fields []string) bool {
	for _, s := range fields {
		if strings.TrimSpace(s) != "" {
			return false
		}
	}
	return true
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
