package letter_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"
	"github.com/jhillyerd/enmime/v2"
)

// goldenLetters are the wanted letters, and those of package mime, in shapes of which templates make no use.
func goldenLetters(t *testing.T) []string {
	t.Helper()
	letters, err := filepath.Glob("testdata/*/want.eml")
	shapes, err2 := filepath.Glob("mime/testdata/*.eml")
	if err != nil || err2 != nil || len(letters) == 0 || len(shapes) == 0 {
		t.Fatal("no letters", err, err2)
	}
	return append(letters, shapes...)
}

// Other people's parsers must read every letter without a defect.
func TestGoldenReads(t *testing.T) {
	for _, name := range goldenLetters(t) {
		t.Run(name, func(t *testing.T) {
			msg, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			env, err := enmime.ReadEnvelope(bytes.NewReader(msg))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range env.Errors {
				if e.Name == enmime.ErrorPlainTextFromHTML && !bytes.Contains(msg, []byte("text/plain")) {
					continue // it misses a text part, which is no defect
				}
				t.Errorf("enmime: %v", e)
			}
			e, err := message.Read(bytes.NewReader(msg))
			if err != nil {
				t.Fatal(err)
			}
			err = e.Walk(func(_ []int, part *message.Entity, err error) error {
				if err != nil || part.MultipartReader() != nil {
					return err
				}
				_, err = io.Copy(io.Discard, part.Body)
				return err
			})
			if err != nil {
				t.Errorf("go-message: %v", err)
			}
		})
	}
}

// strict reads messages with every defect as an error, decodes all of them and lays their headers out again.
const strict = `
import email, email.policy, os, sys
sys.stdout.reconfigure(encoding='utf-8')
policy = email.policy.strict + email.policy.SMTPUTF8
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        msg = email.message_from_bytes(f.read(), policy=policy)
    for part in msg.walk():
        assert not part.defects, (name, part.defects)
        for key, value in part.items():
            assert not getattr(value, "defects", None), (name, key, value.defects)
            getattr(value, "addresses", None)
        if not part.is_multipart():
            part.get_content()
        if part.get_content_type() == "multipart/related":
            root = next(part.iter_parts())  # without start= the first one
            assert root.get_content_type() == part["content-type"].params["type"], name
            for image in part.iter_attachments():
                assert image["content-disposition"].content_disposition == "inline" and image["content-id"], name
        print(os.path.basename(os.path.dirname(name)), part.get_filename(), sep="\t")
    for key in ("from", "to", "subject", "date", "message-id", "mime-version"):
        assert len(msg.get_all(key)) == 1, (name, key)
    assert msg["bcc"] is None
    assert msg["date"].datetime.utcoffset() is not None
`

func TestGoldenReadsStrictly(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no python3")
		}
		t.Skip("left out: no python3")
	}
	// To Python every UTF-8 octet of a header is a defect, also where RFC 6532 allows it.
	files := slices.DeleteFunc(goldenLetters(t), func(name string) bool { return strings.Contains(name, "smtputf8") })
	out, err := exec.Command(python, append([]string{"-c", strict}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "21-names\t"); ok && name != "None\n" {
			names = append(names, strings.TrimSuffix(name, "\n"))
		}
	}
	if want := wantedNames(t); !slices.Equal(names, want) {
		t.Errorf("Python reads the names\n%q, want\n%q", names, want)
	}
}

// wantedNames are the names of the attachments of testdata/21-names.
func wantedNames(t *testing.T) (names []string) {
	t.Helper()
	g := loadGolden(t, "testdata/21-names")
	for _, a := range g.Attachments {
		names = append(names, strings.ReplaceAll(a.Name, "{{ .name }}", g.Values[2].(string)))
	}
	return names
}

// Names of any script and length are what readers show.
func TestGoldenNames(t *testing.T) {
	msg, err := os.ReadFile("testdata/21-names/want.eml")
	if err != nil {
		t.Fatal(err)
	}
	env, err := enmime.ReadEnvelope(bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	var byEnmime, byMessage []string
	for _, a := range env.Attachments {
		byEnmime = append(byEnmime, a.FileName)
	}
	r, err := mail.CreateReader(bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := p.Header.(*mail.AttachmentHeader); ok {
			name, err := h.Filename()
			if err != nil {
				t.Error(err)
			}
			byMessage = append(byMessage, name)
		}
	}
	want := wantedNames(t)
	if !slices.Equal(byEnmime, want) {
		t.Errorf("enmime reads the names\n%q, want\n%q", byEnmime, want)
	}
	if !slices.Equal(byMessage, want) {
		t.Errorf("go-message reads the names\n%q, want\n%q", byMessage, want)
	}
}

// What the two parts of a letter say must be what the row said.
func TestDecodedText(t *testing.T) {
	msg, err := os.ReadFile("testdata/02-html/want.eml")
	if err != nil {
		t.Fatal(err)
	}
	env, err := enmime.ReadEnvelope(bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	const name = `Zoë <b>"O'Neil", & Co`
	if want := "Für " + name + ": Frühling in Köln & Umgebung — Grüße aus dem Garten, mit vielen neuen Dingen"; env.GetHeader("Subject") != want {
		t.Errorf("subject %q, want %q", env.GetHeader("Subject"), want)
	}
	to, err := env.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Name != name || to[0].Address != "Jo@xn--bcher-kva.example" {
		t.Errorf("to %v, %v", to, err)
	}
	for _, want := range []string{"<!--[if mso]><table><tr><td><![endif]-->", "<!--[if !mso]><!-->", "code=a%20b%26c%3dd&amp;s=spring", `href="https://acme.example/u?t=tok3n"`} {
		if !strings.Contains(env.HTML, want) {
			t.Errorf("the HTML part lacks %q:\n%s", want, env.HTML)
		}
	}
	if strings.Contains(env.HTML, "note for the author") || !strings.Contains(env.Text, "Hallo "+name) {
		t.Errorf("parts are wrong:\n%s\n%s", env.Text, env.HTML)
	}
}
