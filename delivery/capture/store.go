package capture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	errClosed  = errors.New("the store is closed")
	errNoEntry = errors.New("no such message")
)

// envelope is what was said in MAIL and RCPT, without angle brackets.
type envelope struct {
	From string   `json:"from"`
	To   []string `json:"to"`
}

// entry is a message's place. It is written once; read, and summary are guarded by the store's mutex.
type entry struct {
	seq  uint64
	seg  *segment
	off  int64 // of the envelope; the message follows it
	env  int   // octets of the envelope
	size int
	at   time.Time
	read bool
	gone bool     // dropped: its place is no longer read
	sum  *summary // once it was listed
}

// segment is one append-only file. It goes when nothing in it is kept and nobody reads it.
type segment struct {
	f    *os.File
	refs int // entries, readers, and being written
	size int64
	n    int
}

const (
	segmentBytes = 64 << 20
	segmentShare = 4 // a segment has at most this part of Keep, so that dropping frees disk in time
	bufferSize   = 256 << 10
)

// store keeps the last messages in append-only files, in the order they came. Its mutex is held for memory work and
// buffered writes only.
type store struct {
	mu      sync.Mutex
	dir     string
	keep    int
	prefix  string // tells a page of an earlier server that its IDs are not ours
	entries []*entry
	next    uint64
	deleted int64
	bytes   int64
	unread  int
	cur     *segment
	w       *bufio.Writer
	files   int
	closed  bool
}

func newStore(parent string, keep int) (*store, error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return nil, fmt.Errorf("capture: store: %w", err)
		}
	}
	dir, err := os.MkdirTemp(parent, "mailblast-capture-") // 0700
	if err != nil {
		return nil, fmt.Errorf("capture: store: %w", err)
	}
	prefix := strconv.FormatInt(time.Now().UnixMilli(), 36)
	return &store{dir: dir, keep: keep, prefix: prefix + "-", next: 1}, nil
}

func (s *store) id(e *entry) string { return s.prefix + strconv.FormatUint(e.seq, 10) }

// add appends a message and drops the oldest beyond keep.
func (s *store) add(env envelope, body []byte) error {
	head, err := json.Marshal(env)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := s.room(); err != nil {
		return err
	}
	e := &entry{seq: s.next, seg: s.cur, off: s.cur.size, env: len(head), size: len(body), at: time.Now()}
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

// room makes sure that there is a file to write to.
func (s *store) room() error {
	if s.cur != nil && s.cur.size < segmentBytes && s.cur.n <= s.keep/segmentShare {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.retire()
	s.files++
	f, err := os.OpenFile(filepath.Join(s.dir, strconv.Itoa(s.files)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	// Without a name the mail is gone with the process, however that ends. Where an open file cannot be removed, the
	// directory is at Close.
	_ = os.Remove(f.Name())
	s.cur = &segment{f: f, refs: 1}
	s.w = bufio.NewWriterSize(f, bufferSize)
	return nil
}

func (s *store) retire() {
	if s.cur != nil {
		s.cur.release()
		s.cur, s.w = nil, nil
	}
}

func (s *store) flush() error {
	if s.w == nil {
		return nil
	}
	if err := s.w.Flush(); err != nil {
		s.retire()
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *store) drop(e *entry) {
	e.gone = true
	s.bytes -= int64(e.size)
	if !e.read {
		s.unread--
	}
	e.seg.release()
}

func (g *segment) release() {
	g.refs--
	if g.refs == 0 {
		_ = g.f.Close() // it has no name any more: nothing can be lost by it
	}
}

func (s *store) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

func (s *store) counts() (total, unread int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), s.unread
}

// usage is the size of the messages that are kept, and how many were deleted on demand.
func (s *store) usage() (size, deleted int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, s.deleted
}

func (s *store) listed(e *entry) (*summary, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.sum, e.read
}

func (s *store) setListed(e *entry, sum *summary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.sum = sum
}

func (s *store) setRead(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.read && !e.gone {
		e.read = true
		s.unread--
	}
}

// list gives up to limit entries, newest first, from the start-th on.
func (s *store) list(start, limit int) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var es []*entry
	for i := len(s.entries) - 1 - start; i >= 0 && len(es) < limit; i-- {
		es = append(es, s.entries[i])
	}
	return es
}

// find gives the entry of an ID, or of "latest".
func (s *store) find(id string) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "latest" && len(s.entries) > 0 {
		return s.entries[len(s.entries)-1], nil
	}
	i, ok := s.index(id)
	if !ok {
		return nil, errNoEntry
	}
	return s.entries[i], nil
}

func (s *store) index(id string) (int, bool) {
	if len(id) <= len(s.prefix) || id[:len(s.prefix)] != s.prefix {
		return 0, false
	}
	seq, err := strconv.ParseUint(id[len(s.prefix):], 10, 64)
	if err != nil {
		return 0, false
	}
	return slices.BinarySearchFunc(s.entries, seq, func(e *entry, seq uint64) int {
		return int(int64(e.seq) - int64(seq))
	})
}

// load reads a message from its file. The mutex is not held meanwhile.
func (s *store) load(e *entry) (envelope, []byte, error) {
	s.mu.Lock()
	if s.closed || e.gone {
		s.mu.Unlock()
		return envelope{}, nil, errNoEntry
	}
	if e.seg == s.cur {
		if err := s.flush(); err != nil {
			s.mu.Unlock()
			return envelope{}, nil, err
		}
	}
	e.seg.refs++
	s.mu.Unlock()
	b := make([]byte, e.env+e.size)
	_, err := e.seg.f.ReadAt(b, e.off)
	s.mu.Lock()
	e.seg.release()
	s.mu.Unlock()
	if err != nil {
		return envelope{}, nil, fmt.Errorf("store: %w", err)
	}
	var env envelope
	if err := json.Unmarshal(b[:e.env], &env); err != nil {
		return envelope{}, nil, fmt.Errorf("store: envelope: %w", err)
	}
	return env, b[e.env:], nil
}

// remove drops these messages; none given means all. IDs that are not there are no fault.
func (s *store) remove(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := make(map[*entry]bool, len(ids))
	for _, id := range ids {
		if i, ok := s.index(id); ok {
			gone[s.entries[i]] = true
		}
	}
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
		if len(ids) > 0 && !gone[e] {
			return false
		}
		s.drop(e)
		s.deleted++
		return true
	})
}

func (s *store) close() error {
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

// export writes each kept message, as it came, to a file in dir, oldest first.
func (s *store) export(ctx context.Context, dir string) (int, error) {
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
		env, body, err := s.load(e)
		if errors.Is(err, errNoEntry) {
			continue // dropped meanwhile
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fileName(e.seq, env)), body, 0o600)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// fileName is a number and the first recipient, in letters that mean nothing to any file system.
func fileName(seq uint64, env envelope) string {
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
	return fmt.Sprintf("%06d%.100s.eml", seq, to)
}
