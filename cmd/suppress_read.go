package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/delivery/suppress"
)

// wayward is what a file of people to suppress says that cannot be understood.
type wayward struct {
	where string // "optouts.csv:7"
	text  string
}

// readSuppressed reads a list of people who must not be written to, from a file of any kind that can be a campaign's list,
// or from standard input. It has a column of addresses (email) and may have reason, scope and until; or it is plain text with
// one address or @domain a line. What cannot be understood goes to odd.
func (e *env) readSuppressed(ctx context.Context, path string, take func(suppress.Entry) error, odd func(wayward)) (err error) {
	name, in := path, e.in
	if path == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return failf(exitNoInput, "%w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	text := bufio.NewReader(in)
	if plainPeople(text) {
		return eachPlain(text, name, take, odd)
	}
	src := rows.Source{Path: path, Base: "."}
	if path == "-" {
		src = rows.Source{Stdin: text}
	}
	return e.eachOfTable(ctx, src, name, take, odd)
}

// plainPeople tells that the first line that says something is an address or @domain and nothing else.
func plainPeople(r *bufio.Reader) bool {
	head, _ := r.Peek(2048) // a short file is no trouble
	for line := range strings.Lines(string(head)) {
		if line = plainLine(line); line == "" || line[0] == '#' {
			continue
		}
		_, err := suppress.Parse(line)
		return err == nil
	}
	return false
}

func plainLine(s string) string { return strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")) }

// eachPlain reads an address a line; blank lines and those that begin with # say nothing.
func eachPlain(r *bufio.Reader, name string, take func(suppress.Entry) error, odd func(wayward)) error {
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		line := plainLine(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		whom, err := suppress.Parse(line)
		if err != nil {
			odd(wayward{fmt.Sprintf("%s:%d", name, n), "not an address: " + err.Error()})
			continue
		}
		if err := take(suppress.Entry{Whom: whom}); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return failf(exitData, "%s:%d: %w", name, n+1, err)
	}
	return nil
}

// eachOfTable reads a list with columns.
func (e *env) eachOfTable(ctx context.Context, src rows.Source, name string, take func(suppress.Entry) error, odd func(wayward)) (err error) {
	temp, err := os.MkdirTemp("", "mailblast-")
	if err != nil {
		return failf(exitIO, "%w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	list, err := rows.Read(ctx, src, rows.Options{Dir: temp})
	if err != nil {
		return rowsFault(err)
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	p, err := newPeopleColumns(name, list.Columns())
	if err != nil {
		return err
	}
	return list.Each(ctx, func(r *composer.Row) error {
		line := r.Line
		if line == 0 {
			line = r.Number
		}
		entry, why := suppress.Entry{}, r.Fault
		if why == "" {
			entry, why = p.entry(r.Values)
		}
		switch {
		case why != "":
			odd(wayward{fmt.Sprintf("%s:%d", name, line), why})
			return nil
		case entry.Whom == "":
			return nil
		}
		return take(entry)
	})
}

// peopleColumns are the places of what is known of an entry; -1: there is none.
type peopleColumns struct{ whom, reason, scope, until int }

func newPeopleColumns(file string, cols []composer.Column) (p peopleColumns, err error) {
	find := func(names ...string) int {
		return slices.IndexFunc(cols, func(c composer.Column) bool {
			return slices.Contains(names, strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(c.Name)))
		})
	}
	p = peopleColumns{whom: find("email", "mail", "address", "emailaddress", "recipient"), reason: find("reason"), scope: find("scope"), until: find("until")}
	if p.whom >= 0 {
		return p, nil
	}
	if len(cols) == 1 {
		p.whom = 0
		return p, nil
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	return p, failf(exitData, "%s: it has no column email", file).hinted("its columns are %q", names)
}

// bareWhom takes off the sign that keeps spreadsheet programs from reading @domain as a formula.
func bareWhom(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && strings.HasPrefix(rest, "@") {
		return rest
	}
	return s
}

// entry makes an entry of a row; one without an address is none.
func (p peopleColumns) entry(values []any) (e suppress.Entry, why string) {
	text := func(i int) string {
		if i < 0 || i >= len(values) || values[i] == nil {
			return ""
		}
		return strings.TrimSpace(rows.Text(values[i]))
	}
	whom := text(p.whom)
	if whom == "" {
		return e, ""
	}
	var err error
	if e.Whom, err = suppress.Parse(bareWhom(whom)); err != nil {
		return e, fmt.Sprintf("not an address: %v", err)
	}
	e.Reason, e.Scope = text(p.reason), text(p.scope)
	if e.Scope == "all" {
		e.Scope = ""
	}
	if until := text(p.until); until != "" {
		if e.Until, err = parseUntil(until); err != nil {
			return e, err.Error()
		}
	}
	return e, ""
}

// parseUntil takes a day, which counts to its end in the local time zone, or a moment.
func parseUntil(s string) (time.Time, error) {
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t.AddDate(0, 0, 1), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("until %q: not a day such as 2026-12-31", s)
}
