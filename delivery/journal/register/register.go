// Package register is the list of runs that were ever begun in a state directory, in a file of its own beside the journal:
// when the journal is gone, or is another one, the list still tells that people got their mail.
//
//  1. Append adds a line for a run after its first commit and before anything of it is sent, so that a line without a run
//     means a loss, never a crash; and another line when the run reopens failed deliveries, for the same reason;
//  2. Read gives the runs, by what the last line of each says. A line is JSON and a checksum; those that cannot be read are
//     counted. A crash while one is written leaves such a line, of a run that sent nothing yet.
package register

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/sum"
)

// Name of the file.
const Name = "journal.runs"

// Run is what a line says.
type Run struct {
	Begun      time.Time `json:"begun"`
	Campaign   string    `json:"campaign"`
	Key        string    `json:"key,omitempty"`
	Generation int       `json:"generation,omitempty"` // from 0
	ID         uint64    `json:"run"`                  // in the journal
	Journal    string    `json:"journal"`              // its number, in hexadecimal
	Commit     uint64    `json:"commit"`               // the journal has at least so many
	Outcomes   int64     `json:"outcomes,omitempty"`   // its last place before the run
	Intents    int64     `json:"intents,omitempty"`    // likewise
	Retried    int       `json:"retried,omitempty"`    // highest round in which failed or suppressed deliveries were reopened
}

// Name is how people call the run: campaign, campaign/key, and with "#2" the second time everyone gets it.
func (r Run) Name() string {
	name := r.Campaign
	if r.Key != "" {
		name += "/" + r.Key
	}
	if r.Generation > 0 {
		name += "#" + strconv.Itoa(r.Generation+1)
	}
	return name
}

// Is tells whether it is a run of that campaign and key. JSON has no octets that are not UTF-8, so these count as equal.
func (r Run) Is(campaign, key string) bool {
	return plain(r.Campaign) == plain(campaign) && plain(r.Key) == plain(key)
}

func plain(s string) string { return string([]rune(s)) }

// List is what the file says.
type List struct {
	Runs    []Run // in the order in which they were begun
	Damaged int   // lines that cannot be read

	last map[place]string // which journal the last line of a run is of; its place has none
}

// Latest gives the highest generation of a run; of several journals that have it, the one that was told of last.
func (l List) Latest(campaign, key string) (r Run, ok bool) {
	for _, each := range l.Runs {
		last := l.last[place{"", plain(campaign), plain(key), each.Generation}] == each.Journal
		if each.Is(campaign, key) && (!ok || each.Generation > r.Generation || each.Generation == r.Generation && last) {
			r, ok = each, true
		}
	}
	return r, ok
}

// Find gives one generation of a run of a journal.
func (l List) Find(r Run) (found Run, ok bool) {
	for _, each := range l.Runs {
		if each.Is(r.Campaign, r.Key) && each.Generation == r.Generation && each.Journal == r.Journal {
			return each, true
		}
	}
	return Run{}, false
}

const longest = 1 << 16 // of a line that is read

// Read reads the list of a directory. There being none is no error.
func Read(dir string) (l List, err error) {
	l.last = map[place]string{}
	f, err := os.Open(filepath.Join(dir, Name))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	defer func() { _ = f.Close() }()
	in, at := bufio.NewReaderSize(f, longest), map[place]int{}
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // no line of ours
			line, err = []byte("?"), skipLine(in)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return l, fmt.Errorf("%s: %w", f.Name(), err)
		}
		l.add(bytes.TrimRight(line, "\r\n"), at)
		if err != nil {
			return l, nil
		}
	}
}

// place is what makes a run one: several lines may tell of it.
type place struct {
	journal, campaign, key string
	generation             int
}

func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func (l *List) add(line []byte, at map[place]int) {
	if len(line) == 0 {
		return
	}
	r, ok := parse(line)
	if !ok {
		l.Damaged++
		return
	}
	p := place{r.Journal, plain(r.Campaign), plain(r.Key), r.Generation}
	l.last[place{"", p.campaign, p.key, p.generation}] = r.Journal
	if i, known := at[p]; known {
		l.Runs[i] = r
		return
	}
	at[p] = len(l.Runs)
	l.Runs = append(l.Runs, r)
}

// parse reads a line without its end: JSON, a blank, the CRC-32C of the JSON in hexadecimal.
func parse(line []byte) (r Run, ok bool) {
	at := len(line) - 9
	if at < 2 || line[at] != ' ' {
		return r, false
	}
	want, err := hex.DecodeString(string(line[at+1:]))
	if err != nil || !bytes.Equal(want, checksum(line[:at])) {
		return r, false
	}
	return r, json.Unmarshal(line[:at], &r) == nil
}

func checksum(b []byte) []byte {
	c := sum.Of32(b)
	return []byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)}
}

// Append adds a line a run, and has them on disk when it returns.
func Append(dir string, runs ...Run) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", Name, err)
		}
	}()
	var lines []byte
	for _, r := range runs {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines = append(lines, hex.AppendEncode(append(text, ' '), checksum(text))...)
		lines = append(lines, '\n')
	}
	f, err := os.OpenFile(filepath.Join(dir, Name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	cut, made, err := state(f)
	if err != nil {
		return err
	}
	if cut {
		lines = append([]byte{'\n'}, lines...)
	}
	if _, err := f.Write(lines); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if made {
		return disk.Sync(dir)
	}
	return nil
}

// state tells whether the file ends within a line, as a crash leaves it, and whether it is empty.
func state(f *os.File) (cut, empty bool, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, true, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return last[0] != '\n', false, err
}
