package screen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the wants in testdata")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

// TestScreens plays each testdata/NN-name.in and compares what stands on the terminal at each "show" and at the end.
//
//	mode bar|lines|none     first of all; with "json" events as well
//	width N | color         of the terminal
//	snap {...}              the counters from now on
//	wait DURATION           of virtual time
//	log TEXT | warn TEXT    as a Go string without quotes
//	show
func TestScreens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.in")
	if err != nil || len(files) == 0 {
		t.Fatal("no screens", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			script, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { golden(t, strings.TrimSuffix(f, ".in")+".want", play(t, string(script))) })
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", file, got, want)
	}
}

// stage is what a script plays on.
type stage struct {
	o      Options
	term   *vt
	events bytes.Buffer
	snap   atomic.Pointer[Snapshot]
	screen *Screen
	result strings.Builder
}

func play(t *testing.T, script string) string {
	st := &stage{term: &vt{t: t, width: 100}}
	st.o = Options{
		Out: st.term, Width: st.term.cells, Snapshot: func() Snapshot { return *st.snap.Load() },
		Hint: "Ctrl-C pauses; run again to continue", Run: "spring-offer/2026-W48",
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	for line := range strings.Lines(script) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if st.set(t, word, rest) {
			continue
		}
		if st.screen == nil {
			st.screen = New(st.o)
			go func() {
				defer close(done)
				st.screen.Run(ctx)
			}()
			synctest.Wait()
		}
		st.act(t, word, rest)
	}
	end()
	<-done
	st.show("end")
	return st.result.String()
}

func (st *stage) set(t *testing.T, word, rest string) bool {
	switch word {
	case "mode":
		st.o.Mode = map[string]Mode{"bar": Bar, "lines": Lines, "none": None}[rest]
	case "json":
		st.o.Events = &Events{W: &st.events}
	case "color":
		st.o.Color = true
	case "every":
		st.o.Every, _ = time.ParseDuration(rest)
	case "width":
		n, _ := strconv.Atoi(rest)
		st.term.resize(n)
	case "snap":
		snap := new(Snapshot)
		if err := json.Unmarshal([]byte(rest), snap); err != nil {
			t.Fatal(err)
		}
		st.snap.Store(snap)
	case "#", "":
	default:
		return false
	}
	return true
}

func (st *stage) act(t *testing.T, word, rest string) {
	text, err := strconv.Unquote(`"` + rest + `"`)
	if err != nil {
		t.Fatal(err)
	}
	switch word {
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(d)
		synctest.Wait()
	case "log":
		fmt.Fprint(st.screen, text)
	case "warn":
		st.screen.Logger(slog.LevelInfo).Warn(text)
	case "show":
		st.show("show")
	default:
		t.Fatalf("unknown word %q", word)
	}
}

func (st *stage) show(what string) {
	fmt.Fprintf(&st.result, "--- %s, %d wide\n%s", what, st.term.cells(), st.term)
	if st.events.Len() > 0 {
		fmt.Fprintf(&st.result, "--- events\n%s", st.events.String())
		st.events.Reset()
	}
}

// A terminal that takes nothing (Ctrl-S) holds up nobody who logs.
func TestStoppedTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := New(Options{Mode: Bar, Out: w, Snapshot: func() Snapshot { return Snapshot{Total: 10} }})
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		synctest.Wait() // the first frame hangs in the pipe
		before := time.Now()
		for range 20_000 {
			s.Logger(slog.LevelInfo).Info(strings.Repeat("x", 100))
		}
		if time.Since(before) != 0 {
			t.Error("a log waited for the terminal")
		}
		if len(s.pending) > maxPending || s.lost == 0 {
			t.Errorf("%d octets wait, %d lines lost", len(s.pending), s.lost)
		}
		var shown bytes.Buffer
		read := make(chan struct{})
		go func() { _, _ = io.Copy(&shown, r); close(read) }()
		end()
		<-done
		_ = w.Close()
		<-read
		if !strings.Contains(shown.String(), "lines not shown") {
			t.Error("lines were lost without a word")
		}
	})
}

type closed struct{ writes int }

func (c *closed) Write([]byte) (int, error) { c.writes++; return 0, errors.New("broken pipe") }

// R8: stderr is closed. The run goes on, and nothing is written to it again.
func TestClosedOutput(t *testing.T) {
	for _, mode := range []Mode{Bar, Lines} {
		synctest.Test(t, func(t *testing.T) {
			out := new(closed)
			s := New(Options{Mode: mode, Out: out, Snapshot: func() Snapshot { return Snapshot{Total: 10} }})
			ctx, end := context.WithTimeout(t.Context(), time.Hour)
			defer end()
			s.Run(ctx)
			if n, err := s.Write([]byte("a line\n")); n != 7 || err != nil || out.writes != 1 {
				t.Errorf("%d, %v after %d writes", n, err, out.writes)
			}
		})
	}
}

// Whoever logs while bars come and go, no line is torn or lost.
func TestLogBesideBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := &vt{t: t, width: 80}
		var mu sync.Mutex
		snap := Snapshot{Total: 1000}
		s := New(Options{Mode: Bar, Out: term, Snapshot: func() Snapshot {
			mu.Lock()
			defer mu.Unlock()
			snap.Sent++
			return snap
		}})
		ctx, end := context.WithCancel(t.Context())
		var run, logs sync.WaitGroup
		run.Go(func() { s.Run(ctx) })
		for i := range 5 {
			logs.Go(func() {
				for j := range 40 {
					fmt.Fprintf(s, "line %d of %d\n", j, i)
					time.Sleep(time.Duration(7*i+3) * time.Millisecond)
				}
			})
		}
		logs.Wait()
		end()
		run.Wait()
		lines := strings.Split(strings.TrimSuffix(term.String(), "\n"), "\n")
		seen := map[string]bool{}
		for _, l := range lines {
			var i, j int
			if n, err := fmt.Sscanf(l, "line %d of %d", &j, &i); (n != 2 || err != nil) && l != "" {
				t.Errorf("left behind: %q", l)
			}
			seen[l] = true
		}
		if delete(seen, ""); len(seen) != 200 {
			t.Errorf("%d different lines, want 200", len(seen))
		}
	})
}
