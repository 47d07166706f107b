package charset

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

func encode(t testing.TB, e encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := e.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func detect(b []byte, declared string) (Charset, error) {
	return Detect(func() (io.Reader, error) { return bytes.NewReader(b), nil }, declared)
}

func decode(t testing.TB, c Charset, b []byte) string {
	t.Helper()
	out, err := io.ReadAll(c.Reader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// What is detected reads as it was written.
func TestDetect(t *testing.T) {
	utf16le, utf16be := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	long := strings.Repeat("someone@example.com,Zoë,Ünal\n", 20_000)
	for _, c := range []struct {
		name, want, text string
		enc              encoding.Encoding
	}{
		{"ASCII", "utf-8", "email\na@example.com\n", encoding.Nop},
		{"empty", "utf-8", "", encoding.Nop},
		{"UTF-8", "utf-8", long, encoding.Nop},
		{"UTF-8 with a mark", "utf-8", "name\nŁódź\n", unicode.UTF8BOM},
		{"UTF-16LE", "utf-16le", "email,name\na@example.com,Łódź\n", utf16le},
		{"UTF-16BE", "utf-16be", "email,name\na@example.com,王秀英\n", utf16be},
		{"UTF-16LE with a mark", "utf-16le", "email,name\na@example.com,Łódź 😀\n", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)},
		{"UTF-16BE with a mark", "utf-16be", "名前\n", unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
		{"German", "windows-1252", "name,city\nJörg Groß,München\nÄnne Öztürk,KÖLN\nMüLLER,STRAßE\n", charmap.Windows1252},
		{"German with Windows' signs", "windows-1252", "name,note\nJörg O’Brien,99 € – ab 1. §\nD’Angelo,Größe 5 °C\n", charmap.Windows1252},
		{"German ISO", "windows-1252", "name\nJürgen Weiß\nRené\n", charmap.ISO8859_1},
	} {
		b := encode(t, c.enc, c.text)
		got, err := detect(b, "")
		if err != nil || got.Name != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got.Name, err, c.want)
			continue
		}
		if text := decode(t, got, b); text != c.text {
			t.Errorf("%s: %.80q, want %.80q", c.name, text, c.text)
		}
	}
}

// What may be read in two ways is not read.
func TestUncertain(t *testing.T) {
	for _, c := range []struct {
		name, text, want, hint string
		enc                    encoding.Encoding
		line                   int
	}{
		{"French", "name\nEmma\nLefèvre\n", `"Lefèvre" (windows-1252, iso-8859-1, iso-8859-15, windows-1254) or "Lefčvre" (windows-1250, iso-8859-2, windows-1257)`, "windows-1252", charmap.Windows1252, 3},
		{"Czech", "name\nDvořák\n", `"Dvoøák" (windows-1252, iso-8859-1, iso-8859-15, windows-1254) or "Dvořák" (windows-1250, iso-8859-2)`, "windows-1252", charmap.Windows1250, 2},
		{"Turkish", "name\nYılmaz\n", `or "Yılmaz" (windows-1254)`, "windows-1252", charmap.Windows1254, 2},
		{"Latvian", "name\nJēkabs\n", `"Jēkabs" (windows-1257)`, "windows-1252", charmap.Windows1257, 2},
		{"Euro of ISO 8859-15", "total\n5 €\n", `"€" (iso-8859-15`, "windows-1252", charmap.ISO8859_15, 2},
		{"Russian", "имя\nИван\n", `"имя" (windows-1251)`, "windows-1251", charmap.Windows1251, 1},
		{"KOI8-R", "name\nИван\n", `"Иван" (koi8-r)`, "koi8-r", charmap.KOI8R, 2},
		{"Greek", "name\nΓιώργος\n", `"Γιώργος" (windows-1253)`, "windows-1251", charmap.Windows1253, 2},
		{"Chinese", "name\n王秀英\n", `"王秀英" (gb18030)`, "gb18030", simplifiedchinese.GBK, 2},
		{"DOS", "name\nMüller\n", `"Müller" (ibm850, ibm852)`, "ibm850", charmap.CodePage850, 2},
		{"Mac", "name\nMüller\n", `or "Müller" (macintosh)`, "windows-1250", charmap.Macintosh, 2},
		{"Mac, one letter", "name\nJäger\n", `"Jäger" (macintosh)`, "macintosh", charmap.Macintosh, 2},
	} {
		_, err := detect(encode(t, c.enc, c.text), "")
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, c.want) || !strings.Contains(e.Hint, "charset: "+c.hint) || e.Line != c.line {
			t.Errorf("%s: %+v", c.name, err)
		}
	}
	for _, c := range []struct {
		name, text, want string
	}{
		{"UTF-32", "\xff\xfe\x00\x00e\x00\x00\x00", "the file is in UTF-32"},
		{"NUL", "email\x00\na@example.com\n" + strings.Repeat("x", 500), "this is no text file: it has a NUL octet"},
		{"NULs", "email\n" + strings.Repeat("a@example.com\n\x01\x00", 100), "this is no text file: it has a NUL octet"},
		{"ISO-2022-JP", "name\n\x1b$B;3ED\x1b(B\n", "the file has escape sequences as ISO-2022-JP has them"},
		{"mixed", "name\nZo\xeb\nZoë\n", "line 2 is not UTF-8, and line 3 is: the file mixes encodings"},
		{"no text at all", "x\x81\x8d\x8f\x90\x9d\xff\xfe\xfdX\n", "is no word in any encoding that is likely"},
	} {
		_, err := detect([]byte(c.text), "")
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Text, c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	// A list in UTF-8 to which somebody added a few rows that are not: those rows are at fault, not the list.
	if c, err := detect([]byte("name\nZoë\nJörg\nZo\xeb\n"), ""); err != nil || c.Name != "utf-8" {
		t.Errorf("%s, %v", c.Name, err)
	}
}

// A word of a rare kind does not open the door to encodings that the rest of the list speaks against.
func TestShare(t *testing.T) {
	var b strings.Builder
	for _, w := range []string{"Müller", "Jörg", "Größe", "Gärtner", "Köln", "Düren", "Böhm", "Süß", "König", "Schröder", "Krüger", "Schäfer"} {
		b.WriteString(w + ",12 m²\n")
	}
	if c, err := detect(encode(t, charmap.Windows1252, b.String()), ""); err != nil || c.Name != "windows-1252" {
		t.Errorf("%s, %v", c.Name, err)
	}
}

func TestDeclared(t *testing.T) {
	for _, c := range []struct{ declared, text, want string }{
		{"windows-1252", "Zo\xeb", ""}, {"windows-1252", "plain", ""}, {"utf-8", "Zo\xeb", ""}, {"utf-8", "\xef\xbb\xbfZoë", ""},
		{"utf-16", "\xfe\xff\x00a", ""}, {"utf-16le", "\xff\xfea\x00", ""}, {"utf-16be", "\x00a\x00b\x00c\x00d", ""},
		{"windows-1252", "Zoë", "charset is windows-1252, but the file is UTF-8: read so it would be garbled"},
		{"windows-1252", "\xef\xbb\xbfZoe", "charset is windows-1252, but the file begins with the mark of utf-8"},
		{"utf-16be", "\xff\xfea\x00", "charset is utf-16be, but the file begins with the mark of utf-16le"},
		{"windows-1252", "a\x00b\x00c\x00d\x00e\x00", "charset is windows-1252, but the file is utf-16le"},
	} {
		_, err := detect([]byte(c.text), c.declared)
		if got := errText(err); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.declared, c.text, got, c.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLookup(t *testing.T) {
	for in, want := range map[string]string{
		"UTF-8": "utf-8", "utf8": "utf-8", " Windows-1252 ": "windows-1252", "cp1252": "windows-1252", "latin1": "iso-8859-1", "ISO_8859-1": "iso-8859-1", "l2": "iso-8859-2",
		"iso-8859-15": "iso-8859-15", "Shift_JIS": "shift_jis", "macintosh": "macintosh", "mac": "macintosh", "cp850": "ibm850", "koi8-r": "koi8-r", "gbk": "gbk", "big5": "big5",
		"utf-16": "utf-16", "UTF-16LE": "utf-16le", "euc-kr": "euc-kr", "iso-2022-jp": "iso-2022-jp", "ansi": "windows-1252",
	} {
		if c, ok := Lookup(in); !ok || c.Name != want {
			t.Errorf("%s: %q, %v; want %s", in, c.Name, ok, want)
		}
	}
	for _, in := range []string{"", "windows", "x-user-defined", "iso-2022-kr", "utf-7", "german"} {
		if c, ok := Lookup(in); ok {
			t.Errorf("%q is %s", in, c.Name)
		}
	}
	for _, name := range Names() {
		if _, ok := Lookup(name); !ok {
			t.Errorf("%s is named and not known", name)
		}
	}
}

// Octets that a charset does not define are marked by what no UTF-8 has.
func TestUndefined(t *testing.T) {
	for _, c := range []struct{ charset, in, want string }{
		{"windows-1252", "a\x81b", "a\xff\xff\xffb"}, {"iso-8859-1", "a\x80b", "a\xff\xffb"}, {"utf-16le", "a\x00\x00\xd8b\x00", "a\xff\xff\xffb"},
		{"utf-16le", "a\x00b", "a\xff\xff\xff"}, {"shift_jis", "a\x83", "a\xff\xff\xff"}, {"utf-8", "a\xffb", "a\xffb"}, {"windows-1252", "\xc3\xa9", "Ã©"},
		{"gb18030", "\xcd\xf5\xff", "王\xff\xff\xff"},
	} {
		cs, _ := Lookup(c.charset)
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			if got, err := io.ReadAll(cs.Reader(in)); err != nil || string(got) != c.want {
				t.Errorf("%s %q: %q, %v; want %q", c.charset, c.in, got, err, c.want)
			}
		}
	}
	broken := errors.New("disk on fire")
	cs, _ := Lookup("windows-1252")
	if _, err := io.ReadAll(cs.Reader(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if _, err := Detect(func() (io.Reader, error) { return iotest.ErrReader(broken), nil }, ""); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestDoubled(t *testing.T) {
	for in, want := range map[string]string{
		"MÃ¼ller": "Müller", "JÃ¶rg GroÃŸ": "Jörg Groß", "RenÃ©e": "Renée", "SÃ£o Paulo": "São Paulo", "Ã–ztÃ¼rk": "Öztürk", "GRÃœN": "GRÜN", "KÃ–LN": "KÖLN", "NiÃ±o": "Niño",
		"Dâ€™Angelo": "D’Angelo", "Å�": "", "ksiÄ…Å¼ka": "książka", "DvoÅ™Ã¡k": "Dvořák", "Ð˜Ð²Ð°Ð½": "Иван", "5 â‚¬": "5 €", "Caf\u00c3\u00a9": "Café", "M\u00c3\u009cLLER": "MÜLLER",
	} {
		got, ok := Doubled(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, fine := range []string{"", "Muller", "Müller", "Zoë", "AMANHÃ…", "CAFÉ™", "Ä…", "„Ä“", "São Paulo", "Łódź", "王秀英", "Ångström", "À »", "É »", "SMÅ…", "naïve – “quoted”", "Ã", "Â", "50 £", "ß®", "MÃ¼ller Łódź", "\xff"} {
		if got, ok := Doubled(fine); ok {
			t.Errorf("%q is taken for %q", fine, got)
		}
	}
}

// What was doubled is recognised, and what was not is left alone.
func TestDoubledProperty(t *testing.T) {
	word := rapid.StringMatching(`[A-Z]?[a-zäöüßéèàçñáíóúâêîôûëïãõåøæřšžčěńśćłąęőű]{3,10}`)
	rapid.Check(t, func(t *rapid.T) {
		s := word.Draw(t, "word")
		if got, ok := Doubled(s); ok {
			t.Fatalf("%q is taken for %q", s, got)
		}
		var twice strings.Builder
		for _, b := range []byte(s) {
			r := charmap.Windows1252.DecodeByte(b)
			if r == 0xFFFD {
				r = rune(b)
			}
			twice.WriteRune(r)
		}
		if got, ok := Doubled(twice.String()); twice.String() != s && (!ok || got != s) {
			t.Fatalf("%q: %q, %v; want %q", twice.String(), got, ok, s)
		}
	})
}

// Whatever the octets are: what is accepted decodes, and a charset with one octet a character never makes U+FFFD.
func FuzzDetect(f *testing.F) {
	for _, s := range []string{"email\na@example.com\n", "M\xfcller\n", "Zoë\n", "\xff\xfea\x00", "\xcd\xf5\xd0\xe3\n", "a\x00b\x00", "Lef\xe8vre"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := detect(b, "")
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Text == "" {
				t.Fatalf("%v (%T)", err, err)
			}
			return
		}
		out := decode(t, c, b)
		if c.Name == "windows-1252" && (strings.ContainsRune(out, '\uFFFD') || strings.Contains(out, "\xff")) {
			t.Fatalf("%q is read as %q", b, out)
		}
	})
}

func FuzzDoubled(f *testing.F) {
	f.Add("MÃ¼ller")
	f.Add("Łódź")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := Doubled(s); ok && (got == s || len(got) >= len(s) || strings.ContainsRune(got, '\uFFFD')) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
