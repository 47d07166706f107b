package sheet

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"os"
)

// shared are the strings that cells refer to by number, in a file.
type shared struct {
	f    *os.File
	name string  // to be removed; empty: removed already
	ends []int64 // where each string ends; it begins where the one before ends
}

func (s *shared) close() {
	_ = s.f.Close() // nothing in it is wanted any more
	if s.name != "" {
		_ = os.Remove(s.name) // nothing to be done about it
	}
}

func (b *Book) shareStrings(part string) (*shared, error) {
	f, err := os.CreateTemp(b.dir, "strings-*") // mode 0600
	if err != nil {
		return nil, unwritable(err)
	}
	s := &shared{f: f, name: f.Name()}
	if os.Remove(s.name) == nil { // gone even when the process is killed, where the system allows it
		s.name = ""
	}
	out, size := bufio.NewWriterSize(f, 1<<16), int64(0)
	err = b.each(part, func(p *reader, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		text, err := p.text()
		if err != nil {
			return err
		}
		size += int64(len(text))
		s.ends = append(s.ends, size)
		_, err = out.WriteString(text)
		return unwritable(err)
	})
	if err == nil {
		err = unwritable(out.Flush())
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func unwritable(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Full: true, Text: err.Error(), Err: err}
}

func (s *shared) at(n int) (string, error) {
	if s == nil || n < 0 || n >= len(s.ends) {
		return "", damaged(fmt.Errorf("there is no shared string %d", n))
	}
	from := int64(0)
	if n > 0 {
		from = s.ends[n-1]
	}
	text := make([]byte, s.ends[n]-from)
	if _, err := io.ReadFull(io.NewSectionReader(s.f, from, int64(len(text))), text); err != nil {
		return "", err
	}
	return string(text), nil
}
