package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// screenful is a terminal that can be read while it is written to.
type screenful struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screenful) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screenful) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Ctrl-C while letters are written: those that are there are whole, and a terminal has seen them being counted.
func TestPreviewOutInterrupted(t *testing.T) {
	t.Parallel()
	list := strings.Builder{}
	list.WriteString("email,name\n")
	for i := range 200_000 {
		fmt.Fprintf(&list, "p%d@x.test,P%d\n", i, i)
	}
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + "smtp: capture\n", "list.csv": list.String(), "letter.txt": "Dear {{ .name }}\n\nThe end.\n"})
	out, signals, term := filepath.Join(s.dir, "letters"), make(chan os.Signal, 1), &screenful{}
	var said bytes.Buffer
	e := &env{args: []string{"preview", filepath.Join(s.dir, "campaign.yaml"), "--out", out}, in: strings.NewReader(""), out: &said, err: term,
		errTTY: true, now: time.Now, signals: signals, lookup: func(string) (string, bool) { return "", false }}
	code := make(chan int)
	go func() { code <- e.main() }()
	counted, deadline := regexp.MustCompile(`\r[1-9][0-9,]* letters of 200,000 rows`), time.After(3*patience)
	for tick := time.Tick(10 * time.Millisecond); !counted.MatchString(term.String()); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("nothing was counted: %q", term)
		}
	}
	signals <- os.Interrupt
	if got := <-code; got != exitInterrupted || !strings.HasSuffix(term.String(), "\r\x1b[Kmailblast: interrupted\n") {
		t.Errorf("exit code %d, %q", got, term)
	}
	files, err := filepath.Glob(filepath.Join(out, "*.eml"))
	if err != nil || len(files) == 0 || len(files) == 200_000 || !strings.Contains(said.String(), " in "+out) {
		t.Fatalf("%d letters, %v, %q", len(files), err, &said)
	}
	for _, name := range files {
		if b, err := os.ReadFile(name); err != nil || !bytes.Contains(b, []byte("The end.")) {
			t.Fatalf("%s: %q, %v", name, b, err)
		}
	}
}
