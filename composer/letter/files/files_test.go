package files

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/composer/letter/mime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// campaign is a folder in a test. Files are written to dir.
type campaign struct {
	*Folder
	t    testing.TB
	dir  string
	temp string
}

func newCampaign(t testing.TB, change ...func(*Options)) *campaign {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Root: root, TempDir: t.TempDir(), MaxSize: 25_000_000, Campaign: "spring"}
	for _, c := range change {
		c(&o)
	}
	c := &campaign{New(o), t, dir, o.TempDir}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), root.Close()); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(c.temp); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return c
}

func (c *campaign) write(name, data string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(data), 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

// replace puts a new file in the place of another.
func (c *campaign) replace(name, data string) {
	c.t.Helper()
	c.write(name+".new", data)
	if err := os.Rename(filepath.Join(c.dir, name+".new"), filepath.Join(c.dir, name)); err != nil {
		c.t.Fatal(err)
	}
}

// touch gives a file another time of change.
func (c *campaign) touch(name string) {
	c.t.Helper()
	at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(c.dir, name), at, at); err != nil {
		c.t.Fatal(err)
	}
}

// text gets a file and gives what letters would hold.
func (c *campaign) text(name string) (string, error) {
	f, err := c.Get(c.t.Context(), name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return decoded(c.t, f), nil
}

func decoded(t testing.TB, f *File) string {
	t.Helper()
	var b bytes.Buffer
	if n, err := f.WriteTo(&b); err != nil || n != f.Size() || int64(b.Len()) != n {
		t.Errorf("wrote %d of %d, %v", n, f.Size(), err)
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(b.String(), "\r\n", ""))
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// Whatever a path leads to: it is a file of the folder, or refused without being opened.
func TestPaths(t *testing.T) {
	c := newCampaign(t, func(o *Options) { o.MaxSize = 1000 })
	c.write("a.pdf", "A")
	c.write("dir/b.pdf", "B")
	c.write("empty", "")
	c.write("big", strings.Repeat("x", 1000))
	c.write("locked", "L")
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("S"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(c.dir, name) }
	if err := errors.Join(
		mkfifo(in("fifo")), os.Symlink("dir/b.pdf", in("in.pdf")), os.Symlink("dir", in("folder")), os.Symlink(outside, in("out.pdf")),
		os.Symlink(filepath.Dir(outside), in("outside")), os.Symlink("../../../../../etc/passwd", in("up.pdf")), os.Symlink("gone", in("dangling")),
		os.Symlink("/dev/zero", in("zero")), os.Symlink("loop", in("loop")), os.Symlink("fifo", in("pipe")), os.Chmod(in("locked"), 0),
	); err != nil {
		t.Fatal(err)
	}
	for _, path := range []struct{ name, want, fault string }{
		{"a.pdf", "A", ""}, {"./a.pdf", "A", ""}, {"dir/b.pdf", "B", ""}, {"dir//b.pdf", "B", ""}, {"dir/../a.pdf", "A", ""},
		{"in.pdf", "B", ""}, {"folder/b.pdf", "B", ""}, {"empty", "", ""},
		{"gone.pdf", "", "no such file"}, {"dangling", "", "no such file"}, {"gone/a.pdf", "", "no such file"}, {"a.pdf/b", "", "not a directory"},
		{"", "", "it names no file"}, {".", "", "it names no file"}, {"dir", "", "it is no regular file"}, {"dir/", "", "it is no regular file"},
		{"folder", "", "it is no regular file"}, {"fifo", "", "it is no regular file"}, {"pipe", "", "it is no regular file"},
		{"..", "", "it leads out"}, {"../a.pdf", "", "it leads out"}, {"dir/../../a.pdf", "", "it leads out"}, {"/etc/passwd", "", "it leads out"},
		{"out.pdf", "", "escapes"}, {"outside/secret", "", "escapes"}, {"up.pdf", "", "escapes"}, {"zero", "", "escapes"}, {"loop", "", "loop"},
		{`dir\b.pdf`, "", `it holds a \`}, {`..\a.pdf`, "", `it holds a \`}, {"a.pdf\x00.txt", "", "control character U+0000"},
		{"a\nb", "", "line break"}, {"a\xff", "", "UTF-8"}, {strings.Repeat("x", 300), "", "too long"}, {"big", "", "larger than max_message, 1000 octets"},
	} {
		got, err := c.text(path.name)
		if path.fault == "" {
			if err != nil || got != path.want {
				t.Errorf("%q: %q, %v; want %q", path.name, got, err, path.want)
			}
			continue
		}
		if fault := (*Fault)(nil); !errors.As(err, &fault) || fault.Path != path.name || !strings.Contains(err.Error(), path.fault) {
			t.Errorf("%q: %q, %v; want %q", path.name, got, err, path.fault)
		}
	}
	if os.Getuid() != 0 { // root may read it
		if _, err := c.text("locked"); !errors.Is(err, os.ErrPermission) {
			t.Errorf("an unreadable file: %v", err)
		}
	}
}

// A device that lies in the folder is not opened.
func TestDevice(t *testing.T) {
	root, err := os.OpenRoot("/dev")
	if err != nil {
		t.Fatal(err)
	}
	d := New(Options{Root: root, TempDir: t.TempDir(), MaxSize: 1000})
	if _, err := d.Get(t.Context(), "zero"); err == nil || !strings.Contains(err.Error(), "it is no regular file") {
		t.Errorf("a device: %v", err)
	}
	if err := errors.Join(d.Close(), root.Close()); err != nil {
		t.Error(err)
	}
}

// A path that turns from a file into a pipe, and back, at every moment: never waited for, never read as anything else.
func TestPipeInPlaceOfFile(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path+".file", []byte("A"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(mkfifo(path+".fifo"), os.Link(path+".file", path)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			from := path + []string{".fifo", ".file"}[i%2]
			if err := errors.Join(os.Link(from, path+".new"), os.Rename(path+".new", path)); err != nil {
				t.Error(err)
				return
			}
			// Two links of one file: rename does nothing and the new one stays.
			if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	opened := 0
	for range 5000 {
		f, _, err := Open(root, "a")
		if err != nil {
			continue
		}
		opened++
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || string(b) != "A" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	close(stop)
	wg.Wait()
	if err := root.Close(); err != nil {
		t.Error(err)
	}
	if opened == 0 || opened == 5000 {
		t.Errorf("opened %d of 5000 times: nothing was tried", opened)
	}
}

// From its first use on, a path gives the same content in one run, or nothing.
func TestChanges(t *testing.T) {
	for _, size := range []int{10, inMemory + 10} {
		one, two := strings.Repeat("1", size), strings.Repeat("2", size)
		for name, step := range map[string]struct {
			change func(c *campaign)
			want   string // "": one
		}{
			"nothing":         {func(*campaign) {}, ""},
			"touched":         {func(c *campaign) { c.touch("a") }, ""},
			"written alike":   {func(c *campaign) { c.replace("a", one) }, ""},
			"replaced":        {func(c *campaign) { c.replace("a", two) }, "changed since"},
			"overwritten":     {func(c *campaign) { c.write("a", two); c.touch("a") }, "changed since"},
			"longer":          {func(c *campaign) { c.write("a", one+"1") }, "changed since"},
			"gone":            {func(c *campaign) { _ = os.Remove(filepath.Join(c.dir, "a")) }, "no such file"},
			"changed back":    {func(c *campaign) { c.replace("a", two); _, _ = c.text("a"); c.replace("a", one) }, ""},
			"now a directory": {func(c *campaign) { _ = os.Remove(filepath.Join(c.dir, "a")); c.write("a/b", "") }, "no regular file"},
		} {
			c := newCampaign(t)
			c.write("a", one)
			held, err := c.Get(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			step.change(c)
			got, err := c.text("a")
			switch {
			case step.want == "" && (err != nil || got != one):
				t.Errorf("%s: %.9q, %v", name, got, err)
			case step.want != "" && !strings.Contains(fmt.Sprint(err), step.want):
				t.Errorf("%s: %.9q, %v; want %q", name, got, err, step.want)
			}
			if decoded(t, held) != one {
				t.Errorf("%s: a letter in the writing changed with it", name)
			}
			held.Close()
		}
	}
}

// A file that need not be there stays away once it was not, and must stay once it was.
func TestFind(t *testing.T) {
	c := newCampaign(t)
	c.write("there", "T")
	find := func(name string) string {
		f, err := c.Find(t.Context(), name)
		if err != nil {
			return err.Error()
		}
		if f == nil {
			return "none"
		}
		defer f.Close()
		return decoded(t, f)
	}
	if got := find("there"); got != "T" {
		t.Error(got)
	}
	if got := find("x/gone"); got != "none" {
		t.Error(got)
	}
	c.write("x/gone", "G")
	if got := find("x/./gone"); got != "none" {
		t.Error("what was left out came back: " + got)
	}
	if _, err := c.text("x/gone"); err == nil || !strings.Contains(err.Error(), "it was not there when") {
		t.Errorf("what was left out, where it must be: %v", err)
	}
	if err := os.Remove(filepath.Join(c.dir, "there")); err != nil {
		t.Fatal(err)
	}
	if got := find("there"); got != "there: it is gone since it was first used in this run" {
		t.Error(got)
	}
	if got := find("../x"); !strings.Contains(got, "leads out") {
		t.Error("only a missing file may be left out: " + got)
	}
}

// Trouble with our own temporary files is no fault of a row.
func TestNoTemp(t *testing.T) {
	c := newCampaign(t)
	c.write("a", "A")
	d := New(Options{Root: c.o.Root, TempDir: filepath.Join(c.dir, "gone"), MaxSize: 1 << 30})
	for name, get := range map[string]func(context.Context, string) (*File, error){"get": d.Get, "find": d.Find} {
		_, err := get(t.Context(), "a")
		if fault := (*Fault)(nil); err == nil || errors.As(err, &fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f, err := d.Find(t.Context(), "none"); err == nil {
		t.Errorf("%v without a place to note it", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range readers {
		c.slots <- struct{}{}
	}
	if _, err := c.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cut context: %v", err)
	}
	for range readers {
		<-c.slots
	}
}

// The content id is that of the content, within a campaign.
func TestInline(t *testing.T) {
	c, other := newCampaign(t), newCampaign(t, func(o *Options) { o.Campaign = "autumn" })
	for _, d := range []*campaign{c, other} {
		d.write("logo.png", "PNG")
		d.write("x/same.png", "PNG")
		d.write("photo.jpg", "JPG")
	}
	one, id, err := c.Inline(t.Context(), "logo.png")
	if err != nil {
		t.Fatal(err)
	}
	if two, again, err := c.Inline(t.Context(), "x/same.png"); err != nil || two != one || again != id {
		t.Errorf("the same content: %v, %q and %q, %v", two == one, id, again, err)
	}
	if _, photo, err := c.Inline(t.Context(), "photo.jpg"); err != nil || photo == id {
		t.Errorf("other content has the id %q, %v", photo, err)
	}
	if _, autumn, err := other.Inline(t.Context(), "logo.png"); err != nil || autumn == id {
		t.Errorf("another campaign has the id %q, %v", autumn, err)
	}
	if strings.Trim(strings.TrimSuffix(id, "@mailblast"), "abcdefghijklmnopqrstuvwxyz234567") != "" || len(id) != 32+len("@mailblast") {
		t.Errorf("the id %q needs escaping", id)
	}
	var h mime.Header
	b := mime.NewBody(&h, []mime.Part{{Type: "text/html", Text: []byte("x\r\n"), Inline: []*mime.Attachment{one}}}, nil, "b")
	var out strings.Builder
	if _, err := b.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Content-ID: <" + id + ">", "Content-Type: image/png", `Content-Disposition: inline; filename="logo.png"`, "\r\nUE5H\r\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the letter lacks %q:\n%s", want, out.String())
		}
	}
	if _, _, err := c.Inline(t.Context(), "gone.png"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing image: %v", err)
	}
}
