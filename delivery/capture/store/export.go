package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Export writes each kept message, as it came, to a file in dir, oldest first. A file of that name gives way to a new one.
func (s *Store[N]) Export(ctx context.Context, dir string) (n int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	s.mu.Lock()
	es := slices.Clone(s.entries)
	s.mu.Unlock()
	for _, e := range es {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		env, body, err := s.Load(e)
		if errors.Is(err, ErrNoEntry) {
			continue // dropped meanwhile
		}
		if err == nil {
			err = replace(root, e.FileName(env), body)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// replace writes a file that nobody else can read and nobody has put there.
func replace(root *os.Root, name string, body []byte) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Close())
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
