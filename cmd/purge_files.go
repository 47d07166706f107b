package cmd

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// leftovers lists what lies in a state directory, below it: the files of people that mailblast writes, to be removed, and
// files that nobody can judge. Journals that were set aside are removed with all.
func leftovers(dir string, all bool) (remove, left []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		skip := error(nil)
		if d.IsDir() {
			skip = fs.SkipDir
		}
		switch {
		case strings.HasPrefix(name, "journal.damaged"):
			if all {
				remove = append(remove, name)
			} else {
				left = append(left, name)
			}
			return skip
		case name == "locks":
			return skip
		case stays(name) || d.IsDir():
			return nil
		case filepath.Dir(name) == "." || !strings.HasPrefix(name, "tmp"+string(filepath.Separator)):
			ours, err := ofPeople(path, d)
			if err != nil {
				return err
			}
			if !ours {
				left = append(left, name)
				return nil
			}
		}
		remove = append(remove, name)
		return nil
	})
	if err != nil {
		return nil, nil, failf(exitIO, "%w", err)
	}
	return remove, left, nil
}

// stays tells of a file that has nothing of people, or is purged as what it is: the journal. A draft is of a secret or a schema
// that a killed process was about to make.
func stays(name string) bool {
	switch name {
	case ".gitignore", "schema.json", "secret":
		return true
	}
	return filepath.Dir(name) == "." && (strings.HasPrefix(name, "journal.") || strings.HasSuffix(name, ".new")) || filepath.Base(name) == outMark
}

// How what mailblast writes of people begins: reports as JSON and text, events of a send, letters as mbox. A report as CSV is
// known by how its first line ends.
var (
	writings = regexp.MustCompile(`^(\{\s*"v": ?1,\s*"(run|type)":|From mailblast |.* (finished in|not finished,) .*\n  sent +[0-9])`)
	csvTail  = []byte(",error,smtp_code,enhanced_code,tried_at\n")
)

// ofPeople tells whether mailblast wrote a file of people: a letter or a report.
func ofPeople(path string, d fs.DirEntry) (bool, error) {
	if !d.Type().IsRegular() {
		return false, nil
	}
	if strings.EqualFold(filepath.Ext(path), ".eml") {
		return true, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	head, err := io.ReadAll(io.LimitReader(f, 1<<20)) // a line of names may be long
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return writings.Match(head) || bytes.HasSuffix(append(line, '\n'), csvTail), err
}

// remove removes the files, and folders that are empty then. What is gone already is as well.
func (p *purging) remove() error {
	var errs []error
	for _, name := range p.files {
		path := filepath.Join(p.dir, name)
		if err := os.RemoveAll(path); err != nil {
			errs = append(errs, err)
			continue
		}
		for d := filepath.Dir(name); d != "." && d != "tmp"; d = filepath.Dir(d) {
			if os.Remove(filepath.Join(p.dir, d)) != nil {
				break // it holds more
			}
		}
	}
	return errors.Join(append(errs, syncDir(p.dir))...)
}
