package files

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"sync"
)

// digest is a hash, cut to what still makes chance collisions impossible.
type digest [16]byte

func digestOf(b []byte) digest { return digest(b[:len(digest{})]) }

// absent stands for a file that was not there.
var absent digest

// pins is a hash table on disk: what each path was when it was first used. A record is the hash of the path and that of the
// content; a free one is zero. It lies in the bucket that its path's hash names or, when that is full, in the next that is
// not.
type pins struct {
	dir     string
	mu      sync.Mutex
	file    *os.File
	buckets int64
	used    int64
	bucket  [bucketSize]byte
}

const (
	recordSize  = 32 // two digests
	records     = 32 // of a bucket
	bucketSize  = records * recordSize
	firstTable  = 64 // buckets
	unusedShare = 2  // the table is doubled when a half of it is used
)

// pin gives what a path was when it was first used. If this is its first use, that is now.
func (p *pins) pin(name string, now digest) (first digest, err error) {
	key := sha256.Sum256([]byte(name))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		if p.file, err = p.table(firstTable); err != nil {
			return first, err
		}
		p.buckets = firstTable
	}
	first, known, err := p.put(digestOf(key[:]), now)
	if err != nil || known {
		return first, err
	}
	if p.used++; p.used*unusedShare > p.buckets*records {
		err = p.grow()
	}
	return now, err
}

// table makes an empty table.
func (p *pins) table(buckets int64) (*os.File, error) {
	f, err := unnamed(p.dir, "pins-*")
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(buckets * bucketSize); err != nil {
		return nil, tempError{errors.Join(err, f.Close())}
	}
	return f, nil
}

// put finds the record of a path, or writes it.
func (p *pins) put(key, now digest) (first digest, known bool, err error) {
	for i := int64(binary.BigEndian.Uint64(key[:]) % uint64(p.buckets)); ; i = (i + 1) % p.buckets {
		at := i * bucketSize
		if _, err := p.file.ReadAt(p.bucket[:], at); err != nil {
			return first, false, tempError{err}
		}
		for r := 0; r < bucketSize; r += recordSize {
			switch digestOf(p.bucket[r:]) {
			case key:
				return digestOf(p.bucket[r+len(key):]), true, nil
			case digest{}:
				_, err := p.file.WriteAt(append(key[:], now[:]...), at+int64(r))
				if err != nil {
					err = tempError{err}
				}
				return first, false, err
			}
		}
	}
}

// grow moves all records into a table of twice the size.
func (p *pins) grow() error {
	next := pins{buckets: 2 * p.buckets}
	var err error
	if next.file, err = p.table(next.buckets); err != nil {
		return err
	}
	for at := int64(0); at < p.buckets*bucketSize && err == nil; at += bucketSize {
		err = p.move(&next, at)
	}
	if err != nil {
		return errors.Join(err, next.close())
	}
	err = p.close()
	p.file, p.buckets = next.file, next.buckets
	return err
}

// move puts the records of one bucket into another table.
func (p *pins) move(to *pins, at int64) error {
	if _, err := p.file.ReadAt(p.bucket[:], at); err != nil {
		return tempError{err}
	}
	for r := 0; r < bucketSize; r += recordSize {
		if key := digestOf(p.bucket[r:]); key != (digest{}) {
			if _, _, err := to.put(key, digestOf(p.bucket[r+len(key):])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pins) close() error {
	if p.file == nil {
		return nil
	}
	if err := p.file.Close(); err != nil {
		return tempError{err}
	}
	return nil
}
