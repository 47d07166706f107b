package journaltest

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// A word is found in whatever form, or the tests that look for one prove nothing.
func TestTraces(t *testing.T) {
	const word = "jo.Doe+1@example.com"
	wide := func(big bool) (b []byte) {
		for _, c := range []byte(word) {
			if big {
				b = append(b, 0, c)
			} else {
				b = append(b, c, 0)
			}
		}
		return b
	}
	for name, text := range map[string][]byte{
		"plain": []byte("x" + word + "y"), "small": []byte("jo.doe+1@example.com"), "capital": []byte("JO.DOE+1@EXAMPLE.COM"),
		"little": wide(false), "big": wide(true), "hex": []byte(hex.EncodeToString([]byte(word))),
		"base64":   []byte(base64.StdEncoding.EncodeToString([]byte(word))),
		"base64+1": []byte(base64.StdEncoding.EncodeToString([]byte("<" + word + ">"))),
		"base64+2": []byte(base64.URLEncoding.EncodeToString([]byte("??" + word + "??"))),
		"nothing":  nil,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "f"), append([]byte("before"), text...), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Traces(t, dir, []string{word, "somebody@else.example"}); len(got) != 1 && text != nil || len(got) != 0 && text == nil {
			t.Errorf("%s: found %q", name, got)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "1-"+word), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := Traces(t, dir, []string{word}); len(got) != 1 {
		t.Errorf("in a name: %q", got)
	}
}
