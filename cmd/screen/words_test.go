package screen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestComma(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 48210: "48,210", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Comma(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 60 * time.Second: "1m", 90 * time.Second: "2m", 59*time.Minute + 20*time.Second: "59m",
		125 * time.Minute: "2h 05m", 26 * time.Hour: "1d 2h",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestPerSecond(t *testing.T) {
	for r, want := range map[float64]string{0: "0/s", 19.83: "19.8/s", 2: "2/s", 1234.4: "1,234/s", 0.5: "30/min", 0.01: "36/h"} {
		if got := perSecond(r); got != want {
			t.Errorf("%v: %s, want %s", r, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë, 日本 \"x\"":               "Zoë, 日本 \"x\"",
		"\x1b[2J\r\n\x00\x7f":         `\x1b[2J\x0d\x0a\x00\x7f`,
		"a\u202eb\u200bc\u009b\u2028": `a\u202eb\u200bc\u009b\u2028`,
		"bad \xff":                    `bad \xff`,
		"\U000e0041":                  `\U000e0041`,
		"\ufffd":                      `\ufffd`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b]0;x\x07 \xff \u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, hostile) {
			t.Errorf("%q gives %q", s, got)
		}
	})
}

func TestPlans(t *testing.T) {
	for file, p := range map[string]Plan{
		"50-plan.want": {
			Run: "spring-offer/2026-W48", From: "Ana <ana@acme.example>", Via: "smtp.acme.example:587",
			Limits: []string{"20/s", "4 connections"}, Rows: 48210, Suppressed: 214, Duplicate: 12, Invalid: 3, ToSend: 47981,
			Deliveries: 47981, InDoubt: 40, About: 40 * time.Minute, FirstTo: "j.doe@example.com", FirstSubject: "Jo, your spring offer",
			LastTest: "today 09:12 to ana@acme.example", CanTest: true,
		},
		"51-plan-one.want": {
			Run: "notice/1", From: "a@acme.example", Via: "the recipients' mail exchangers", Rows: 1, ToSend: 1, Deliveries: 3,
			About: time.Second, Notes: []string{"template changed after 12,400 were sent; the remaining 1 gets the new one"},
		},
		"52-plan-hostile.want": {
			Run: "x/1", From: "a@acme.example", Via: "h:25", Rows: 9000, Already: 8000, Null: 1, Ended: 2, Beyond: 996, ToSend: 1, Deliveries: 1,
			FirstTo: "a@b.example", FirstSubject: "\x1b[2J\u202eolleh\r\nBcc: x", Notes: []string{"\a"}, About: 3 * time.Hour,
		},
	} {
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/"+file, b.String()+p.Question()+"\n")
	}
}

// Who may have the letter already is told with the question.
func TestQuestion(t *testing.T) {
	for _, c := range []struct {
		toSend, doubtful int
		want             string
	}{
		{202, 0, "Send to 202 people? Type yes: "},
		{202, 202, "Send to 202 people, who may have the letter already? Type yes: "},
		{1, 1, "Send to 1 person, who may have the letter already? Type yes: "},
		{210, 202, "Send to 210 people, 202 of whom may have the letter already? Type yes: "},
	} {
		p := Plan{ToSend: c.toSend, Doubtful: c.doubtful}
		if got := p.Question(); got != c.want {
			t.Errorf("asks %q, want %q", got, c.want)
		}
	}
}

func TestAsk(t *testing.T) {
	for in, want := range map[string]Answer{
		"yes\n": Yes, " YES \r\n": Yes, "yes": Yes, "t\n": Test, "test\n": Test, "no\n": No, "\n": No, "": No, "yess\n": No,
		"y\nyes\n": Yes, "y\n": No, strings.Repeat("yes ", 5000) + "\n": No,
	} {
		var out bytes.Buffer
		got, err := Ask(t.Context(), bufio.NewReader(strings.NewReader(in)), &out, "Send? ")
		if got != want || err != nil || !strings.HasPrefix(out.String(), "Send? ") {
			t.Errorf("%.20q: %v, %v; asked %q", in, got, err, out.String())
		}
	}
}

func TestAskTwice(t *testing.T) {
	in := bufio.NewReader(strings.NewReader("t\nyes\n"))
	for _, want := range []Answer{Test, Yes} {
		if got, err := Ask(t.Context(), in, io.Discard, "?"); got != want || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestAskCut(t *testing.T) {
	r, w := io.Pipe()
	ctx, cut := context.WithCancel(t.Context())
	go cut()
	if got, err := Ask(ctx, bufio.NewReader(r), io.Discard, "?"); got != No || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", got, err)
	}
	_ = w.Close()
	if _, err := Ask(t.Context(), bufio.NewReader(r), new(closed), "?"); err == nil {
		t.Error("asked where nobody can read it")
	}
}

func TestEvents(t *testing.T) {
	var b bytes.Buffer
	e := &Events{W: &b}
	for _, err := range []error{
		e.Emit("plan", Plan{Run: "x/1", FirstSubject: "<b>\x1b\n"}), e.Emit("summary", struct{}{}), e.Emit("error", map[string]any{"exit": 65}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 3 || lines[1] != `{"v":1,"type":"summary"}` || lines[2] != `{"v":1,"type":"error","exit":65}` {
		t.Errorf("%q", lines)
	}
	var plan map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &plan); err != nil || plan["type"] != "plan" || plan["first_subject"] != "<b>\x1b\n" || strings.Contains(lines[0], "\x1b") {
		t.Errorf("%s: %v", lines[0], err)
	}
	for _, bad := range []any{nil, 1, "x", []int{1}, make(chan int)} {
		if err := e.Emit("plan", bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if err := (&Events{W: new(closed)}).Emit("plan", Plan{}); err == nil {
		t.Error("a closed output was not noticed")
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	s := New(Options{Out: &b, Color: true})
	at := time.Date(2026, 11, 24, 12, 4, 11, 0, time.UTC)
	log := s.Logger(slog.LevelInfo)
	say := func(l *slog.Logger, level slog.Level, text string, args ...any) {
		r := slog.NewRecord(at, level, text, 0)
		r.Add(args...)
		if l.Enabled(t.Context(), level) {
			if err := l.Handler().Handle(t.Context(), r); err != nil {
				t.Error(err)
			}
		}
	}
	say(log, slog.LevelDebug, "not this")
	say(log, slog.LevelInfo, "hello", "n", 3, "name", "two words", "empty", "")
	say(log.With("host", "mx.example").WithGroup("g"), slog.LevelWarn, "slow\x1b[2J", "a", 1, slog.Group("h", "b", "\n"))
	say(log, slog.LevelError, "broken")
	want := "12:04:11 hello n=3 name=\"two words\" empty=\"\"\n" +
		"12:04:11 " + yellow + "!" + plain + " slow\\x1b[2J host=mx.example g.a=1 g.h.b=\"\\n\"\n" +
		"12:04:11 " + red + "✗" + plain + " broken\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestLogEvents(t *testing.T) {
	var out, events bytes.Buffer
	s := New(Options{Out: &out, Events: &Events{W: &events}, Run: "x/1"})
	s.Logger(slog.LevelInfo).Warn("slowing", "domain", "a.example")
	s.Logger(slog.LevelInfo).Info("quiet")
	if want := `{"v":1,"type":"warning","run":"x/1","level":"warn","text":"slowing","fields":{"domain":"a.example"}}` + "\n"; events.String() != want {
		t.Errorf("%s", events.String())
	}
	if !strings.HasSuffix(out.String(), " quiet\n") || strings.Contains(out.String(), "slowing") {
		t.Errorf("%s", out.String())
	}
}

func TestWriteParts(t *testing.T) {
	var b bytes.Buffer
	s := New(Options{Out: &b})
	for _, part := range []string{"one ", "line\ntwo\r\nthr", "ee\n", strings.Repeat("x", maxLine+1)} {
		if n, err := io.WriteString(s, part); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if got := b.String(); got != "one line\ntwo\nthree\n"+strings.Repeat("x", maxLine+1)+"\n" {
		t.Errorf("%.80q", got)
	}
}

// FuzzJSON writes any text as JSON: it reads back the same, and commands no terminal.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "<a>&", "\x1b[31m\u009b\u202e", "\U000e0001\ufeff\ufffd", "\u2028\x7f\x00", "é\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := JSON(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		body, ended := strings.CutSuffix(string(line), "\n")
		if !ended || Printable(body) != body {
			t.Errorf("%q", line)
		}
		var got map[string]string
		if err := json.Unmarshal(line, &got); err != nil || utf8.ValidString(text) && got["text"] != text {
			t.Errorf("%q became %s, which reads %q, %v", text, line, got["text"], err)
		}
	})
}
