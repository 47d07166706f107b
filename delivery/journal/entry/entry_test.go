package entry

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzEntry(f *testing.F) {
	good := Entry{Key: [16]byte{1}, Copy: 2, After: 3, Via: 1, Attempts: 4, Tries: 500, First: -5, Print: 1 << 63, To: "p@x.test"}
	f.Add(good.Append(nil), 2)
	f.Add(good.Append(nil), 1)
	f.Add([]byte(strings.Repeat("\xff", 60)), 2)
	f.Add(make([]byte, 16), 1)
	f.Fuzz(func(t *testing.T, b []byte, schema int) {
		var e, again Entry
		rest, err := e.Parse(b, schema)
		if err != nil {
			return
		}
		if len(rest) >= len(b) {
			t.Fatal("nothing was read")
		}
		left, err := again.Parse(append(e.Append(nil), rest...), 2)
		if err != nil || again != e || !bytes.Equal(left, rest) {
			t.Fatalf("%+v is read back as %+v, %v", e, again, err)
		}
	})
}
