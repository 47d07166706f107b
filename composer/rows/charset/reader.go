package charset

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// Reader decodes into UTF-8, without a byte order mark.
func (c Charset) Reader(in io.Reader) io.Reader {
	b := bufio.NewReaderSize(in, 1<<16)
	head, _ := b.Peek(4) // its error comes with the first read
	if name := marked(head); name == c.Name || name != "" && c.Name == "utf-16" {
		skip := 2
		if name == "utf-8" {
			skip = 3
		}
		if c.Name != "utf-16" { // whose decoder reads the mark
			_, _ = b.Discard(skip) // it was peeked at
		}
	}
	if c.enc == nil {
		return b
	}
	d := &decoder{in: b, src: make([]byte, 0, 1<<15), dst: make([]byte, 1<<16), dec: c.enc.NewDecoder()}
	_, d.single = c.enc.(*charmap.Charmap)
	return d
}

// decoder is transform.Reader with a mark for what is not defined. A mark is as long as the U+FFFD it replaces.
type decoder struct {
	in     io.Reader
	dec    *encoding.Decoder
	single bool   // one octet is one character
	src    []byte // read and not decoded
	dst    []byte
	out    []byte // decoded and not given
	err    error
}

var (
	unknown   = []byte("\uFFFD")
	undefined = []byte{0xff, 0xff, 0xff}
)

func (d *decoder) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil && len(d.src) == 0 {
			return 0, d.err
		}
		if err := d.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// step reads, and decodes as far as it goes.
func (d *decoder) step() error {
	if d.err == nil && len(d.src) < cap(d.src) {
		n, err := d.in.Read(d.src[len(d.src):cap(d.src)])
		d.src = d.src[:len(d.src)+n]
		d.err = err
		if err != nil && !errors.Is(err, io.EOF) {
			d.src = d.src[:0]
			return err
		}
	}
	made, used, err := d.dec.Transform(d.dst, d.src, d.err != nil)
	d.src = d.src[:copy(d.src, d.src[used:])]
	d.out = d.dst[:made]
	for i := 0; ; i += len(undefined) {
		at := bytes.Index(d.out[i:], unknown)
		if at < 0 {
			break
		}
		i += at
		copy(d.out[i:], undefined)
	}
	if d.single {
		d.noControls()
	}
	if err != nil && !errors.Is(err, transform.ErrShortSrc) && !errors.Is(err, transform.ErrShortDst) {
		return err
	}
	return nil
}

// noControls marks U+0080 to U+009F, which no text has: it is of another charset.
func (d *decoder) noControls() {
	for i := 0; i+1 < len(d.out); i++ {
		if d.out[i] == 0xc2 && d.out[i+1] < 0xa0 {
			d.out[i], d.out[i+1] = 0xff, 0xff
		}
	}
}
