package main

import (
	"bytes"
	"container/heap"
	"fmt"
	"hash/maphash"
	"log"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type conn struct {
	fd     int
	line   []byte // unfinished command line
	inData bool
	bdat   int    // bytes of the current BDAT chunk still to come
	final  bool   // the current chunk is the last
	tail   []byte // last bytes of the body seen, to find the final dot across reads
	body   []byte // only with -save
	rcpts  int
	boxes  []byte // this message's accepted recipients, one a line
	rule   *rule  // the last accepted recipient's rule, when one fired
	domain string
	msgs   int
	out    []byte
	hold   time.Duration // extra delay of the replies now in out
	due    time.Time     // when the last queued reply leaves; keeps replies in order
	closed bool
	quit   bool
}

func (c *conn) reply(s string) { c.out = append(append(c.out, s...), "\r\n"...) }

func (c *conn) command(l []byte) {
	if len(l) < 4 {
		c.reply("500 5.5.2 what?")
		return
	}
	switch string(bytes.ToUpper(l[:4])) {
	case "EHLO":
		c.out = append(c.out, "250-sink\r\n"...)
		if !*noPipe {
			c.out = append(c.out, "250-PIPELINING\r\n"...)
		}
		if *chunking {
			c.out = append(c.out, "250-CHUNKING\r\n"...)
		}
		c.reply("250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 52428800")
	case "HELO":
		c.reply("250 sink")
	case "MAIL":
		if first.IsZero() {
			first = time.Now()
		}
		c.rcpts, c.rule, c.final = 0, nil, false
		c.boxes, c.body = c.boxes[:0], c.body[:0]
		if *maxMsg > 0 && c.msgs >= *maxMsg {
			c.reply("421 4.7.0 too many messages on this connection")
			c.quit = true
			return
		}
		c.reply("250 2.1.0 ok")
	case "RCPT":
		c.rcpt(l)
	case "DATA":
		if c.rcpts == 0 {
			c.reply("554 5.5.1 no valid recipients")
			return
		}
		c.inData, c.tail, c.body = true, append(c.tail[:0], "\r\n"...), c.body[:0]
		c.reply("354 go ahead")
	case "BDAT":
		f := strings.Fields(string(l))
		n, err := 0, error(nil)
		if len(f) > 1 {
			n, err = strconv.Atoi(f[1])
		}
		if len(f) < 2 || err != nil || n < 0 {
			c.reply("501 5.5.4 bad BDAT")
			c.quit = true
			return
		}
		c.bdat, c.final = n, len(f) > 2 && strings.EqualFold(f[2], "LAST")
		if c.bdat == 0 {
			c.endOfChunk()
		}
	case "RSET", "NOOP":
		c.rcpts = 0
		c.reply("250 2.0.0 ok")
	case "QUIT":
		c.reply("221 2.0.0 bye")
		c.quit = true
	default:
		c.reply("502 5.5.1 unknown command")
	}
}

func (c *conn) rcpt(l []byte) {
	a, z := bytes.IndexByte(l, '<'), bytes.IndexByte(l, '>')
	if a < 0 || z < a {
		c.reply("501 5.1.3 bad address")
		return
	}
	box := l[a+1 : z]
	d := ""
	if len(ruleSet) > 0 || *perDom {
		d = strings.ToLower(string(box[bytes.LastIndexByte(box, '@')+1:]))
	}
	c.domain = d
	if r, ok := ruleSet[d]; ok && (r.p >= 1 || rng.Float64() < r.p) {
		switch {
		case r.drop:
			st.Dropped++
			stat(d).Dropped++
			c.quit = true
			return
		case r.rcpt >= 500:
			st.Permanent++
			stat(d).Permanent++
			c.reply(strconv.Itoa(r.rcpt) + " 5.1.1 no such user")
			return
		case r.rcpt >= 400:
			st.Temporary++
			stat(d).Temporary++
			c.reply(strconv.Itoa(r.rcpt) + " 4.2.0 try again later")
			return
		}
		c.rule = &r
	}
	c.rcpts++
	c.boxes = append(append(c.boxes, box...), '\n')
	c.reply("250 2.1.5 ok")
}

func (c *conn) endOfData() {
	c.inData = false
	if c.rule != nil && c.rule.ack > 0 {
		c.hold += c.rule.ack
	}
	c.hold += *ack
	if c.rule != nil && c.rule.data > 0 {
		if c.rule.data >= 500 {
			st.Permanent++
			stat(c.domain).Permanent++
		} else {
			st.Temporary++
			stat(c.domain).Temporary++
		}
		c.reply(strconv.Itoa(c.rule.data) + " refused")
		return
	}
	if *saveDir != "" && st.Messages < *saveMax {
		b := c.body
		if !c.final { // undo what DATA needs on the wire
			b = bytes.TrimSuffix(b, []byte(".\r\n"))
			b = bytes.TrimPrefix(bytes.ReplaceAll(append([]byte("\r\n"), b...), []byte("\r\n."), []byte("\r\n")), []byte("\r\n"))
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%05d.eml", *saveDir, st.Messages), b, 0o644); err != nil {
			log.Print(err)
		}
	}
	if rcptFile != nil {
		rcptFile.Write(c.boxes)
	}
	for b := c.boxes; len(b) > 0; {
		i := bytes.IndexByte(b, '\n')
		k := maphash.Bytes(hashSeed, b[:i])
		if _, dup := seen[k]; dup {
			st.DuplicateRecipients++
		} else {
			seen[k] = struct{}{}
		}
		b = b[i+1:]
	}
	st.Messages++
	st.Recipients += c.rcpts
	if *perDom {
		stat(c.domain).Accepted++
	}
	c.msgs++
	last = time.Now()
	c.reply("250 2.0.0 accepted")
}

func (c *conn) endOfChunk() {
	switch {
	case c.rcpts == 0:
		c.reply("554 5.5.1 no valid recipients")
	case c.final:
		c.endOfData()
	default:
		c.reply("250 2.0.0 chunk")
	}
}

// feed runs the SMTP state machine over one read.
func (c *conn) feed(b []byte) {
	for len(b) > 0 && !c.quit {
		if c.bdat > 0 {
			n := min(c.bdat, len(b))
			if *saveDir != "" && st.Messages < *saveMax {
				c.body = append(c.body, b[:n]...)
			}
			c.bdat -= n
			b = b[n:]
			if c.bdat == 0 {
				c.endOfChunk()
			}
			continue
		}
		if c.inData {
			k := len(c.tail)
			n := min(len(b), 4)
			join := append(c.tail, b[:n]...)
			end := -1
			if i := bytes.Index(join, eod); i >= 0 {
				end = i + 5 - k
			} else if i := bytes.Index(b, eod); i >= 0 {
				end = i + 5
			}
			part := b
			if end >= 0 {
				part = b[:end]
			}
			if *saveDir != "" && st.Messages < *saveMax {
				c.body = append(c.body, part...)
			}
			if end < 0 {
				if len(b) >= 4 {
					c.tail = append(c.tail[:0], b[len(b)-4:]...)
				} else {
					c.tail = append(c.tail[:0], join[max(0, len(join)-4):]...)
				}
				return
			}
			b = b[end:]
			c.endOfData()
			continue
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			c.line = append(c.line, b...)
			return
		}
		l := b[:i]
		if len(c.line) > 0 {
			c.line = append(c.line, l...)
			l = c.line
		}
		c.command(bytes.TrimSuffix(l, []byte("\r")))
		c.line = c.line[:0]
		b = b[i+1:]
	}
}

func (c *conn) close() {
	if !c.closed {
		c.closed = true
		syscall.Close(c.fd)
		delete(conns, c.fd)
	}
}

func (c *conn) write(b []byte, end bool) {
	if c.closed {
		return
	}
	for len(b) > 0 {
		st.Writes++
		n, err := syscall.Write(c.fd, b)
		if err == syscall.EAGAIN || err == syscall.EINTR {
			time.Sleep(time.Millisecond) // a peer that does not read its replies
			continue
		}
		if err != nil {
			c.close()
			return
		}
		b = b[n:]
	}
	if end {
		c.close()
	}
}

// flush sends what the last feed produced, at once or when it is due.
func (c *conn) flush(now time.Time) {
	if len(c.out) == 0 && !c.quit {
		return
	}
	d := *rtt + c.hold
	c.hold = 0
	if d == 0 && !now.Before(c.due) {
		c.write(c.out, c.quit)
		c.out = c.out[:0]
		return
	}
	at := now.Add(d)
	if at.Before(c.due) {
		at = c.due
	}
	c.due = at
	seq++
	heap.Push(&pending, event{at, seq, c, append([]byte(nil), c.out...), c.quit})
	c.out = c.out[:0]
}
