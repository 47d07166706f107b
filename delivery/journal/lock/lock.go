// Package lock keeps two processes from carrying on the same campaign, and tells who is at it:
//
//  1. Take locks the campaign's file in the state directory, without waiting, and writes who holds it into the file;
//  2. the system gives the lock back when the process ends, in whatever way; Release does so in good time;
//  3. Peek reads the holder, and believes it only while the lock is really held;
//  4. Alone takes all campaigns of a directory at once, for what no run may meet; Share keeps it away for as long as a short write
//     takes, beside any run.
package lock

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Holder says which process carries a run on.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Start time.Time `json:"start"`
	Run   string    `json:"run"`
	Doing string    `json:"doing,omitempty"` // what else is done with the run or the directory, such as "purged"; empty: it is sent
}

// HeldError says that another process carries the run on.
type HeldError struct{ Holder Holder }

func (e *HeldError) Error() string {
	h := e.Holder
	if h.PID == 0 && h.Doing != "" {
		return "the state directory is being " + h.Doing + " by another process"
	}
	if h.PID == 0 {
		return "another process is at this run"
	}
	if h.Run == "" && h.Doing != "" {
		return fmt.Sprintf("the state directory is being %s by process %d on %s since %s", h.Doing, h.PID, h.Host, h.Start.Format(time.DateTime))
	}
	if h.Run == "" {
		return fmt.Sprintf("process %d on %s has the state directory to itself since %s", h.PID, h.Host, h.Start.Format(time.DateTime))
	}
	return fmt.Sprintf("%s is being %s by process %d on %s since %s", h.Run, cmp.Or(h.Doing, "sent"), h.PID, h.Host, h.Start.Format(time.DateTime))
}

var errHeld = errors.New("held by another process")

// Held is a lock until Release, or until the process ends in whatever way.
type Held struct{ file, shared *os.File }

// Take takes the lock of a run in a state directory. It does not wait; the error is *HeldError when another process
// has it. The file is never unlinked: two processes could then lock two files of one name.
func Take(ctx context.Context, dir, run string, me Holder) (*Held, error) {
	path := lockFile(dir, run)
	shared, err := share(ctx, dir)
	if err != nil {
		return nil, err
	}
	held, err := take(ctx, dir, path, run, me)
	if err != nil {
		return nil, errors.Join(err, shared.Close())
	}
	held.shared = shared
	return held, nil
}

// Share keeps away whoever wants to be alone, and nobody else, until the file is closed or the process ends. It is for short writes
// to the state directory, which may be done beside runs. It does not wait; the error is *HeldError when another process is alone.
func Share(ctx context.Context, dir string) (io.Closer, error) {
	f, err := share(ctx, dir)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func share(ctx context.Context, dir string) (*os.File, error) {
	f, err := openLock(dir, filepath.Join(dir, "locks", common+".lock"))
	if err != nil {
		return nil, err
	}
	if err := patiently(ctx, f, false); err != nil {
		holder, _ := readHolder(f) // without it the message says less
		if errors.Is(err, errHeld) {
			return nil, errors.Join(&HeldError{holder}, f.Close())
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

func openLock(dir, path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := CheckOwner(dir); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

func take(ctx context.Context, dir, path, run string, me Holder) (*Held, error) {
	f, err := openLock(dir, path)
	if err != nil {
		return nil, err
	}
	if err := patiently(ctx, f, true); err != nil {
		holder, _ := readHolder(f) // without it the message says less
		if errors.Is(err, errHeld) {
			return nil, errors.Join(&HeldError{holder}, f.Close())
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if me.Run == "" {
		me.Run = run
	}
	text, err := json.Marshal(me)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return &Held{file: f}, nil
}

// patiently tries a few times: a Peek at what a killed process left may hold the lock for an instant.
func patiently(ctx context.Context, f *os.File, exclusive bool) error {
	for try := 0; ; try++ {
		err := flock(f, exclusive)
		if !errors.Is(err, errHeld) || try == 3 {
			return err
		}
		t := time.NewTimer(10 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// Release empties the file and gives the lock back.
func (h *Held) Release() error {
	errs := []error{h.file.Truncate(0), h.file.Close()}
	if h.shared != nil {
		errs = append(errs, h.shared.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

// Peek tells who carries a run on, without taking part.
func Peek(dir, run string) (Holder, bool, error) {
	return peek(lockFile(dir, run))
}

func peek(path string) (Holder, bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, fmt.Errorf("lock: %w", err)
	}
	defer func() { _ = f.Close() }()
	holder, err := readHolder(f)
	if err != nil { // released, or about to be taken
		return Holder{}, false, nil
	}
	switch err := flock(f, false); {
	case errors.Is(err, errHeld):
		return holder, true, nil
	case err != nil:
		return Holder{}, false, fmt.Errorf("lock: %w", err)
	}
	return Holder{}, false, nil // its process died
}

func readHolder(f *os.File) (h Holder, err error) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}

// lockFile names the file of a run; a run's key may hold anything.
func lockFile(dir, run string) string {
	var b strings.Builder
	for _, c := range []byte(run) {
		if c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return filepath.Join(dir, "locks", b.String()+".lock")
}
