package unpack

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

func gz(t testing.TB, s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t testing.TB, s string) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll([]byte(s), nil)
}

func all(in io.Reader, limit int64) (string, error) {
	r, err := New(in, limit)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestUnpack(t *testing.T) {
	text := strings.Repeat("somebody@example.com,Some,Body\n", 5000)
	for name, in := range map[string][]byte{"plain": []byte(text), "gzip": gz(t, text), "zstd": zst(t, text), "two gzip members": append(gz(t, text[:310]), gz(t, text[310:])...),
		"two zstd frames": append(zst(t, text[:310]), zst(t, text[310:])...)} {
		if got, err := all(iotest.HalfReader(bytes.NewReader(in)), int64(len(text))); err != nil || got != text {
			t.Errorf("%s: %d octets of %d, %v", name, len(got), len(text), err)
		}
		_, err := all(bytes.NewReader(in), int64(len(text))-1)
		if e := (*Error)(nil); name != "plain" && (!errors.As(err, &e) || !e.Full) {
			t.Errorf("%s past its limit: %v", name, err)
		}
	}
	for _, short := range []string{"", "a", "\x1f"} {
		if got, err := all(strings.NewReader(short), 10); err != nil || got != short {
			t.Errorf("%q: %q, %v", short, got, err)
		}
	}
}

// Wherever an archive is cut or changed, the end is an error and no end of file.
func TestDamaged(t *testing.T) {
	text := strings.Repeat("somebody@example.com\n", 40)
	for name, whole := range map[string][]byte{"gzip": gz(t, text), "zstd": zst(t, text)} {
		for n := 6; n < len(whole); n++ {
			_, err := all(bytes.NewReader(whole[:n]), 1<<20)
			if e := (*Error)(nil); !errors.As(err, &e) || e.Hint == "" || e.Full {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
		for n := 10; n < len(whole); n++ {
			b := bytes.Clone(whole)
			b[n] ^= 0x55
			if got, err := all(bytes.NewReader(b), 1<<20); err == nil && got != text {
				t.Errorf("%s changed at %d is read as something else", name, n)
			}
		}
	}
}

// What follows an archive is told of, and not taken for a cut.
func TestBehind(t *testing.T) {
	for _, behind := range []string{"\n", "\x00\x00\x00\x00", "<html>", "a,b\nand more than a header has\n"} {
		_, err := all(strings.NewReader(string(gz(t, "email\n"))+behind), 1<<20)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Text != "the gzip archive is damaged: there is something behind its end that is no gzip" {
			t.Errorf("%q: %v", behind, err)
		}
	}
	two := append(gz(t, "email\n"), gz(t, "a@example.com\n")...)
	for n := len(gz(t, "email\n")) + 2; n < len(two); n++ {
		_, err := all(bytes.NewReader(two[:n]), 1<<20)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Text != "the gzip archive is cut short" {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestReaderBelow(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, head := range map[string][]byte{"plain": []byte("email\n"), "gzip": gz(t, "email\n")[:12], "zstd": zst(t, "email\n")[:8], "nothing": nil} {
		_, err := all(io.MultiReader(bytes.NewReader(head), iotest.ErrReader(broken)), 1<<20)
		if e := (*Error)(nil); !errors.Is(err, broken) || errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOthers(t *testing.T) {
	for _, magic := range []string{"BZh91AY", "\xfd7zXZ\x00\x00", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07\x00"} {
		_, err := all(strings.NewReader(magic), 1<<20)
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.HasPrefix(e.Text, "the file is compressed with ") {
			t.Errorf("%q: %v", magic, err)
		}
	}
}

// An archive of nothing but zeros costs no more than its limit.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := New(&b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if e := (*Error)(nil); n > 1<<20 || !errors.As(err, &e) || !e.Full {
		t.Errorf("%d octets, %v", n, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(gz(f, "email\na@example.com\n"))
	f.Add(zst(f, "email\na@example.com\n"))
	f.Add([]byte("email\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := all(bytes.NewReader(b), 1<<20)
		if len(got) > max(1<<20, len(b)) {
			t.Fatal("more than the limit")
		}
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Text == "") {
			t.Fatalf("%v (%T)", err, err)
		}
	})
}
