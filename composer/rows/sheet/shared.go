package sheet

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
)

// shared are the strings that cells refer to by number, in files: a workbook of a few octets may have many millions.
type shared struct {
	texts, ends *os.File // the strings, one behind the other; where each ends, in 8 octets (little endian), a 0 before the first
	names       []string // to be removed; those that are not are removed already
	count       int
}

func (s *shared) close() {
	for _, f := range []*os.File{s.texts, s.ends} {
		if f != nil {
			_ = f.Close() // nothing in it is wanted any more
		}
	}
	for _, name := range s.names {
		_ = os.Remove(name) // nothing to be done about it
	}
}

// create makes a file that is gone even when the process is killed, where the system allows it.
func (s *shared) create(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "strings-*") // mode 0600
	if err != nil {
		return nil, unwritable(err)
	}
	if os.Remove(f.Name()) != nil {
		s.names = append(s.names, f.Name())
	}
	return f, nil
}

func (b *Book) shareStrings(part string) (*shared, error) {
	s := &shared{}
	err := s.fill(b, part)
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// fill reads the strings from their part.
func (s *shared) fill(b *Book, part string) (err error) {
	if s.texts, err = s.create(b.dir); err != nil {
		return err
	}
	if s.ends, err = s.create(b.dir); err != nil {
		return err
	}
	texts, ends := bufio.NewWriterSize(s.texts, 1<<16), bufio.NewWriterSize(s.ends, 1<<16)
	size, end := uint64(0), make([]byte, 8)
	if _, err := ends.Write(end); err != nil {
		return unwritable(err)
	}
	err = b.each(part, func(p *reader, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		if s.count == maxStrings {
			return many(part, maxStrings, "shared strings")
		}
		text, err := p.text()
		if err != nil {
			return err
		}
		s.count++
		size += uint64(len(text))
		binary.LittleEndian.PutUint64(end, size)
		_, err = texts.WriteString(text)
		_, failed := ends.Write(end)
		return unwritable(errors.Join(err, failed))
	})
	if err != nil {
		return err
	}
	return unwritable(errors.Join(texts.Flush(), ends.Flush()))
}

func unwritable(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Full: true, Text: err.Error(), Err: err}
}

func (s *shared) at(n int) (string, error) {
	if s == nil || n < 0 || n >= s.count {
		return "", damaged(fmt.Errorf("there is no shared string %d", n))
	}
	var bounds [16]byte
	if _, err := io.ReadFull(io.NewSectionReader(s.ends, int64(n)*8, 16), bounds[:]); err != nil {
		return "", err
	}
	from, to := binary.LittleEndian.Uint64(bounds[:8]), binary.LittleEndian.Uint64(bounds[8:])
	text := make([]byte, to-from)
	if _, err := io.ReadFull(io.NewSectionReader(s.texts, int64(from), int64(len(text))), text); err != nil {
		return "", err
	}
	return string(text), nil
}
