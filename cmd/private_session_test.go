package cmd

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// umasked has a command make files and folders with the rights it asks for, less those of a umask.
func umasked(umask string) []string {
	return []string{"sh", "-c", "umask " + umask + `; exec "$@"`, "sh"}
}

// closet is a folder of which all that commands make in it is to be their owner's alone.
type closet struct {
	t      *testing.T
	dir    string
	before map[string]bool

	mu   sync.Mutex
	made map[string]bool
}

// look holds the rights of all that was made against what they must be. Files may come and go meanwhile.
func (c *closet) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || c.before[path] {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		name := strings.TrimPrefix(path, c.dir+"/")
		c.made[name] = true
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700 | fs.ModeDir
		}
		if info.Mode() != want {
			c.t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
}

// had demands that there was something of each pattern, so that nothing is praised for not having been there.
func (c *closet) had(patterns ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range patterns {
		re := regexp.MustCompile("^" + p + "$")
		if !slices.ContainsFunc(slices.Collect(maps.Keys(c.made)), re.MatchString) {
			c.t.Errorf("there never was a file %s", p)
		}
	}
}

// Whatever a command writes of people or of secrets is 0600, and a folder 0700, whatever the umask: while it runs, and after
// each of them.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"000", "022"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			s := newSending(t, nil)
			c := &closet{t: t, dir: s.dir, before: map[string]bool{}, made: map[string]bool{}}
			p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, arg string) string {
				if verb == "RCPT" {
					c.look()
				}
				if strings.Contains(arg, "gone@") {
					return "550 5.1.1 no such user"
				}
				return ""
			}})
			relay := fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", p.Port())
			s.write("campaign.yaml", campaignHead+"attachments: [big.bin]\n"+relay)
			s.write("piped.yaml", strings.NewReplacer("name: lab", "name: piped", "list.csv", "'-'").Replace(campaignHead)+relay)
			s.write("list.csv", list("jo@acme.test", "gone@acme.test"))
			s.write("big.bin", strings.Repeat("x", 1<<10))
			s.write("tmp/kept", "")
			walk(t, s.dir, func(path string, _ fs.FileInfo) { c.before[path] = true })
			s.env = []string{"TMPDIR=" + filepath.Join(s.dir, "tmp")}
			s.wrap = umasked(umask)
			s.session(c)
		})
	}
}

// session is every command that writes something. The list of a run, a copy of standard input and what a capture server keeps have
// no names in their folders, and so are seen by nobody.
func (s *sending) session(c *closet) {
	s.t.Helper()
	for _, args := range [][]string{
		{"init", "new/hello"}, {"init", "--sample", "postgres", "new/db"}, {"-C", "new/hello", "send"}, {"check"}, {"preview", "--out", "letters"},
		{"send", "-n"}, {"send", "-n=captured"}, {"suppress", "add", "bob@acme.test"}, {"send", "--report", "sent.json"},
		{"report", "-o", "csv", "--out", "everybody.csv"}, {"report", "-o", "csv", "--only", "failed", "--out", "failed.csv"}, {"report", "--out", "report.txt"},
	} {
		s.run(args...).exits(exitOK)
		c.look()
	}
	was := s.wrap
	s.wrap = append([]string{"sh", "-c", `printf 'email\npiped@acme.test\n' | "$@"`, "sh"}, was...)
	s.run("send", "-y", "piped.yaml").exits(exitOK)
	s.wrap = was
	c.look()
	s.captures(c)
	s.run("purge", "--all", "--yes").exits(exitOK)
	c.look()
	c.had(`\.mailblast/journal\.db`, `\.mailblast/journal\.db-wal`, `\.mailblast/journal\.(mark|runs|ballast)`, `\.mailblast/secret`, `\.mailblast/locks/.*`,
		`letters/.*\.eml`, `captured/.*\.eml`, `\.cache/mailblast/captured/.*\.eml`,
		`sent\.json`, `everybody\.csv`, `failed\.csv`, `report\.txt`, `new/hello/people\.csv`, `new/db/campaign\.yaml`, `tmp/mailblast-capture-[^/]*`)
}

// captures has a capture server take a letter.
func (s *sending) captures(c *closet) {
	s.t.Helper()
	args := append(slices.Clone(s.wrap), "mailblast", "capture", "--smtp", "127.0.0.1:0", "--http", "")
	server := exec.Command(args[0], args[1:]...)
	server.Dir, server.Env = s.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}, s.env...)
	out, err := server.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if m := regexp.MustCompile(`SMTP on (\S+)`).FindStringSubmatch(line); m == nil || err != nil {
		s.t.Errorf("capture said %q, %v", line, err)
	} else {
		s.run("send", "-n="+m[1]).exits(exitOK)
		c.look()
	}
	if err := server.Process.Signal(os.Interrupt); err != nil {
		s.t.Error(err)
	}
	_ = server.Wait() // how it ends is told elsewhere
}
