package lanes

import (
	"fmt"
	"os"
)

const blockSize = 4096

// file is the spill file: blocks of one size, unlinked as soon as it is made, so that no crash leaves it behind.
type file struct {
	dir    string
	f      *os.File // nil until the first block is written
	blocks uint32   // how many the file has
	free   []uint32 // those that no chain holds
}

func (f *file) open() error {
	if f.f != nil {
		return nil
	}
	made, err := os.CreateTemp(f.dir, ".spill-*") // 0600
	if err != nil {
		return fmt.Errorf("spill file: %w", err)
	}
	if err := os.Remove(made.Name()); err != nil {
		return fmt.Errorf("spill file: %w", closing(made, err))
	}
	f.f = made
	return nil
}

func closing(f *os.File, err error) error {
	_ = f.Close() // the first fault is the one to tell
	return err
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}

// alloc gives a block, a freed one first.
func (f *file) alloc() (uint32, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	if n := len(f.free); n > 0 {
		b := f.free[n-1]
		f.free = f.free[:n-1]
		return b, nil
	}
	f.blocks++
	return f.blocks - 1, nil
}

// release takes a block back. When none is in use any more the file's room goes back to the disk.
func (f *file) release(b uint32) error {
	f.free = append(f.free, b)
	if len(f.free) < int(f.blocks) {
		return nil
	}
	f.free, f.blocks = nil, 0
	if err := f.f.Truncate(0); err != nil {
		return fmt.Errorf("spill file: %w", err)
	}
	return nil
}

func (f *file) write(b uint32, off int, p []byte) error {
	if _, err := f.f.WriteAt(p, int64(b)*blockSize+int64(off)); err != nil {
		return fmt.Errorf("spill file: %w", err)
	}
	return nil
}

func (f *file) read(b uint32, off int, p []byte) error {
	if _, err := f.f.ReadAt(p, int64(b)*blockSize+int64(off)); err != nil {
		return fmt.Errorf("spill file: %w", err)
	}
	return nil
}
