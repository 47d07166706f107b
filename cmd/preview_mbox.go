package cmd

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// mboxed is a message as it stands in an mbox file (RFC 4155), so that several can go to one stream.
func mboxed(raw []byte, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From mailblast %s\n", now.UTC().Format(time.ANSIC))
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			b.WriteByte('>')
		}
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.String()
}
