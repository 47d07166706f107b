package image

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const (
	walHeader   = 32 // §4.1
	frameHeader = 24
	walMagic    = 0x377f0682 // the lowest bit: checksums are big-endian
)

// walLog is what a write-ahead log has to add.
type walLog struct {
	size  int64 // of a page; 0: there is no log
	pages uint32
	log   map[uint32]int64
	rest  int64
}

// readLog reads a log as far as its checksums hold, up to the last commit (§4.3).
func readLog(f *os.File, length int64) (w walLog, err error) {
	if f == nil || length == 0 {
		return w, nil
	}
	w.rest = length
	in := io.NewSectionReader(f, 0, length)
	var head [walHeader]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return w, tail(err)
	}
	magic := binary.BigEndian.Uint32(head[:])
	c := chain{order: binary.LittleEndian}
	if magic&1 != 0 {
		c.order = binary.BigEndian
	}
	c.add(head[:24])
	size := pageSize(binary.BigEndian.Uint32(head[8:]))
	if magic&^1 != walMagic || size == 0 || !c.is(head[24:]) {
		return w, nil
	}
	w.size, w.log = size, map[uint32]int64{}
	return w, w.frames(in, &c, head[16:24])
}

func (w *walLog) frames(in io.Reader, c *chain, salts []byte) error {
	pending := map[uint32]int64{}
	frame := make([]byte, frameHeader+w.size)
	for at, length := int64(walHeader), w.rest; ; at += int64(len(frame)) {
		if at == walHeader {
			w.rest = length - at
		}
		if _, err := io.ReadFull(in, frame); err != nil {
			return tail(err)
		}
		c.add(frame[:8])
		c.add(frame[frameHeader:])
		page, commit := binary.BigEndian.Uint32(frame), binary.BigEndian.Uint32(frame[4:])
		if page == 0 || string(frame[8:16]) != string(salts) || !c.is(frame[16:frameHeader]) {
			return nil
		}
		pending[page] = at + frameHeader
		if commit == 0 {
			continue
		}
		for n, where := range pending {
			w.log[n] = where
		}
		clear(pending)
		w.pages, w.rest = commit, length-at-int64(len(frame))
	}
}

// tail is the end of a log that is cut.
func tail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// chain is the running checksum of a log (§4.2).
type chain struct {
	order binary.ByteOrder
	a, b  uint32
}

func (c *chain) add(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		c.a += c.order.Uint32(p) + c.b
		c.b += c.order.Uint32(p[4:]) + c.a
	}
}

func (c *chain) is(sum []byte) bool {
	return binary.BigEndian.Uint32(sum) == c.a && binary.BigEndian.Uint32(sum[4:]) == c.b
}
