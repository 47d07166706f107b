// Package store keeps the last messages of a capture server in files that have no name:
//
//  1. Add appends a message, as it came, to the current file; a full file is followed by a new one;
//  2. beyond the number to keep the oldest is dropped, and a file goes with its last message;
//  3. Load reads one message back, without holding up those that add;
//  4. Note keeps what was made of a message for as long as the message is there.
//
// The mail is gone with the process, however that ends.
package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

var (
	// ErrClosed is what Add gives after Close.
	ErrClosed = errors.New("the store is closed")
	// ErrNoEntry tells of a message that is not there, or no more.
	ErrNoEntry = errors.New("no such message")
)

// Envelope is what was said in MAIL and RCPT, without angle brackets.
type Envelope struct {
	From string   `json:"from"`
	To   []string `json:"to"`
}

// Entry is a message's place. It is written once; read, gone and note are guarded by the store's mutex.
type Entry[N any] struct {
	seq  uint64
	seg  *segment
	off  int64     // of the envelope; the message follows it
	env  int       // octets of the envelope
	Size int       // octets
	At   time.Time // when it came
	read bool
	gone bool // dropped: its place is no longer read
	note *N   // once somebody noted it
}

// Store keeps the last messages, and an N of each that was looked at, in append-only files, in the order they came.
// Its mutex is held for memory work and buffered writes only.
type Store[N any] struct {
	mu      sync.Mutex
	dir     string
	keep    int
	prefix  string // tells a page of an earlier server that its IDs are not ours
	entries []*Entry[N]
	next    uint64
	deleted int64
	bytes   int64
	unread  int
	cur     *segment
	w       *bufio.Writer
	files   int
	closed  bool
}

// New makes a store in a directory of its own below parent; an empty parent is the system's place for temporary files.
func New[N any](parent string, keep int) (*Store[N], error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	dir, err := os.MkdirTemp(parent, "mailblast-capture-") // 0700
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	prefix := strconv.FormatInt(time.Now().UnixMilli(), 36)
	return &Store[N]{dir: dir, keep: keep, prefix: prefix + "-", next: 1}, nil
}

// ID names an entry for the API; those of an earlier server are never found.
func (s *Store[N]) ID(e *Entry[N]) string { return s.prefix + strconv.FormatUint(e.seq, 10) }

// Add appends a message and drops the oldest beyond keep.
func (s *Store[N]) Add(env Envelope, body []byte) error {
	head, err := json.Marshal(env)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.room(); err != nil {
		return err
	}
	e := &Entry[N]{seq: s.next, seg: s.cur, off: s.cur.size, env: len(head), Size: len(body), At: time.Now()}
	for _, b := range [][]byte{head, body} {
		if _, err := s.w.Write(b); err != nil {
			s.retire() // a bufio.Writer stays broken: go on in a new file
			return fmt.Errorf("store: %w", err)
		}
	}
	s.next++
	s.unread++
	s.bytes += int64(len(body))
	s.cur.size += int64(len(head) + len(body))
	s.cur.n++
	s.cur.refs++
	s.entries = append(s.entries, e)
	if len(s.entries) > s.keep {
		s.drop(s.entries[0])
		s.entries[0] = nil
		s.entries = s.entries[1:]
	}
	return nil
}

func (s *Store[N]) drop(e *Entry[N]) {
	e.gone = true
	s.bytes -= int64(e.Size)
	if !e.read {
		s.unread--
	}
	e.seg.release()
}

// Len is how many messages are kept.
func (s *Store[N]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// Counts gives how many messages are kept, and how many of them nobody has read.
func (s *Store[N]) Counts() (total, unread int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), s.unread
}

// Usage is the size of the messages that are kept, and how many were deleted on demand.
func (s *Store[N]) Usage() (size, deleted int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, s.deleted
}

// Noted gives what was noted of a message, nil for nothing, and whether it was read.
func (s *Store[N]) Noted(e *Entry[N]) (note *N, read bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.note, e.read
}

// Note keeps what was made of a message.
func (s *Store[N]) Note(e *Entry[N], note *N) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.note = note
}

// SetRead marks a message as read.
func (s *Store[N]) SetRead(e *Entry[N]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.read && !e.gone {
		e.read = true
		s.unread--
	}
}

// List gives up to limit entries, newest first, from the start-th on.
func (s *Store[N]) List(start, limit int) []*Entry[N] {
	s.mu.Lock()
	defer s.mu.Unlock()
	var es []*Entry[N]
	for i := len(s.entries) - 1 - start; i >= 0 && len(es) < limit; i-- {
		es = append(es, s.entries[i])
	}
	return es
}

// Find gives the entry of an ID, or of "latest".
func (s *Store[N]) Find(id string) (*Entry[N], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "latest" && len(s.entries) > 0 {
		return s.entries[len(s.entries)-1], nil
	}
	i, ok := s.index(id)
	if !ok {
		return nil, ErrNoEntry
	}
	return s.entries[i], nil
}

func (s *Store[N]) index(id string) (int, bool) {
	if len(id) <= len(s.prefix) || id[:len(s.prefix)] != s.prefix {
		return 0, false
	}
	seq, err := strconv.ParseUint(id[len(s.prefix):], 10, 64)
	if err != nil {
		return 0, false
	}
	return slices.BinarySearchFunc(s.entries, seq, func(e *Entry[N], seq uint64) int {
		return int(int64(e.seq) - int64(seq))
	})
}

// Load reads a message from its file. The mutex is not held meanwhile.
func (s *Store[N]) Load(e *Entry[N]) (Envelope, []byte, error) {
	s.mu.Lock()
	if s.closed || e.gone {
		s.mu.Unlock()
		return Envelope{}, nil, ErrNoEntry
	}
	if e.seg == s.cur {
		if err := s.flush(); err != nil {
			s.mu.Unlock()
			return Envelope{}, nil, err
		}
	}
	e.seg.refs++
	s.mu.Unlock()
	b := make([]byte, e.env+e.Size)
	_, err := e.seg.f.ReadAt(b, e.off)
	s.mu.Lock()
	e.seg.release()
	s.mu.Unlock()
	if err != nil {
		return Envelope{}, nil, fmt.Errorf("store: %w", err)
	}
	var env Envelope
	if err := json.Unmarshal(b[:e.env], &env); err != nil {
		return Envelope{}, nil, fmt.Errorf("store: envelope: %w", err)
	}
	return env, b[e.env:], nil
}

// Remove drops these messages; none given means all. IDs that are not there are no fault.
func (s *Store[N]) Remove(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := make(map[*Entry[N]]bool, len(ids))
	for _, id := range ids {
		if i, ok := s.index(id); ok {
			gone[s.entries[i]] = true
		}
	}
	s.entries = slices.DeleteFunc(s.entries, func(e *Entry[N]) bool {
		if len(ids) > 0 && !gone[e] {
			return false
		}
		s.drop(e)
		s.deleted++
		return true
	})
}

// Close drops everything; a second call does nothing.
func (s *Store[N]) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for _, e := range s.entries {
		e.seg.release()
	}
	s.entries = nil
	s.retire()
	return os.RemoveAll(s.dir)
}
