package cmd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// store is where a run remembers: the state directory, or for a rehearsal a directory that ends with it.
type store struct {
	book   *journal.Book
	o      journal.Options // the book's
	trial  bool            // the book is a copy in which a start over is tried
	secret []byte
	unkept string // the file that the secret is not in yet; empty: it is, or needs none
	temp   string // for the row store, spilled messages and large attachments
	undo   []func() error
}

// openStore opens the state of a campaign. A rehearsal leaves it alone, and so does what is to start over, until swap.
func openStore(ctx context.Context, c *campaign.Campaign, rehearsal bool, o journal.Options) (s *store, err error) {
	s = &store{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if rehearsal {
		if s.temp, err = os.MkdirTemp("", "mailblast-"); err != nil {
			return s, failf(exitIO, "%w", err)
		}
		s.undo = append(s.undo, func() error { return os.RemoveAll(s.temp) })
		s.book, err = journal.OpenTemp(ctx, s.temp, o.Log)
	} else {
		if err := makeState(c.State); err != nil {
			return s, err
		}
		s.temp = filepath.Join(c.State, "tmp")
		if err := os.MkdirAll(s.temp, 0o700); err != nil {
			return s, failf(exitIO, "%w", err)
		}
		if kind := lock.Network(c.State); kind != "" && o.Log != nil {
			o.Log.Warn(farAway(c.State, kind))
		}
		o.Dir, o.Connections = c.State, c.Connections
		open := journal.Open
		if s.o, s.trial = o, o.StartOver; s.trial {
			open = journal.OpenTrial
		}
		s.book, err = open(ctx, o)
	}
	if err != nil {
		return s, stateFault(err)
	}
	s.undo = append(s.undo, func() error { return s.book.Close() })
	var made bool
	if s.secret, made, err = secret(c, rehearsal); made && !rehearsal {
		s.unkept = secretFile(c)
	}
	return s, err
}

// orphan tells that the secret is new beside a journal that has runs: theirs is lost.
func (s *store) orphan(ctx context.Context) (bool, error) {
	if s.unkept == "" {
		return false, nil
	}
	runs, err := s.book.Runs(ctx, "", 1)
	return len(runs) > 0, stateFaultOrNil(err)
}

// keepSecret writes the secret to its file, before the first run that rests on it. Where another process was quicker, the secret is
// that one's.
func (s *store) keepSecret() error {
	if s.unkept == "" {
		return nil
	}
	made, err := create(s.unkept, append(bytes.Clone(s.secret), '\n'), 0o600)
	if err != nil {
		return failf(exitIO, "%w", err)
	}
	if !made {
		if s.secret, err = kept(s.unkept, false); err != nil {
			return err
		}
	}
	s.unkept = ""
	return nil
}

// swap opens a trial in place of the journal, or the journal in place of a trial.
func (s *store) swap(ctx context.Context) error {
	open := journal.OpenTrial
	if s.trial {
		open = journal.Open
	}
	if err := s.book.Close(); err != nil {
		return stateFault(err)
	}
	book, err := open(ctx, s.o)
	if err != nil {
		return stateFault(err)
	}
	s.book, s.trial = book, !s.trial
	return nil
}

// farAway warns of a state directory on a network file system, where a lock may hold on one machine only.
func farAway(dir, kind string) string {
	return fmt.Sprintf("%s is on a network file system (%s), where two machines may not see each other's lock; better on a disk of this machine: state: DIR", dir, kind)
}

// stateFault is trouble with the journal, which is a place to write to unless it knows better.
func stateFault(err error) error {
	if f := judge(err); f.code != exitBug || errors.As(err, new(*panicked.Error)) {
		return f
	}
	return failf(exitIO, "%w", err).hinted("look at the disk and at who may write to the state directory, then run again")
}

func (s *store) close() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i]())
	}
	s.undo = nil
	return errors.Join(errs...)
}

// ours refuses a state directory that belongs to somebody else or that others can write to, and one with a symbolic link in it:
// what is written there, and made private, would be another file.
func ours(dir string) error {
	if err := lock.CheckOwner(dir); err != nil {
		return failf(exitIO, "%w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return failf(exitIO, "%w", err)
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink != 0 {
			return failf(exitIO, "%s: it is a symbolic link, which the state directory must not have", filepath.Join(dir, e.Name())).
				hinted("remove it; the directory itself may be a link, or lie elsewhere: state: DIR")
		}
	}
	return nil
}

// secret gives what every Message-ID and token is derived from: the campaign's own, the one of the state directory, or a new one,
// which is in no file yet.
func secret(c *campaign.Campaign, rehearsal bool) (text []byte, made bool, err error) {
	if !c.Secret.Empty() {
		return []byte(c.Secret.Reveal()), false, nil
	}
	b, err := kept(secretFile(c), rehearsal)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, false, err
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, false, err
	}
	return hex.AppendEncode(nil, raw), true, nil
}

func secretFile(c *campaign.Campaign) string { return filepath.Join(c.State, "secret") }

// kept reads the secret of the state directory, and takes it from the sight of others; a rehearsal changes nothing. The error
// is fs.ErrNotExist when there is none.
func kept(path string, rehearsal bool) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, failf(exitIO, "%w", err)
	case !info.Mode().IsRegular():
		return nil, failf(exitIO, "%s: it is not a regular file", path).hinted("remove it, or write secret: ${VAR} into the campaign")
	}
	if info.Mode().Perm()&0o077 != 0 && !rehearsal {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, failf(exitIO, "%w", err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	if b = []byte(strings.TrimSpace(string(b))); len(b) < 16 {
		return nil, failf(exitData, "%s: the secret is shorter than 16 characters", path).hinted("restore it from a backup; a new one changes every Message-ID")
	}
	return b, nil
}

// lock takes the campaign's lock, so that it is never sent by two at once.
func (e *env) lock(ctx context.Context, c *campaign.Campaign, run string) (*lock.Held, error) {
	name := c.Name
	if run != "" {
		name += "/" + run
	}
	held, err := lock.Take(ctx, c.State, c.Name, lock.Holder{PID: e.pid, Host: e.host, Start: e.now(), Run: name})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	return held, nil
}
