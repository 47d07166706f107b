package smtpwire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"pgregory.net/rapid"
)

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Reply
		err      string // part of the error; "" none
	}{
		{name: "plain", in: "250 ok\r\n", want: Reply{Code: 250, Text: "ok"}},
		{name: "bare code", in: "250\r\n", want: Reply{Code: 250}},
		{name: "bare LF", in: "250 ok\n", want: Reply{Code: 250, Text: "ok"}},
		{name: "enhanced", in: "550 5.1.1 no such user\r\n", want: Reply{Code: 550, Enhanced: "5.1.1", Text: "no such user"}},
		{name: "enhanced alone", in: "250 2.0.0\r\n", want: Reply{Code: 250, Enhanced: "2.0.0"}},
		{name: "enhanced contradicts", in: "550 4.1.1 hm\r\n", want: Reply{Code: 550, Text: "4.1.1 hm"}},
		{name: "no enhanced code", in: "550 5.1.1234 hm\r\n", want: Reply{Code: 550, Text: "5.1.1234 hm"}},
		{name: "an address is none", in: "250 2.0.0.1 hm\r\n", want: Reply{Code: 250, Text: "2.0.0.1 hm"}},
		{name: "lines", in: "550-5.7.1 go\r\n550-5.7.1\r\n550 5.7.1 away\r\n",
			want: Reply{Code: 550, Enhanced: "5.7.1", Text: "go away", Lines: []string{"5.7.1 go", "5.7.1", "5.7.1 away"}}},
		{name: "escape", in: "550 \x1b[2J\x9b\u202e\r\n", want: Reply{Code: 550, Text: `\x1b[2J\x9b\u202e`}},
		{name: "UTF-8", in: "550 niño\r\n", want: Reply{Code: 550, Text: "niño"}},
		{name: "NUL and CR", in: "550 a\x00b\rc\r\n", want: Reply{Code: 550, Text: `a\x00b\rc`}},
		{name: "codes differ", in: "250-a\r\n251 b\r\n", err: "goes on with 251"},
		{name: "junk", in: "HTTP/1.1 400\r\n", err: "is no reply"},
		{name: "1yz", in: "150 hm\r\n", err: "is no reply"},
		{name: "six", in: "600 hm\r\n", err: "is no reply"},
		{name: "no separator", in: "250ok\r\n", err: "is no reply"},
		{name: "empty line", in: "\r\n", err: "is no reply"},
		{name: "cut", in: "25", err: "unexpected EOF"},
		{name: "cut before the end", in: "250 ok", err: "unexpected EOF"},
		{name: "cut between lines", in: "250-ok\r\n", err: "unexpected EOF"},
		{name: "nothing", in: "", err: "EOF"},
		{name: "endless", in: strings.Repeat("250-a\r\n", maxLines+1), err: "endless reply"},
		{name: "long lines", in: strings.Repeat("250-"+strings.Repeat("x", 900)+"\r\n", 90), err: "endless reply"},
		{name: "long line without end", in: "250 " + strings.Repeat("x", maxDiscard+2*maxLine), err: "endless line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Byte by byte, to meet every split.
			got, err := NewReader(iotest.OneByteReader(strings.NewReader(c.in))).Read()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got.Code != c.want.Code || got.Enhanced != c.want.Enhanced || got.Text != c.want.Text ||
				strings.Join(got.Lines, "|") != strings.Join(c.want.Lines, "|") || got.Long {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestLongLineIsCutAndTheNextReplyStillRead(t *testing.T) {
	in := "250 " + strings.Repeat("x", 1<<20) + "\r\n221 bye\r\n"
	r := NewReader(strings.NewReader(in))
	first, err := r.Read()
	if err != nil || first.Code != 250 || !first.Long || len(first.Text) > maxText {
		t.Fatalf("%d octets, long %v, %v", len(first.Text), first.Long, err)
	}
	if second, err := r.Read(); err != nil || second.Code != 221 || second.Long {
		t.Errorf("%+v, %v", second, err)
	}
}

func TestProtocolErrorIsTold(t *testing.T) {
	var e *ProtocolError
	if _, err := NewReader(strings.NewReader("what?\r\n")).Read(); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	if _, err := NewReader(strings.NewReader("25")).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestCommandRefusesControls(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	for c := range 256 {
		err := w.Command("RCPT TO:<", "a"+string([]byte{byte(c)})+"b@example.org", ">")
		if want := c < ' ' || c == 0x7f; want != errors.Is(err, ErrArgument) {
			t.Errorf("octet %#x: %v", c, err)
		}
	}
	if err := w.Command(strings.Repeat("x", maxCommand+1)); !errors.Is(err, ErrLength) {
		t.Errorf("%v", err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\r\n"); n != 256-33 {
		t.Errorf("%d lines went out", n)
	}
}

func TestGroupIsOneWrite(t *testing.T) {
	var n counter
	w := NewWriter(&n)
	_ = w.Command("MAIL FROM:<", "a@b", ">")
	_ = w.Command("RCPT TO:<", "c@d", ">")
	_ = w.Command("DATA")
	if n != 0 || w.Flush() != nil || n != 1 {
		t.Errorf("%d writes", n)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c++; return len(p), nil }

// dotted gives what goes over the wire for body, written in pieces of n octets.
func dotted(body []byte, n int) []byte {
	var out bytes.Buffer
	d := NewWriter(&out).Dot()
	for len(body) > 0 {
		k := min(n, len(body))
		if m, err := d.Write(body[:k]); m != k || err != nil {
			panic(err)
		}
		body = body[k:]
	}
	_ = d.Close()
	return out.Bytes()
}

// canonical is the body as the peer should have it: CRLF line ends only, the last line ended.
func canonical(body []byte) string {
	s := strings.ReplaceAll(string(body), "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// undot does what a server does with DATA, and fails if anything but the last line could end the message.
func undot(wire []byte) (string, bool) {
	s := string(wire)
	if rest := strings.ReplaceAll(s, "\r\n", ""); strings.ContainsAny(rest, "\r\n") || !strings.HasSuffix(s, "\r\n") {
		return "", false
	}
	lines := strings.Split(strings.TrimSuffix(s, "\r\n"), "\r\n")
	last := len(lines) - 1
	var b strings.Builder
	for i, l := range lines {
		if (l == ".") != (i == last) {
			return "", false
		}
		if i < last {
			b.WriteString(strings.TrimPrefix(l, ".") + "\r\n")
		}
	}
	return b.String(), true
}

func checkDot(t interface{ Fatalf(string, ...any) }, body []byte, n int) {
	wire := dotted(body, n)
	got, ok := undot(wire)
	if !ok || got != canonical(body) {
		t.Fatalf("%q in pieces of %d went out as %q", body, n, wire)
	}
}

func TestDotRoundTrip(t *testing.T) {
	for _, body := range []string{
		"", "a", ".", "..", ".\r\n", "\r\n", "\r\n.\r\n", "a\r\n.\r\nMAIL FROM:<x@y>\r\n", "a\n.\n", "a\r.\r", "a\n.\r\n", "a\r\n.\n",
		"a\r.\r\nb", "\r\r\n\n", ".\r", ".\n.", "\x00.\r\n", strings.Repeat(".", 3*bufferSize), strings.Repeat("x", 3*bufferSize) + "\r\n.\r\n",
	} {
		for _, n := range []int{1, 2, 3, 1 << 20} {
			checkDot(t, []byte(body), n)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"\r", "\n", "\r\n", ".", "x", "long line", "\r\n.\r\n"})).Draw(t, "body")
		checkDot(t, []byte(strings.Join(parts, "")), rapid.IntRange(1, 9).Draw(t, "piece"))
	})
}

func TestDotMemoryIsFlat(t *testing.T) {
	w := NewWriter(io.Discard)
	d := w.Dot()
	line := bytes.Repeat([]byte("x"), 10<<20)
	_, _ = d.Write(line)
	_ = d.Close()
	if cap(w.buf) > 4*bufferSize {
		t.Errorf("buffer grew to %d octets", cap(w.buf))
	}
}

// short takes so many octets and fails.
type short int

func (s *short) Write(p []byte) (int, error) {
	n := min(int(*s), len(p))
	*s -= short(n)
	if n < len(p) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestDotKnowsWhetherItLeft(t *testing.T) {
	const body = "hi\r\n"
	for n := range len(body) + 4 {
		s := short(n)
		d := NewWriter(&s).Dot()
		_, _ = d.Write([]byte(body))
		err := d.Close()
		if left := n > len(body); d.Left() != left || (err == nil) != (n >= len(body)+3) || (d.Err() == nil) != (err == nil) {
			t.Errorf("%d octets taken: left %v, error %v", n, d.Left(), err)
		}
	}
}

func TestEHLO(t *testing.T) {
	r, err := NewReader(strings.NewReader("250-mx hello\r\n250-pipelining\r\n250-SIZE 1000\r\n250-AUTH plain LOGIN\r\n" +
		"250-AUTH=LOGIN\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE\r\n250 STARTTLS\r\n")).Read()
	if err != nil {
		t.Fatal(err)
	}
	e := ParseEHLO(r)
	if !e.Pipelining || !e.EightBit || !e.UTF8 || !e.StartTLS || !e.HasSize || e.Size != 1000 ||
		strings.Join(e.Auth, " ") != "PLAIN LOGIN LOGIN" || len(e.Names) != 8 {
		t.Errorf("%+v", e)
	}
	r, _ = NewReader(strings.NewReader("250-PIPELINING\r\n250 SIZE -5\r\n")).Read()
	if e = ParseEHLO(r); e.Pipelining || e.Size != 0 {
		t.Errorf("the first line is the name: %+v", e)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "550 5.1.1 no\r\n", "25", "250-\x1b\r\n250 \xff\r\n", "250" + strings.Repeat("x", 5000) + "\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := NewReader(bytes.NewReader(in)).Read()
		if err != nil {
			if r.Code != 0 {
				t.Errorf("an error with a verdict: %+v", r)
			}
			return
		}
		if r.Code < 200 || r.Code > 599 || len(r.Text) > maxText || Printable(r.Text) != r.Text || strings.ContainsAny(r.Text, "\r\n\x1b\x00") {
			t.Errorf("%+v", r)
		}
		if !bytes.Contains(in, []byte("\n")) {
			t.Errorf("a reply without an end: %q", in)
		}
	})
}

// FuzzEHLO is any reply to EHLO: what comes of it is bounded, made of single words that can be shown, and says nothing that
// the server did not.
func FuzzEHLO(f *testing.F) {
	for _, s := range []string{
		"250-mx\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n", "250 STARTTLS\r\n", "250-mx\r\n250-SIZE 99999999999999999999\r\n250 SIZE -1\r\n",
		"250-mx\r\n250-AUTH=LOGIN=PLAIN\r\n250-\r\n250  \t\r\n", "250-mx\r\n250-PIPELINING\x1b[2J\r\n250 8BITMIME\x00\r\n", "250-mx\n250-\xff\xfe\n250 \u017ftarttls\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := NewReader(bytes.NewReader(in)).Read()
		if err != nil {
			return
		}
		e := ParseEHLO(r)
		if e.Size < 0 || e.Size > 0 && !e.HasSize || len(e.Names) >= maxLines {
			t.Errorf("%+v", e)
		}
		octets := 0
		for _, word := range slices.Concat(e.Names, e.Auth) {
			if octets += len(word); word == "" || strings.ContainsFunc(word, unicode.IsSpace) || Printable(word) != word {
				t.Errorf("%q", word)
			}
		}
		if octets > 2*maxReply {
			t.Errorf("%d octets", octets)
		}
		first, _, _ := bytes.Cut(in, []byte("\n"))
		if rest := bytes.ToUpper(in[len(first):]); e.StartTLS && !bytes.Contains(rest, []byte("STARTTLS")) || e.Pipelining && !bytes.Contains(rest, []byte("PIPELINING")) {
			t.Errorf("%+v of %q", e, in)
		}
	})
}

func FuzzDot(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", "\n.\n", "\r.\r", "..", ""} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, body []byte, n int) { checkDot(t, body, n&0xff+1) })
}
