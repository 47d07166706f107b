package cmd

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const lettersDir = "../testdata/letters"

// Every kind of letter goes by the real program through a real Postfix into a Maildir, and other people's parsers read it
// there: each must find the same text, names and files, and have nothing to complain of. `make letters` shows the table.
func TestLetters(t *testing.T) {
	t.Parallel()
	box := deliverLetters(t)
	if os.Getenv("UPDATE_SESSIONS") != "" {
		box.rewrite(t)
	}
	wants := box.wants(t)
	table := &letterTable{cells: map[[2]string][]string{}}
	t.Run("by", func(t *testing.T) {
		for _, r := range letterReaders {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				for _, got := range r.read(t, box.files()) {
					l := box.letters[got.File]
					table.add(l.kind, r.name, wants[l.to].differs(t, l.to, got))
				}
			})
		}
		t.Run(spamassassin, func(t *testing.T) {
			t.Parallel()
			for _, v := range judgeLetters(t, box.files()) {
				table.add(box.letters[v.File].kind, spamassassin, v.String())
				for _, r := range v.structural() {
					t.Errorf("%s: SpamAssassin's %s, %.1f", box.letters[v.File].to, r.Name, r.Score)
				}
			}
		})
	})
	t.Log("\n" + table.text(box.kinds))
}

// letterTable is what each reader says of each kind of letter.
type letterTable struct {
	mu    sync.Mutex
	cells map[[2]string][]string // by kind and reader
}

func (x *letterTable) add(kind, reader, says string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at := [2]string{kind, reader}; !slices.Contains(x.cells[at], says) {
		x.cells[at] = append(x.cells[at], says)
	}
}

func (x *letterTable) text(kinds []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s", "letter")
	for _, r := range letterReaders {
		fmt.Fprintf(&b, "%-12s", r.name)
	}
	fmt.Fprintf(&b, "%s\n", spamassassin)
	for _, kind := range kinds {
		fmt.Fprintf(&b, "%-11s", kind)
		for _, r := range letterReaders {
			fmt.Fprintf(&b, "%-12s", cmp.Or(strings.Join(x.cells[[2]string{kind, r.name}], ", "), "left out"))
		}
		fmt.Fprintf(&b, "%s\n", cmp.Or(strings.Join(x.cells[[2]string{kind, spamassassin}], "; "), "left out"))
	}
	return b.String()
}

// wanted is what a reader of a letter must find, and who gets it: an entry of a want.json.
type wanted struct {
	For []string `json:"for"`
	letterRead
}

// wants gives what each recipient's letter must say.
func (box *maildir) wants(t *testing.T) map[string]wanted {
	t.Helper()
	all := map[string]wanted{}
	for _, kind := range box.kinds {
		var list []wanted
		b, err := os.ReadFile(filepath.Join(lettersDir, kind, "want.json"))
		if err == nil {
			err = json.Unmarshal(b, &list)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range list {
			for _, to := range w.For {
				all[to] = w
			}
		}
	}
	for _, l := range box.letters {
		if _, ok := all[l.to]; !ok {
			t.Errorf("a letter for %s, who is in no want.json", l.to)
		}
	}
	if len(all) != len(box.letters) {
		t.Errorf("%d letters, want %d", len(box.letters), len(all))
	}
	return all
}

// differs gives in short what a reader found otherwise, or "ok".
func (w wanted) differs(t *testing.T, to string, got letterRead) string {
	t.Helper()
	var in []string
	for _, x := range []struct {
		name      string
		got, want any
	}{
		{"defects", got.Defects, []string(nil)}, {"subject", got.Subject, w.Subject}, {"from", got.From, w.From}, {"to", got.To, w.To}, {"cc", got.Cc, w.Cc},
		{"text", got.Text, w.Text}, {"html", got.HTML, w.HTML}, {"files", got.Files, w.Files},
	} {
		if g, w := fmt.Sprintf("%+v", x.got), fmt.Sprintf("%+v", x.want); g != w {
			t.Errorf("%s: %s\ngot  %q\nwant %q", to, x.name, g, w)
			in = append(in, x.name)
		}
	}
	return cmp.Or(strings.Join(in, " "), "ok")
}

// rewrite makes each want.json from what the first reader finds: to be looked at before it is believed.
func (box *maildir) rewrite(t *testing.T) {
	t.Helper()
	byKind, entry := map[string][]*wanted{}, map[string]*wanted{}
	for _, got := range letterReaders[0].read(t, box.files()) {
		l := box.letters[got.File]
		got.File = ""
		w := entry[l.id]
		if w == nil {
			w = &wanted{letterRead: got}
			entry[l.id] = w
			byKind[l.kind] = append(byKind[l.kind], w)
		}
		w.For = append(w.For, l.to)
		slices.Sort(w.For)
	}
	for kind, list := range byKind {
		slices.SortFunc(list, func(a, b *wanted) int { return strings.Compare(a.For[0], b.For[0]) })
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "\t")
		must(e.Encode(list))
		must(os.WriteFile(filepath.Join(lettersDir, kind, "want.json"), b.Bytes(), 0o644))
	}
}
