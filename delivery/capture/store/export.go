package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Export writes each kept message, as it came, to a file in dir, oldest first.
func (s *Store[N]) Export(ctx context.Context, dir string) (int, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	s.mu.Lock()
	es := slices.Clone(s.entries)
	s.mu.Unlock()
	n := 0
	for _, e := range es {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		env, body, err := s.Load(e)
		if errors.Is(err, ErrNoEntry) {
			continue // dropped meanwhile
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, e.FileName(env)), body, 0o600)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// FileName is a number and the first recipient, in letters that mean nothing to any file system.
func (e *Entry[N]) FileName(env Envelope) string {
	to := ""
	if len(env.To) > 0 {
		to = "-" + env.To[0]
	}
	to = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.@+", c) {
			return c
		}
		return '_'
	}, to)
	return fmt.Sprintf("%06d%.100s.eml", e.seq, to)
}
