package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	stdmime "mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// encodedBytes are octets that are there as base64 lines.
func encodedBytes(t interface{ Fatal(...any) }, b []byte) File {
	var out bytes.Buffer
	if err := Encode(&out, bytes.NewReader(b), int64(len(b))); err != nil {
		t.Fatal(err)
	}
	if n := EncodedLen(int64(len(b))); n != int64(out.Len()) {
		t.Fatal("encoded", len(b), "octets into", out.Len(), "not", n)
	}
	return File{Type: "application/octet-stream", Content: again(out.Bytes()), Size: int64(out.Len())}
}

// again can be written any number of times.
type again []byte

func (b again) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

func TestEncode(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 56, 57, 58, 1000, 57 * 256, 57*256 + 1, 3_000_000} {
		data := bytes.Repeat([]byte("0123456789abcdef\x00\xff"), n/18+1)[:n]
		out := encodedBytes(t, data).Content.(again)
		for line := range bytes.SplitSeq(out, []byte("\r\n")) {
			if len(line) > 76 {
				t.Fatalf("%d octets: a line of %d", n, len(line))
			}
		}
		got, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(out), "\r\n", ""))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d octets come back as %d, %v", n, len(got), err)
		}
		for _, wrong := range []int64{int64(n) - 1, int64(n) + 1} {
			if err := Encode(io.Discard, bytes.NewReader(data), wrong); err == nil {
				t.Errorf("a file of %d octets passed for one of %d", n, wrong)
			}
		}
	}
}

// Any name must come back as it was, by lines that fit.
func checkName(t interface{ Fatalf(string, ...any) }, name string) {
	for _, cid := range []string{"", "id@mailblast"} {
		a, err := Attach(File{Name: name, Type: "application/pdf", ContentID: cid})
		if err != nil {
			if CheckValue(name) == nil {
				t.Fatalf("%q: %v", name, err)
			}
			return
		}
		for line := range strings.SplitSeq(string(a.header), "\r\n") {
			if len(line) > foldAt {
				t.Fatalf("%q: a line of %d octets: %s", name, len(line), line)
			}
			if !ascii(line) {
				t.Fatalf("%q: a line that is not ASCII: %s", name, line)
			}
		}
		m, err := mail.ReadMessage(bytes.NewReader(a.header))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if kind, _, err := stdmime.ParseMediaType(m.Header.Get("Content-Type")); err != nil || kind != "application/pdf" {
			t.Fatalf("%q: Content-Type: %q, %v", name, m.Header.Get("Content-Type"), err)
		}
		disposition, params, err := stdmime.ParseMediaType(m.Header.Get("Content-Disposition"))
		if err != nil || params["filename"] != name {
			t.Fatalf("%q reads as %q, %v\n%s", name, params["filename"], err, a.header)
		}
		if want := map[bool]string{true: "attachment", false: "inline"}[cid == ""]; disposition != want {
			t.Fatalf("%q is %s, want %s", name, disposition, want)
		}
		if cid != "" && m.Header.Get("Content-Id") != "<"+cid+">" {
			t.Fatalf("%q has the id %q", name, m.Header.Get("Content-Id"))
		}
	}
}

var names = []string{
	"terms.pdf", "a b.pdf", `a"b\c.pdf`, "Für Zoë.pdf", "見積書.pdf", "🌷.png", "חשבונית 7.pdf", "50%.pdf", "a'b''c.pdf", "=?utf-8?q?x?=.pdf",
	" lead and trail ", strings.Repeat("long name ", 24) + ".pdf", strings.Repeat("x", 255), strings.Repeat("見", 83) + ".pdf",
	strings.Repeat("🌷", 62) + ".pdf", strings.Repeat("é.", 80), "no extension", "." + strings.Repeat("x", 200), "filename*0*=x", ";a=b.pdf",
}

func TestNames(t *testing.T) {
	for _, name := range names {
		checkName(t, name)
	}
	for _, name := range []string{"a\nb", "a\rb", "a\x00b", "a\xffb"} {
		if a, err := Attach(File{Name: name, Type: "a/b"}); err == nil {
			t.Errorf("%q was taken: %s", name, a.header)
		}
	}
}

func TestAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkName(t, rapid.OneOf(rapid.StringN(1, 255, 255), rapid.StringMatching(`[a-z"\\%*';=. é日🌷]{1,120}`)).Draw(t, "name"))
	})
}

func FuzzName(f *testing.F) {
	for _, name := range names {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name != "" {
			checkName(t, name)
		}
	})
}

// leaf is a part as a reader finds it.
type leaf struct {
	path string // the multiparts around it
	id   string
	data string
}

// leaves reads a letter back with the standard library's parsers.
func leaves(t interface{ Fatalf(string, ...any) }, within, contentType, transfer, id string, r io.Reader) (out []leaf) {
	kind, params, err := stdmime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("%q: %v", contentType, err)
	}
	sub, multi := strings.CutPrefix(kind, "multipart/")
	if !multi {
		switch transfer {
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		return []leaf{{within, id, string(b)}}
	}
	for m := multipart.NewReader(r, params["boundary"]); ; {
		p, err := m.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		out = append(out, leaves(t, within+sub+"/", p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-Id"), p)...)
	}
	if sub == "related" && (params["type"] != "text/html" || out[0].id != "") {
		t.Fatalf("related does not begin with its root: %q, %q", contentType, out[0].id)
	}
	return out
}

// drawn is a letter of any shape.
type drawn struct {
	parts []Part
	files []*Attachment
	want  []leaf
}

func draw(t *rapid.T) (d drawn) {
	texts := rapid.SampledFrom([]string{"text/plain", "text/html", "both"}).Draw(t, "texts")
	data := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 200), 0, 3)
	outer := ""
	attached := data.Draw(t, "attached")
	if len(attached) > 0 {
		outer = "mixed/"
	}
	add := func(kind, within string) {
		p := Part{Type: kind, Text: Canon(nil, []byte(rapid.String().Draw(t, kind)))}
		if kind == "text/html" {
			for i, b := range data.Draw(t, "inline") {
				d.want = append(d.want, leaf{data: string(b)})
				f := encodedBytes(t, b)
				f.Name, f.ContentID = "a.png", string(rune('a'+i))+"@mailblast"
				d.want[len(d.want)-1].id = "<" + f.ContentID + ">"
				p.Inline = append(p.Inline, must(Attach(f)))
			}
		}
		root := leaf{path: within, data: string(p.Text)}
		if n := len(p.Inline); n > 0 {
			root.path += "related/"
			for i := range d.want[len(d.want)-n:] {
				d.want[len(d.want)-n+i].path = root.path
			}
		}
		d.want = slices.Insert(d.want, len(d.want)-len(p.Inline), root)
		d.parts = append(d.parts, p)
	}
	switch texts {
	case "both":
		add("text/plain", outer+"alternative/")
		add("text/html", outer+"alternative/")
	default:
		add(texts, outer)
	}
	for _, b := range attached {
		f := encodedBytes(t, b)
		f.Name = "a.bin"
		d.files = append(d.files, must(Attach(f)))
		d.want = append(d.want, leaf{path: outer, data: string(b)})
	}
	return d
}

func must(a *Attachment, err error) *Attachment {
	if err != nil {
		panic(err)
	}
	return a
}

// A letter of any shape has the size it says, can be written again, and comes back part by part, with no level too many.
func TestAnyShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		var h Header
		h.Text("Subject", "s")
		b := NewBody(&h, d.parts, d.files, "b")
		released := 0
		b.Release = func() { released++ }
		var one, two bytes.Buffer
		if _, err := b.WriteTo(&one); err != nil {
			t.Fatal(err)
		}
		if n, err := b.WriteTo(&two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) || n != int64(one.Len()) {
			t.Fatalf("the second write differs: %d octets, %v", n, err)
		}
		if size, eightBit, utf8 := b.Needs(); size != int64(one.Len()) || eightBit || utf8 {
			t.Fatalf("needs %d %v %v, wrote %d", size, eightBit, utf8, one.Len())
		}
		for line := range strings.SplitSeq(one.String(), "\r\n") {
			if !ascii(line) || len(line) > textLine || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("a line of %d octets: %q", len(line), line)
			}
		}
		m, err := mail.ReadMessage(&one)
		if err != nil {
			t.Fatal(err)
		}
		got := leaves(t, "", m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body)
		if !slices.Equal(got, d.want) {
			t.Fatalf("got  %q\nwant %q", got, d.want)
		}
		if err := b.Close(); err != nil || released != 1 {
			t.Fatalf("%v, released %d times", err, released)
		}
		if err := b.Close(); err != nil || released != 1 {
			t.Fatalf("%v, released %d times", err, released)
		}
	})
}
