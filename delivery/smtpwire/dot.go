package smtpwire

import "bytes"

// DotWriter lays out a message for DATA (RFC 5321 §4.5.2). It never emits a bare CR or LF, whatever it is given: each
// becomes a line end, so that no server can see an end of message where there is none.
type DotWriter struct {
	w       *Writer
	cr      bool // the last octet given was a CR, and its line end is out
	midLine bool
	left    bool
}

// Dot begins a message on w.
func (w *Writer) Dot() *DotWriter { return &DotWriter{w: w} }

// Err gives the error of the connection underneath, if a write failed.
func (d *DotWriter) Err() error { return d.w.err }

// Left tells whether octets of the final dot have been handed to the kernel. From then on, and without a reply, nobody
// can know whether the peer has taken the message.
func (d *DotWriter) Left() bool { return d.left }

// Write appends p and writes full buffers out.
func (d *DotWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if d.cr {
			d.cr = false
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		i := bytes.IndexByte(p, '\n')
		line := p
		if i >= 0 {
			line = p[:i]
		}
		if len(line) > bufferSize {
			line, i = line[:bufferSize], -1
		}
		p = p[d.line(line, i >= 0):]
		if err := d.spill(); err != nil {
			return total - len(p), err
		}
	}
	return total, nil
}

// line appends what comes before the next line end, and that line end as CRLF. lf tells that an LF follows. It returns
// how many octets of the input were used.
func (d *DotWriter) line(line []byte, lf bool) int {
	used := len(line)
	end := lf
	if lf {
		used++
	}
	if cr := bytes.IndexByte(line, '\r'); cr >= 0 {
		if !lf || cr < len(line)-1 {
			used = cr + 1
			d.cr = true
		}
		line, end = line[:cr], true
	}
	if !d.midLine && len(line) > 0 && line[0] == '.' {
		d.w.buf = append(d.w.buf, '.')
	}
	d.w.buf = append(d.w.buf, line...)
	d.midLine = !end && (d.midLine || len(line) > 0)
	if end {
		d.w.buf = append(d.w.buf, '\r', '\n')
	}
	return used
}

// spill writes full buffers, keeping memory flat whatever the body's size.
func (d *DotWriter) spill() error {
	if len(d.w.buf) < bufferSize {
		return d.w.err
	}
	_, err := d.w.flush()
	return err
}

// Close ends the message: the rest of the body and the final dot go out in one write.
func (d *DotWriter) Close() error {
	if d.midLine {
		d.w.buf = append(d.w.buf, '\r', '\n')
		d.midLine = false
	}
	body := len(d.w.buf)
	d.w.buf = append(d.w.buf, '.', '\r', '\n')
	n, err := d.w.flush()
	d.left = n > body
	return err
}
