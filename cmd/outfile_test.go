package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// A file that does not fit is not there at all, and what was there before is as it was.
func TestFaultOutFile(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, _ string) string {
		if verb == "RCPT" {
			return "550 5.1.1 " + strings.Repeat("nobody is at home here ", 15)
		}
		return ""
	}})
	var people []string
	for i := range 300 {
		people = append(people, fmt.Sprintf("p%d@x.test", i))
	}
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list(people...),
	})
	s.run("send").exits(exitOK)
	s.write("precious/all.csv", "precious\n")
	if err := os.Symlink("precious/all.csv", filepath.Join(s.dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	reports := [][]string{{"report", "-o", "csv"}, {"journal", "export"}}
	places := []string{"precious/all.csv", "link.csv", "new.csv"}
	s.wrap = []string{"sh", "-c", `ulimit -f 80; exec "$@"`, "sh"} // no file past some 40 or 80 kB
	for i, args := range reports {
		for _, to := range places[2*i:] {
			s.run(append(args, "--out", to)...).exits(exitIO).says(filepath.Base(strings.Replace(to, "link", "all", 1))+": file too large", "hint: ")
			s.lies(map[string]string{"precious/all.csv": "precious\n"})
		}
	}
	s.wrap = nil
	for i, args := range reports {
		for _, to := range places[2*i:] {
			s.run(append(args, "--out", to)...).exits(exitOK)
			b, err := os.ReadFile(filepath.Join(s.dir, to))
			if err != nil || !strings.Contains(string(b), "p299@x.test") {
				t.Errorf("%q into %s: %d octets, %v", args, to, len(b), err)
			}
			if info, err := os.Stat(filepath.Join(s.dir, to)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%q into %s: %v, %v", args, to, info.Mode(), err)
			}
		}
	}
	if to, err := os.Readlink(filepath.Join(s.dir, "link.csv")); err != nil || to != "precious/all.csv" {
		t.Errorf("the link is %q, %v", to, err)
	}
	if e := s.run("report", "-o", "csv", "--out", "/dev/stdout").exits(exitOK); !strings.Contains(e.out, "p299@x.test") {
		t.Errorf("standard output got %q", e.out)
	}
	s.run("report", "--out", "precious").exits(exitIO).says("--out: open precious: is a directory")
	s.run("report", "--out", "missing/all.csv").exits(exitIO).says("--out: open missing/all.csv: no such file or directory")
	t.Attr("fault", "R9 a report that does not fit")
	t.Attr("expected", "exit 73 naming the file; no half of a report; what was there before stays")
	t.Attr("seen", "report and journal export --out: file too large, hint; no new file, the old one as it was")
}

// lies makes sure that beside the campaign there are these files alone.
func (s *sending) lies(want map[string]string) {
	s.t.Helper()
	for _, pattern := range []string{"*.csv", "precious/*", "*.new", ".*.new", "precious/.*"} {
		found, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, path := range found {
			name, err := filepath.Rel(s.dir, path)
			if name == "list.csv" || name == "link.csv" {
				continue
			}
			b, readErr := os.ReadFile(path)
			if text, ok := want[name]; !ok || string(b) != text || err != nil || readErr != nil {
				s.t.Errorf("%s lies there: %d octets, %v", name, len(b), readErr)
			}
		}
	}
}
