package dialect

import (
	"bytes"
	"io"
)

// Lines gives a text whose lines end in CR alone with LF in their place.
func Lines(in io.Reader) io.Reader { return lines{in} }

type lines struct{ in io.Reader }

func (l lines) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	for b := p[:n]; ; {
		i := bytes.IndexByte(b, '\r')
		if i < 0 {
			return n, err
		}
		b[i] = '\n'
		b = b[i+1:]
	}
}
