package cmd

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// call is one system call of a trace. begin and end are the lines at which it was entered and left: strace hears of both while the
// thread stands still, so that one call ended before another began exactly if its lines say so.
type call struct {
	name       string
	object     string // what its first argument stands for: a path, or TCP:[from->to]
	data       string // the octets of its first string argument
	result     int
	begin, end int
}

// parseTrace reads what strace -f -yy -o wrote. A call that was interrupted by another thread's comes in two lines; one that never
// ended is left out.
func parseTrace(r io.Reader) ([]call, error) {
	type begun struct {
		text string
		line int
	}
	open := map[string]begun{}
	var calls []call
	in := bufio.NewScanner(r)
	in.Buffer(nil, 64<<20)
	for line := 1; in.Scan(); line++ {
		pid, text, ok := strings.Cut(in.Text(), " ")
		if text = strings.TrimLeft(text, " "); !ok || strings.HasPrefix(text, "+++") || strings.HasPrefix(text, "---") {
			continue
		}
		at := line
		if rest, ok := strings.CutPrefix(text, "<... "); ok {
			b, ok := open[pid]
			_, rest, ok2 := strings.Cut(rest, " resumed>")
			if !ok || !ok2 {
				return nil, fmt.Errorf("line %d: nothing to resume: %.80s", line, text)
			}
			text, at = b.text+rest, b.line
			delete(open, pid)
		}
		if first, ok := strings.CutSuffix(text, "<unfinished ...>"); ok {
			open[pid] = begun{first, at}
			continue
		}
		c, err := parseCall(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %.80s", line, err, text)
		}
		c.begin, c.end = at, line
		calls = append(calls, c)
	}
	return calls, in.Err()
}

// parseCall reads `write(7</tmp/x>, "abc", 3) = 3`.
func parseCall(text string) (c call, err error) {
	i, j := strings.Index(text, "("), strings.LastIndex(text, " = ")
	if i < 0 || j < i {
		return c, fmt.Errorf("not a call")
	}
	c.name = text[:i]
	args, result := strings.TrimRight(text[i+1:j], " "), text[j+3:]
	result, _, _ = strings.Cut(result, " ")
	if k := strings.IndexByte(result, '<'); k >= 0 { // a descriptor, with what it stands for
		result = result[:k]
	}
	if c.result, err = strconv.Atoi(result); err != nil && result != "?" {
		return c, fmt.Errorf("result %q", result)
	}
	first := args
	if k := strings.IndexByte(args, '"'); k >= 0 {
		first = args[:k]
		if c.data, err = unescape(args[k+1:]); err != nil {
			return c, err
		}
	}
	if a := strings.IndexByte(first, '<'); a >= 0 {
		c.object = first[a+1:]
		if b := strings.LastIndexByte(c.object, '>'); b >= 0 {
			c.object = c.object[:b]
		}
	}
	return c, nil
}

// unescape reads a string as in C, up to its closing quotation mark.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), nil
		case s[i] != '\\':
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		if k := strings.IndexByte("ntrvf", s[i]); k >= 0 {
			b.WriteByte("\n\t\r\v\f"[k])
			continue
		}
		if s[i] < '0' || s[i] > '7' {
			b.WriteByte(s[i])
			continue
		}
		n := 1
		for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
			n++
		}
		v, err := strconv.ParseUint(s[i:i+n], 8, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(v))
		i += n - 1
	}
	return "", fmt.Errorf("a string without end")
}

func TestParseTrace(t *testing.T) {
	const trace = `10 openat(AT_FDCWD</tmp>, "journal.db", O_RDWR|O_CREAT, 0600) = 8</tmp/journal.db>
11 read(5<TCP:[127.0.0.1:40->127.0.0.1:25]>,  <unfinished ...>
10 pwrite64(8</tmp/journal.db>, "\0\1281\\ \"a\"\r\n\377", 12, 0 <unfinished ...>
11 <... read resumed>"250 ok = (yes) = \r\n", 4096) = 19
11 --- SIGURG {si_signo=SIGURG} ---
10 <... pwrite64 resumed>)           = 12
10 fsync(8</tmp/journal.db> <unfinished ...>
12 write(7</tmp/rows-1>(deleted), "x"..., 9000) = 9000
10 <... fsync resumed>)    = -1 EIO (Input/output error)
12 fsync(9</tmp/never>  <unfinished ...>
13 exit_group(0) = ?
12 +++ exited with 0 +++
`
	got, err := parseTrace(strings.NewReader(trace))
	want := []call{
		{"openat", "/tmp", "journal.db", 8, 1, 1},
		{"read", "TCP:[127.0.0.1:40->127.0.0.1:25]", "250 ok = (yes) = \r\n", 19, 2, 4},
		{"pwrite64", "/tmp/journal.db", "\x00\n81\\ \"a\"\r\n\xff", 12, 3, 6},
		{"write", "/tmp/rows-1", "x", 9000, 8, 8},
		{"fsync", "/tmp/journal.db", "", -1, 7, 9},
		{"exit_group", "", "", 0, 11, 11},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	for _, bad := range []string{"1 <... read resumed>) = 1\n", "1 nonsense\n", "1 write(1, \"a) = 1\n", "1 fsync(1) = much\n"} {
		if got, err := parseTrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gave %+v", bad, got)
		}
	}
}
