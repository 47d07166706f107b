package journaltest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// Traces tells which words are found in a directory: in the octets of any file or in a name, as they are, in small or capital
// letters, as UTF-16, base64 or hexadecimal. Each word is told once, with where it is.
func Traces(t testing.TB, dir string, words []string) (found []string) {
	t.Helper()
	var all []byte
	places := map[int]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		places[len(all)] = path
		if all = append(append(all, path...), 0); d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		all = append(append(all, text...), 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		for _, form := range forms(word) {
			if at := bytes.Index(all, form); at >= 0 {
				found = append(found, word+" in "+place(places, at))
				break
			}
		}
	}
	return found
}

func place(places map[int]string, at int) string {
	last := -1
	for from := range places {
		if from <= at && from > last {
			last = from
		}
	}
	return places[last]
}

// forms are how octets of a word may look.
func forms(word string) (all [][]byte) {
	var little, big []byte
	for _, u := range utf16.Encode([]rune(word)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	all = append(all, []byte(word), []byte(strings.ToLower(word)), []byte(strings.ToUpper(word)), little, big)
	for _, octets := range [][]byte{[]byte(word), little, big} {
		low := hex.EncodeToString(octets)
		all = append(all, []byte(low), []byte(strings.ToUpper(low)))
	}
	for before := range 3 { // a word may begin anywhere in three octets
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), word...))
		inner := text[(before*8+5)/6 : (before+len(word))*8/6]
		all = append(all, []byte(inner), []byte(strings.NewReplacer("+", "-", "/", "_").Replace(inner)))
	}
	return all
}
