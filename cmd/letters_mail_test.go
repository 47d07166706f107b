package cmd

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maildir is where Postfix delivers all letters.
type maildir struct {
	kinds   []string
	letters map[string]letterFile // by path
}

// letterFile is one letter in it.
type letterFile struct{ kind, to, id string }

func (box *maildir) files() []string { return slices.Sorted(maps.Keys(box.letters)) }

// deliverLetters sends the campaign of each kind, and waits for the last letter.
func deliverLetters(t *testing.T) *maildir {
	t.Helper()
	relay, dir := startMaildir(t)
	s := &sending{t: t, dir: t.TempDir(), env: relayPassword}
	must(os.CopyFS(s.dir, os.DirFS(lettersDir)))
	common, err := os.ReadFile(filepath.Join(s.dir, "mailblast.yaml"))
	must(err)
	s.write("mailblast.yaml", strings.Replace(string(common), "smtp: capture\n", relay.trusted(), 1))
	makeLetterFiles(s)
	campaigns, err := filepath.Glob(filepath.Join(s.dir, "*/campaign.yaml"))
	if err != nil || len(campaigns) < 15 {
		t.Fatalf("campaigns: %q, %v", campaigns, err)
	}
	box, kindOf := &maildir{letters: map[string]letterFile{}}, map[string]string{}
	for _, path := range campaigns {
		kind := filepath.Base(filepath.Dir(path))
		box.kinds = append(box.kinds, kind)
		for to := range s.run("send", "--json", "-v", path).exits(exitOK).tries() {
			kindOf[to] = kind
		}
	}
	box.collect(t, filepath.Join(dir, "new"), kindOf)
	return box
}

// startMaildir starts a Postfix that delivers whatever is for letters.test into one Maildir.
func startMaildir(t *testing.T) (relay *relayhost, dir string) {
	t.Helper()
	need(t, "postfix", "postfix")
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	must(err)
	relay = startPostfix(t, "", "", "virtual_mailbox_domains = letters.test", "virtual_mailbox_maps = static:all/",
		"virtual_mailbox_base = $queue_directory/../mail", "virtual_uid_maps = static:"+u.Uid, "virtual_gid_maps = static:"+u.Gid)
	base := filepath.Join(relay.dir, "mail")
	must(os.Mkdir(base, 0o700))
	must(os.Chown(base, uid, -1))
	return relay, filepath.Join(base, "all")
}

// collect waits for a letter to each of the recipients.
func (box *maildir) collect(t *testing.T, dir string, kindOf map[string]string) {
	t.Helper()
	var files []os.DirEntry
	await(t, fmt.Sprintf("%d letters in the Maildir", len(kindOf)), func() bool {
		var err error
		files, err = os.ReadDir(dir)
		return err == nil && len(files) >= len(kindOf)
	})
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		b, err := os.ReadFile(path)
		must(err)
		m, err := mail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		to := m.Header.Get("Delivered-To") // Postfix's
		kind, ok := kindOf[to]
		if !ok {
			t.Errorf("a letter too many for %s", to)
			continue
		}
		delete(kindOf, to)
		box.letters[path] = letterFile{kind: kind, to: to, id: m.Header.Get("Message-ID")}
	}
}

// makeLetterFiles makes what is too large, or not text enough, for the repository.
func makeLetterFiles(s *sending) {
	random := rand.New(rand.NewPCG(1, 2))
	octets := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return "%PDF-1.4\n\r\n.\r\n" + string(b)
	}
	s.write("attachment/terms.pdf", octets(5000))
	s.write("megabyte/catalogue.pdf", octets(1<<20))
	s.write("invoice/invoices/2026-0001.pdf", octets(3000))
	s.write("invoice/invoices/2026-0002.pdf", octets(4000))
	s.write("words/list.csv", "email,name,word,umlauts\nwords@letters.test,Jo,"+strings.Repeat("word", 1250)+","+strings.Repeat("Grüße", 1000)+"\n")
	s.write("inline/logo.png", onePixel)
}

// onePixel is a PNG of one pixel.
const onePixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\b\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\xdacd\xf8\xcfP\x0f\x00\x03\x86\x01\x80" +
	"Z4}k\x00\x00\x00\x00IEND\xaeB`\x82"
