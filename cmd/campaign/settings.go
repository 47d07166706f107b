package campaign

import (
	"slices"
	"strings"
)

// settings lists the keys of a mapping, those below it included.
func (l *loader) settings(path string, fields []field) []Setting {
	var out []Setting
	for _, f := range fields {
		at := join(path, f.key)
		m, ok := f.kind.(mapping)
		if !ok {
			out = append(out, Setting{Key: at, Value: f.kind.show(), Origin: l.origin(at)})
			continue
		}
		if m.brief != nil {
			if s, brief := m.brief(); brief {
				out = append(out, Setting{Key: at, Value: s, Origin: l.origin(at)})
				continue
			}
		}
		out = append(out, l.settings(at, m.fields)...)
	}
	return out
}

// origin gives where a key's value is from: its own place, or that of the short form above it.
func (l *loader) origin(path string) string {
	for {
		if o, ok := l.c.origins[path]; ok {
			return o
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return "default"
		}
		path = path[:i]
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
