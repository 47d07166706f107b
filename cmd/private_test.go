package cmd

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

func walk(t *testing.T, dir string, see func(string, fs.FileInfo)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			see(path, info)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A link in the state directory leads nowhere: what it points at is neither read, nor written, nor given other rights.
func TestLinksInState(t *testing.T) {
	t.Parallel()
	const precious = "precious-0123456789"
	for _, name := range []string{"secret", "journal.db", "tmp", "locks", ".gitignore"} {
		for _, target := range []string{"precious", "missing"} {
			if target == "missing" && name != "secret" && name != "journal.db" {
				continue
			}
			s := newSending(t, map[string]string{"campaign.yaml": campaignHead + "smtp: {host: 127.0.0.1, port: 1, tls: none}\n", "list.csv": list("jo@acme.test")})
			state, file := filepath.Join(s.dir, ".mailblast"), filepath.Join(s.dir, target)
			if err := os.Mkdir(state, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(file, filepath.Join(state, name)); err != nil {
				t.Fatal(err)
			}
			if target == "precious" {
				s.write(target, precious)
				if err := os.Chmod(file, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s.run("send").exits(exitIO).says(name, "symbolic link")
			if e := s.run("check", "--offline"); e.code != exitIO || !strings.Contains(e.out, name) {
				t.Errorf("check: %+v", e)
			}
			if name == "journal.db" && target == "precious" {
				s.run("report").exits(exitIO).says("symbolic link")
				s.run("status").exits(exitIO).says("symbolic link")
			}
			info, err := os.Stat(file)
			switch {
			case target == "missing" && err == nil:
				t.Errorf("%s: what it leads to was made", name)
			case target == "precious" && (err != nil || info.Mode().Perm() != 0o644 || info.Size() != int64(len(precious))):
				t.Errorf("%s: what it leads to was changed: %v, %v", name, info, err)
			}
		}
	}
}

// A state directory that others can write to holds nothing that could be believed.
func TestStateOfOthers(t *testing.T) {
	t.Parallel()
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + "smtp: {host: 127.0.0.1, port: 1, tls: none}\n", "list.csv": list("jo@acme.test")})
	state := filepath.Join(s.dir, ".mailblast")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(".mailblast/journal.db", "")
	for _, mode := range []os.FileMode{0o770, 0o702, 0o1777} {
		if err := os.Chmod(state, mode&0o777); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"send"}, {"report"}, {"status"}, {"init", "sub", "--force"}} {
			s.run(args...).exits(exitIO).says("others may write to it")
		}
		if e := s.run("check", "--offline"); e.code != exitIO || !strings.Contains(e.out, "others may write to it") {
			t.Errorf("check: %+v", e)
		}
	}
	if entries, err := os.ReadDir(state); err != nil || len(entries) != 1 {
		t.Errorf("something was written there: %v, %v", entries, err)
	}
}

// A secret that came back from a backup with other rights is taken from the sight of others.
func TestSecretIsMadePrivate(t *testing.T) {
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + "smtp: {host: 127.0.0.1, port: " + strconv.Itoa(p.Port()) + ", tls: none}\n", "list.csv": list("jo@acme.test")})
	s.write(".mailblast/secret", "0123456789abcdef\n")
	path := filepath.Join(s.dir, ".mailblast", "secret")
	for _, dir := range []string{filepath.Dir(path), path} {
		if err := os.Chmod(dir, 0o644|0o111); err != nil {
			t.Fatal(err)
		}
	}
	s.run("send").exits(exitOK)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// Who had a report open sees nothing of the next one, and a link that lies where letters are to be written is not followed.
func TestNewFilesTakeThePlaceOfOld(t *testing.T) {
	t.Parallel()
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + "smtp: {host: 127.0.0.1, port: " + strconv.Itoa(p.Port()) + ", tls: none}\n",
		"list.csv": list("jo@acme.test"), "all.csv": "old", "precious": "precious"})
	report := filepath.Join(s.dir, "all.csv")
	if err := os.Chmod(report, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(report)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	s.run("send").exits(exitOK)
	s.run("report", "-o", "csv", "--out", "all.csv").exits(exitOK)
	if b, err := io.ReadAll(f); err != nil || string(b) != "old" {
		t.Errorf("the old file reads %q, %v", b, err)
	}
	if b, err := os.ReadFile(report); err != nil || !strings.Contains(string(b), "jo@acme.test") {
		t.Errorf("the new file reads %q, %v", b, err)
	}
	letters := filepath.Join(s.dir, "captured")
	if err := os.Mkdir(letters, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../precious", filepath.Join(letters, "000001-jo@acme.test.eml")); err != nil {
		t.Fatal(err)
	}
	s.run("send", "-n=captured").exits(exitOK)
	if b, err := os.ReadFile(filepath.Join(s.dir, "precious")); err != nil || string(b) != "precious" {
		t.Errorf("the link was followed: %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(letters, "000001-jo@acme.test.eml")); err != nil || !strings.Contains(string(b), "spring is here") {
		t.Errorf("%q, %v", b, err)
	}
}
