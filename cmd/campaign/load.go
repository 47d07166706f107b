package campaign

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// Fault is one thing that is wrong in a file; Faults is all of them, and the error of Load.
type (
	Fault  = source.Fault
	Faults = source.Faults
)

// Options is what the process adds to the files.
type Options struct {
	Env       func(string) (string, bool) // the process's environment; nil: empty. It wins over .env
	EnvFile   string                      // read in place of the .env beside the campaign; must exist then
	Overrides []Override                  // the first for a key wins
}

// Override is a value from outside the files.
type Override struct {
	Key    string // as in "rate", "retry.for" or "smtp"
	Value  string // as campaign.yaml would have it, without quotes; ${VAR} is not expanded
	Origin string // "--rate" or "MAILBLAST_RATE"
}

const sharedName = "mailblast.yaml"

// Load reads and checks a campaign. The error is Faults when files are at fault, and one of package os when the
// campaign cannot be read.
func Load(path string, o Options) (*Campaign, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l := &loader{
		c:     &Campaign{Path: path, Dir: filepath.Dir(abs), places: map[string]place{}, origins: map[string]string{}},
		files: map[string]*read{},
	}
	main, err := l.open(path)
	if err != nil {
		return nil, err
	}
	l.environment(o)
	root := l.combine(main, o.Overrides)
	table := keys(l.c)
	l.mapping("", table, root, "")
	l.check(root)
	l.order()
	l.cap()
	if len(l.faults) > 0 {
		return nil, l.faults
	}
	l.c.Warnings = l.warnings
	l.c.set = l.settings("", table)
	return l.c, nil
}

// read is a file with what must be known of it beside its text.
type read struct {
	*source.File
	dir    string
	shared bool // others may read it
	// foreign: somebody else may have written it
	foreign bool
}

type loader struct {
	c                *Campaign
	files            map[string]*read // by the name that faults give
	env              source.Lookup
	faults, warnings Faults
}

// open reads a file of at most the size that source takes.
func (l *loader) open(path string) (*source.File, error) {
	f, info, err := source.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, source.MaxSize+1))
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	parsed := source.Parse(path, data)
	l.files[path] = &read{File: parsed, dir: filepath.Dir(abs), shared: info.Mode().Perm()&0o077 != 0, foreign: source.Foreign(info)}
	l.faults = append(l.faults, parsed.Faults...)
	return parsed, nil
}

// combine lays campaign.yaml over the nearest mailblast.yaml, key by key, and overrides over both.
func (l *loader) combine(main *source.File, overrides []Override) *source.Node {
	root := *main.Root
	root.Entries = l.aliases(main.Root.Entries)
	for _, e := range l.sharedEntries() {
		if root.Get(e.Key) == nil {
			root.Entries = append(root.Entries, e)
		}
	}
	done := map[string]bool{}
	for _, o := range overrides {
		if done[o.Key] {
			continue
		}
		done[o.Key] = true
		if o.Key == "rate" {
			o.Key = "rate.total" // limits per domain stay
		}
		n := &source.Node{Pos: source.Pos{File: o.Origin}, Kind: source.Text, Text: o.Value}
		overlay(&root, strings.Split(o.Key, "."), n)
	}
	return &root
}

// overlay puts a value at a dotted key and copies the mappings on the way, which files may share by aliases.
func overlay(m *source.Node, path []string, value *source.Node) {
	m.Entries = slices.Clone(m.Entries)
	i := slices.IndexFunc(m.Entries, func(e source.Entry) bool { return e.Key == path[0] })
	if i < 0 {
		m.Entries = append(m.Entries, source.Entry{Key: path[0], At: value.Pos})
		i = len(m.Entries) - 1
	}
	if len(path) == 1 {
		m.Entries[i].Value = value
		return
	}
	child := source.Node{Kind: source.Map, Pos: value.Pos}
	switch old := m.Entries[i].Value; {
	case old == nil:
	case old.Kind == source.Map:
		child = *old
	case path[0] == "rate": // the short form of rate.total
		child.Entries = []source.Entry{{Key: "total", At: old.Pos, Value: old}}
	}
	m.Entries[i].Value = &child
	overlay(&child, path[1:], value)
}

// sharedEntries reads the nearest mailblast.yaml from the campaign's folder upward.
func (l *loader) sharedEntries() []source.Entry {
	for dir := l.c.Dir; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, sharedName)
		if path == filepath.Join(l.c.Dir, filepath.Base(l.c.Path)) {
			return nil // the campaign itself has that name
		}
		f, err := l.open(l.shown(path))
		if errors.Is(err, fs.ErrNotExist) {
			if dir == filepath.Dir(dir) {
				return nil
			}
			continue
		}
		if err != nil {
			l.faults = append(l.faults, Fault{Pos: source.Pos{File: path}, Text: "it cannot be read", Hint: err.Error()})
			return nil
		}
		if dir != l.c.Dir && l.files[f.Name].foreign {
			l.fault(f.Root.Pos, 1, "this file is not yours, or everybody can write to it", "own it and chmod 644 "+f.Name+", or give the campaign a mailblast.yaml of its own")
			return nil
		}
		return l.own(f)
	}
}

// shown writes a path the way the campaign's was given.
func (l *loader) shown(path string) string {
	if filepath.IsAbs(l.c.Path) {
		return path
	}
	if wd, err := filepath.Abs("."); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil {
			return rel
		}
	}
	return path
}

// own drops what must not be shared between campaigns.
func (l *loader) own(f *source.File) []source.Entry {
	return slices.DeleteFunc(l.aliases(f.Root.Entries), func(e source.Entry) bool {
		if e.Key != "name" {
			return false
		}
		l.fault(e.At, len(e.Key), "name: it belongs into campaign.yaml", "campaigns of one name would take each other's letters for sent")
		return true
	})
}

func (l *loader) fault(p source.Pos, width int, text, hint string) {
	l.faults = append(l.faults, l.make(p, width, text, hint))
}

func (l *loader) warn(p source.Pos, width int, text, hint string) {
	l.warnings = append(l.warnings, l.make(p, width, text, hint))
}

func (l *loader) make(p source.Pos, width int, text, hint string) Fault {
	if f, ok := l.files[p.File]; ok {
		return f.Fault(p, width, text, hint)
	}
	return Fault{Pos: p, Text: text, Hint: hint, Width: width}
}

// mostFaults is how many faults are told one by one: nobody reads more, and files made to hurt have thousands.
const mostFaults = 100

// cap tells of the faults beyond the limit in one.
func (l *loader) cap() {
	if more := len(l.faults) - mostFaults; more > 1 {
		l.faults = append(l.faults[:mostFaults:mostFaults], Fault{Pos: l.faults[mostFaults].Pos, Text: strconv.Itoa(more) + " more faults from here on"})
	}
}

// order sorts faults as they stand in the files, the campaign's first.
func (l *loader) order() {
	rank := func(f Fault) int {
		if f.File == l.c.Path {
			return 0
		}
		return 1
	}
	for _, fs := range []Faults{l.faults, l.warnings} {
		slices.SortStableFunc(fs, func(a, b Fault) int {
			if d := rank(a) - rank(b); d != 0 {
				return d
			}
			if d := strings.Compare(a.File, b.File); d != 0 {
				return d
			}
			if d := a.Line - b.Line; d != 0 {
				return d
			}
			return a.Column - b.Column
		})
	}
}
