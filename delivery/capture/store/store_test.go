package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

func open(t *testing.T, keep int) *Store[string] {
	t.Helper()
	s, err := New[string](t.TempDir(), keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func fill(t *testing.T, s *Store[string], n int) {
	t.Helper()
	for i := range n {
		if err := s.Add(Envelope{From: "a@acme.example", To: []string{"b@acme.example"}}, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
}

// Dropping the oldest frees disk in time: a file goes with the last message in it.
func TestFilesGoWithTheirMessages(t *testing.T) {
	s := open(t, 10)
	fill(t, s, 35)
	files := map[*segment]bool{s.cur: true}
	for _, e := range s.entries {
		files[e.seg] = true
	}
	if len(files) > segmentShare+2 || s.files <= len(files) {
		t.Errorf("%d of %d files are open", len(files), s.files)
	}
	var got []string
	for _, e := range s.List(0, 100) {
		_, body, err := s.Load(e)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(body))
	}
	if want := []string{"34", "33", "32", "31", "30", "29", "28", "27", "26", "25"}; !slices.Equal(got, want) {
		t.Errorf("kept %v", got)
	}
}

// An entry that somebody still holds when its message is dropped is told to be gone.
func TestDroppedEntry(t *testing.T) {
	s := open(t, 2)
	fill(t, s, 1)
	e, err := s.Find("latest")
	if err != nil {
		t.Fatal(err)
	}
	note := "seen"
	s.Note(e, &note)
	if n, read := s.Noted(e); n == nil || *n != "seen" || read {
		t.Errorf("noted %v, read %v", n, read)
	}
	fill(t, s, 2)
	if _, _, err := s.Load(e); !errors.Is(err, ErrNoEntry) {
		t.Errorf("load: %v", err)
	}
	s.SetRead(e)
	if total, unread := s.Counts(); total != 2 || unread != 2 {
		t.Errorf("%d kept, %d unread", total, unread)
	}
}

func TestClose(t *testing.T) {
	s := open(t, 2)
	fill(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("directory: %v", err)
	}
	if err := s.Add(Envelope{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("add: %v", err)
	}
}
