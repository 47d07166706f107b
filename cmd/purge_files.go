package cmd

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// leavings are what lies in a state directory, below it: what is removed, and files that nobody can judge but the user.
type leavings struct {
	dir          string
	all          bool // journals that were set aside, too
	alone        bool // nothing but mailblast is at home there
	remove, left []string
}

// leftovers finds the files of people that mailblast wrote. In a directory that may be the user's own, too, only those are ours
// whose names mailblast alone gives: a letter or a report there may be one that somebody keeps.
func leftovers(dir string, all bool) (remove, left []string, err error) {
	l := &leavings{dir: dir, all: all}
	if l.alone, err = itsOwn(dir); err == nil {
		err = fs.WalkDir(os.DirFS(dir), ".", l.see) // the directory itself may be a link
	}
	if err != nil {
		return nil, nil, failf(exitIO, "%w", err)
	}
	return l.remove, l.left, nil
}

// itsOwn tells of a state directory that was made to be one: by its name, and as no campaign lies in it.
func itsOwn(dir string) (bool, error) {
	if filepath.Base(dir) != ".mailblast" {
		return false, nil
	}
	_, err := os.Lstat(filepath.Join(dir, defaultFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// disposal is what becomes of a file or a folder.
type disposal int

const (
	stays  disposal = iota // it has nothing of people, or is purged as what it is: the journal
	opened                 // a folder: look at what is in it
	goes
	told // to the user, who must judge it
)

func (l *leavings) see(name string, d fs.DirEntry, err error) error {
	if err != nil || name == "." {
		return err
	}
	f, err := l.judge(name, d)
	switch f {
	case goes:
		l.remove = append(l.remove, name)
	case told:
		l.left = append(l.left, name)
	}
	if err == nil && d.IsDir() && f != opened {
		err = fs.SkipDir
	}
	return err
}

var (
	// ownNames are of files without anything of people, and of the journal. A draft is of a secret or a schema that a killed
	// process was about to make.
	ownNames = regexp.MustCompile(`^((\.gitignore|schema\.json|secret)(\.[A-Z2-7]+\.new)?|(shared/)?journal\.mark|journal\.(db(-wal|-shm|-journal)?|runs|ballast|probe))$`)
	// tempNames are of what a process that was killed leaves of a run, and of a file that was asked for.
	tempNames = regexp.MustCompile(`^tmp/((rows|stdin|strings|repeats|attachments|pins|\.spill)-[0-9]+$|mailblast-capture-[0-9]+/)|(^|/)\.mailblast\.[A-Z2-7]{26}\.new$`)
)

func (l *leavings) judge(name string, d fs.DirEntry) (disposal, error) {
	switch {
	case d.IsDir() && name == "journal.repair", tempNames.MatchString(name) && !d.IsDir():
		return goes, nil // a repair that was cut begins anew, and none is under way
	case d.IsDir() && strings.HasPrefix(name, "journal.damaged-"):
		if l.all {
			return goes, nil
		}
		return told, nil
	case d.IsDir() && name != "locks":
		return opened, nil
	case d.IsDir() || ownNames.MatchString(name) || path.Base(name) == outMark:
		return stays, nil
	case !l.alone:
		return told, nil
	case strings.HasPrefix(name, "tmp/"):
		return goes, nil
	}
	ours, err := ofPeople(filepath.Join(l.dir, name), d)
	if ours && err == nil {
		return goes, nil
	}
	return told, err
}

// How what mailblast writes of people begins: reports as JSON and text, events of a send, letters as mbox. A report as CSV is
// known by how its first line ends.
var (
	writings = regexp.MustCompile(`^(\{\s*"v": ?1,\s*"(run|type)":|From mailblast |.* (finished in|not finished,) .*\n  sent +[0-9])`)
	csvTail  = []byte(",error,smtp_code,enhanced_code,tried_at\n")
)

// ofPeople tells whether mailblast wrote a file of people: a letter or a report.
func ofPeople(file string, d fs.DirEntry) (bool, error) {
	if !d.Type().IsRegular() {
		return false, nil
	}
	if strings.EqualFold(filepath.Ext(file), ".eml") {
		return true, nil
	}
	f, err := os.Open(file)
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
		if err := os.RemoveAll(filepath.Join(p.dir, name)); err != nil {
			errs = append(errs, err)
			continue
		}
		for d := path.Dir(name); d != "." && d != "tmp"; d = path.Dir(d) {
			if os.Remove(filepath.Join(p.dir, d)) != nil {
				break // it holds more
			}
		}
	}
	return errors.Join(append(errs, syncDir(p.dir))...)
}
