package screen

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Logger gives the log that this screen shows: a line a record, such as
//
//	12:04:11 ! gmail.com: 421 4.7.28 slowing to 2/s
//
// and warnings and worse as events, where events are wanted.
func (s *Screen) Logger(level slog.Leveler) *slog.Logger {
	return slog.New(&handler{screen: s, level: level})
}

type handler struct {
	screen *Screen
	level  slog.Leveler
	prefix string // of keys, from groups
	attrs  []pair // from WithAttrs
}

type pair struct{ key, value string }

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *handler) WithAttrs(as []slog.Attr) slog.Handler {
	more := *h
	more.attrs = append([]pair(nil), h.attrs...)
	for _, a := range as {
		more.attrs = flatten(more.attrs, h.prefix, a)
	}
	return &more
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	more := *h
	more.prefix += name + "."
	return &more
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	pairs := append([]pair(nil), h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		pairs = flatten(pairs, h.prefix, a)
		return true
	})
	if h.screen.o.Events != nil && r.Level >= slog.LevelWarn {
		return h.event(r, pairs)
	}
	h.screen.emit(h.line(r, pairs))
	return nil
}

func (h *handler) line(r slog.Record, pairs []pair) string {
	var b strings.Builder
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	b.WriteString(at.Format(time.TimeOnly) + " ")
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString(h.screen.colored(red, true, "✗") + " ")
	case r.Level >= slog.LevelWarn:
		b.WriteString(h.screen.colored(yellow, true, "!") + " ")
	}
	b.WriteString(Printable(r.Message))
	for _, p := range pairs {
		v := p.value
		if v == "" || strings.ContainsAny(v, " =\"") || v != Printable(v) {
			v = strconv.Quote(v)
		}
		fmt.Fprintf(&b, " %s=%s", Printable(p.key), Printable(v))
	}
	return b.String() + "\n"
}

func (h *handler) event(r slog.Record, pairs []pair) error {
	fields := make(map[string]string, len(pairs))
	for _, p := range pairs {
		fields[p.key] = p.value
	}
	return h.screen.o.Events.Emit("warning", struct {
		Run    string            `json:"run,omitempty"`
		Level  string            `json:"level"`
		Text   string            `json:"text"`
		Fields map[string]string `json:"fields,omitempty"`
	}{h.screen.o.Run, strings.ToLower(r.Level.String()), r.Message, fields})
}

func flatten(list []pair, prefix string, a slog.Attr) []pair {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key == "" {
			return list
		}
		return append(list, pair{prefix + a.Key, v.String()})
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range v.Group() {
		list = flatten(list, prefix, member)
	}
	return list
}
