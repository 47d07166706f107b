package cmd

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
)

// letterRead is a letter as a reader understood it, in a form that can be compared.
type letterRead struct {
	File    string     `json:"file,omitempty"`
	Subject string     `json:"subject"`
	From    []mailbox  `json:"from"`
	To      []mailbox  `json:"to"`
	Cc      []mailbox  `json:"cc,omitempty"`
	Text    string     `json:"text,omitempty"`
	HTML    string     `json:"html,omitempty"`
	Files   []fileRead `json:"files,omitempty"`
	Defects []string   `json:"defects,omitempty"`
}

type mailbox struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// fileRead is an attachment or an inline image.
type fileRead struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
	Inline bool   `json:"inline,omitempty"`
	ID     string `json:"id,omitempty"`
}

// letterReaders are the parsers; those beside enmime are programs in testdata/letters/readers. The first one writes the
// files of wanted results.
var letterReaders = []letterReader{
	{name: "python", command: []string{"python3", "python.py"}, install: "python3"},
	{name: "enmime"},
	{name: "mailparser", command: []string{"node", "mailparser.js"}, install: "npm", module: "mailparser@3"},
	{name: "postal-mime", command: []string{"node", "postal-mime.js"}, install: "npm", module: "postal-mime@2"},
	{name: "email-mime", command: []string{"perl", "email-mime.pl"}, install: "libemail-mime-perl", check: "use Email::MIME"},
}

// letterReader is one of them.
type letterReader struct {
	name    string
	command []string // program and script; none: in this process
	install string   // package that brings the program
	module  string   // npm's, with its version
	check   string   // Perl that works when all is there
}

func (r letterReader) read(t *testing.T, files []string) []letterRead {
	t.Helper()
	var all []letterRead
	if r.command == nil {
		for _, f := range files {
			all = append(all, readByEnmime(f))
		}
	} else {
		for line := range bytes.Lines(r.run(t, files)) {
			var m letterRead
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, m)
		}
	}
	if len(all) != len(files) {
		t.Fatalf("%d of %d letters are read", len(all), len(files))
	}
	for i := range all {
		all[i].normalise()
	}
	return all
}

// run runs the reader's program on the files.
func (r letterReader) run(t *testing.T, files []string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), need(t, r.command[0], r.install), append([]string{filepath.Join(lettersDir, "readers", r.command[1])}, files...)...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "PYTHONDONTWRITEBYTECODE=1")
	if r.module != "" {
		name, _, _ := strings.Cut(r.module, "@")
		dir := nodeModules(name)
		if dir == "" {
			lack(t, "no "+name+"; npm install --prefix "+filepath.Dir(nodeCache())+" "+r.module)
		}
		c.Env = append(c.Env, "NODE_PATH="+dir)
	}
	if r.check != "" && exec.Command(r.command[0], "-e", r.check).Run() != nil {
		lack(t, "no Perl with "+strings.TrimPrefix(r.check, "use ")+"; install "+r.install)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s: %v\n%s", r.name, err, &errs)
	}
	return out
}

// nodeCache is where .ci/run puts modules of npm.
func nodeCache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "node_modules"
	}
	return filepath.Join(cache, "mailblast-ci", "node_modules")
}

// nodeModules finds the folder that has a module of npm: in NODE_PATH, or where .ci/run puts it.
func nodeModules(name string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("NODE_PATH")), nodeCache()) {
		if _, err := os.Stat(filepath.Join(dir, name, "package.json")); err == nil {
			return dir
		}
	}
	return ""
}

func readByEnmime(file string) letterRead {
	m := letterRead{File: file}
	f, err := os.Open(file)
	must(err)
	defer func() { _ = f.Close() }()
	// what enmime guesses of short texts' charsets is no defect
	env, err := enmime.NewParser(enmime.DisableCharacterDetection(true)).ReadEnvelope(bufio.NewReader(f))
	if err != nil {
		m.Defects = append(m.Defects, err.Error())
		return m
	}
	for _, e := range env.Errors {
		m.Defects = append(m.Defects, e.Error())
	}
	m.Subject = env.GetHeader("Subject")
	for key, dst := range map[string]*[]mailbox{"From": &m.From, "To": &m.To, "Cc": &m.Cc} {
		if env.GetHeader(key) == "" {
			continue
		}
		list, err := env.AddressList(key)
		if err != nil {
			m.Defects = append(m.Defects, key+": "+err.Error())
		}
		for _, a := range list {
			*dst = append(*dst, mailbox{a.Name, a.Address})
		}
	}
	if env.GetHeader("Bcc") != "" {
		m.Defects = append(m.Defects, "a Bcc field")
	}
	m.HTML, m.Text = env.HTML, env.Text
	if env.Root.DepthMatchFirst(func(p *enmime.Part) bool { return p.ContentType == "text/plain" && p.Disposition == "" }) == nil {
		m.Text = "" // enmime made one from the HTML
	}
	for _, p := range slices.Concat(env.Inlines, env.Attachments, env.OtherParts) {
		m.Files = append(m.Files, fileRead{Name: p.FileName, Type: p.ContentType, Size: len(p.Content), SHA256: fmt.Sprintf("%x", sha256.Sum256(p.Content)),
			Inline: p.Disposition == "inline", ID: p.ContentID})
	}
	return m
}

// secrets of a run: they differ from run to run.
var tokens = regexp.MustCompile(`\bt=[A-Za-z0-9_-]{16,}`)

// normalise makes readings comparable: line ends are \n, an image is referred to by the name of its file, tokens have no
// value, and a text that is long by its length and its sum.
func (m *letterRead) normalise() {
	for i, f := range m.Files {
		if f.ID != "" {
			m.HTML = strings.ReplaceAll(m.HTML, "cid:"+f.ID, "cid:"+f.Name)
			m.Files[i].ID = f.Name
		}
	}
	for _, s := range []*string{&m.Text, &m.HTML} {
		*s = strings.TrimRight(strings.ReplaceAll(*s, "\r\n", "\n"), "\n")
		*s = tokens.ReplaceAllString(*s, "t=TOKEN")
		if len(*s) > 2000 {
			*s = fmt.Sprintf("%.60s… %d characters, sha256 %x", *s, utf8.RuneCountInString(*s), sha256.Sum256([]byte(*s)))
		}
	}
	if len(m.Defects) == 0 {
		m.Defects = nil
	}
}
