package capture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/delivery/capture/refuse"
	"github.com/mailblast/mailblast/delivery/capture/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves until the test ends, on free loopback ports.
func start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.SMTP == "" {
		o.SMTP = "127.0.0.1:0"
	}
	if o.HTTP == "" {
		o.HTTP = "127.0.0.1:0"
	}
	o.Dir = t.TempDir()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return s
}

func send(t testing.TB, s *Server, body string, to ...string) error {
	t.Helper()
	return smtp.SendMail(s.SMTPAddr(), nil, "news@acme.example", to, []byte(body))
}

func mustSend(t testing.TB, s *Server, body string, to ...string) {
	t.Helper()
	if err := send(t, s, body, to...); err != nil {
		t.Fatal(err)
	}
}

func letter(to, subject string) string {
	return "From: Ana at Acme <ana@acme.example>\r\nTo: " + to + "\r\nSubject: " + subject +
		"\r\nMessage-ID: <1@acme.example>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nHello there\r\n.dot\r\n"
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func do(t testing.TB, method, url, body string, edit func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func get(t testing.TB, s *Server, path string, into any) string {
	t.Helper()
	resp, b := do(t, "GET", s.URL()+path, "", nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s", path, resp.Status, b)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(b), into); err != nil {
			t.Fatalf("GET %s: %v in %s", path, err, b)
		}
	}
	return b
}

func TestKeepsMessagesAsTheyCame(t *testing.T) {
	s := start(t, Options{})
	body := letter("Bob <bob@gmail.example>", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
	mustSend(t, s, body, "bob@gmail.example", "blind@other.example")
	if raw := get(t, s, "/api/v1/message/latest/raw", nil); raw != body {
		t.Errorf("raw = %q, want %q", raw, body)
	}
	var m fullMessage
	get(t, s, "/api/v1/message/latest", &m)
	if m.Subject != "Grüße" || m.From != (view.Address{Name: "Ana at Acme", Address: "ana@acme.example"}) || m.Text != "Hello there\r\n.dot\r\n" {
		t.Errorf("message = %+v", m)
	}
	if m.ReturnPath != "news@acme.example" || len(m.Envelope.To) != 2 || len(m.Bcc) != 1 || m.Bcc[0].Address != "blind@other.example" {
		t.Errorf("envelope = %+v, bcc = %v", m.Envelope, m.Bcc)
	}
	st := s.Stats()
	if st.Messages != 1 || st.Recipients != 2 || st.Stored != 1 || st.Bytes != int64(len(body)) || len(st.Domains) != 2 {
		t.Errorf("stats = %+v", st)
	}
}

func TestKeepDropsTheOldest(t *testing.T) {
	s := start(t, Options{Keep: 10})
	for i := range 35 {
		mustSend(t, s, letter("bob@a.example", fmt.Sprint(i)), "bob@a.example")
	}
	var l messageList
	get(t, s, "/api/v1/messages?start=2&limit=3", &l)
	if l.Total != 10 || l.Count != 3 || l.Messages[0].Subject != "32" || l.Messages[2].Subject != "30" {
		t.Errorf("list = %+v", l)
	}
	if st := s.Stats(); st.Messages != 35 || st.Stored != 10 {
		t.Errorf("stats = %+v", st)
	}
}

func TestDelete(t *testing.T) {
	s := start(t, Options{})
	for i := range 5 {
		mustSend(t, s, letter("bob@a.example", fmt.Sprint(i)), "bob@a.example")
	}
	var l messageList
	get(t, s, "/api/v1/messages", &l)
	ids, _ := json.Marshal(map[string]any{"IDs": []string{l.Messages[0].ID, l.Messages[2].ID, "none", "x-1"}})
	if resp, b := do(t, "DELETE", s.URL()+"/api/v1/messages", string(ids), nil); resp.StatusCode != 200 || b != "ok" {
		t.Fatalf("%s %s", resp.Status, b)
	}
	gone := l.Messages[0].ID
	get(t, s, "/api/v1/messages", &l)
	if l.Total != 3 || l.Unread != 3 || l.Messages[0].Subject != "3" || l.Messages[1].Subject != "1" {
		t.Errorf("list = %+v", l)
	}
	if resp, _ := do(t, "GET", s.URL()+"/api/v1/message/"+gone, "", nil); resp.StatusCode != 404 {
		t.Errorf("deleted message: %s", resp.Status)
	}
	if resp, _ := do(t, "DELETE", s.URL()+"/api/v1/messages", "{", nil); resp.StatusCode != 400 {
		t.Errorf("broken JSON: %s", resp.Status)
	}
	do(t, "DELETE", s.URL()+"/api/v1/messages", "", nil)
	if st := s.Stats(); st.Stored != 0 || st.Messages != 5 {
		t.Errorf("stats = %+v", st)
	}
	if resp, _ := do(t, "GET", s.URL()+"/api/v1/message/latest", "", nil); resp.StatusCode != 404 {
		t.Errorf("latest of none: %s", resp.Status)
	}
}

func TestDiscardOnlyCounts(t *testing.T) {
	s := start(t, Options{Discard: true})
	mustSend(t, s, letter("bob@a.example", "x"), "bob@a.example")
	if st := s.Stats(); st.Messages != 1 || st.Stored != 0 {
		t.Errorf("stats = %+v", st)
	}
	if size, _ := s.store.Usage(); size != 0 {
		t.Errorf("%d octets are kept", size)
	}
}

func TestLatencyDelaysTheLastReply(t *testing.T) {
	s := start(t, Options{Latency: 60 * time.Millisecond})
	began := time.Now()
	mustSend(t, s, letter("bob@a.example", "x"), "bob@a.example")
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestEndingCutsLatency(t *testing.T) {
	s, err := New(Options{SMTP: "127.0.0.1:0", Latency: time.Hour, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	served, sent := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	go func() {
		sent <- smtp.SendMail(s.SMTPAddr(), nil, "a@acme.example", []string{"bob@a.example"}, []byte(letter("bob@a.example", "x")))
	}()
	for count(s.smtp) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := <-sent; err == nil {
		t.Error("accepted although the server ended")
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	const clients, each = 20, 25
	s := start(t, Options{Keep: 200, Random: rand.New(rand.NewPCG(1, 2)), Fail: mustFail(t, "data 10%=451")})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				to := fmt.Sprintf("u%d@d%d.example", i, c)
				if err := send(t, s, letter(to, to), to); err != nil && !strings.Contains(err.Error(), "451") {
					t.Error(err)
				}
			}
		}()
	}
	go func() {
		defer close(stop)
		wg.Wait()
	}()
	for reading := true; reading; {
		select {
		case <-stop:
			reading = false
		default:
			var l messageList
			get(t, s, "/api/v1/messages?limit=20", &l)
			for _, m := range l.Messages {
				if len(m.To) != 1 || m.Subject != m.To[0].Address {
					t.Errorf("mixed up: %+v", m)
				}
			}
		}
	}
	st := s.Stats()
	if st.Messages+st.Refused != clients*each || st.Stored != int(min(200, st.Messages)) || st.Refused == 0 {
		t.Errorf("stats = %+v", st)
	}
}

func TestExport(t *testing.T) {
	s := start(t, Options{})
	body := letter("bob@a.example", "x")
	mustSend(t, s, body, "bob@a.example")
	mustSend(t, s, body, "o'neil/../x@a.example")
	dir := filepath.Join(t.TempDir(), "out")
	n, err := s.Export(t.Context(), dir)
	if err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "000001-bob@a.example.eml"))
	if err != nil || string(b) != body {
		t.Errorf("%q, %v", b, err)
	}
	fi, err := os.Stat(filepath.Join(dir, "000002-o_neil_.._x@a.example.eml"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if fi, _ := os.Stat(dir); fi.Mode().Perm() != 0o700 {
		t.Errorf("directory mode %v", fi.Mode())
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"smtp reachable by others": {SMTP: "0.0.0.0:0"},
		"http reachable by others": {SMTP: "127.0.0.1:0", HTTP: ":0"},
		"user without password":    {SMTP: "127.0.0.1:0", User: "ana"},
		"negative keep":            {SMTP: "127.0.0.1:0", Keep: -1},
		"no port":                  {SMTP: "127.0.0.1"},
	} {
		if s, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
			_ = s.Close()
		}
	}
	s, err := New(Options{SMTP: "0.0.0.0:0", HTTP: "0.0.0.0:0", User: "ana", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func count(l *listener) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func mustFail(t testing.TB, spec string) []refuse.Rule {
	t.Helper()
	rules, err := refuse.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func BenchmarkAccept(b *testing.B) {
	s := start(b, Options{})
	body := []byte(letter("bob@a.example", "x") + strings.Repeat("some text that makes it a letter of usual size\r\n", 200))
	b.SetBytes(int64(len(body)))
	b.RunParallel(func(pb *testing.PB) {
		c, err := smtp.Dial(s.SMTPAddr())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		for pb.Next() {
			if err := transact(c, body); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func transact(c *smtp.Client, body []byte) error {
	if err := c.Mail("news@acme.example"); err != nil {
		return err
	}
	if err := c.Rcpt("bob@a.example"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Close()
}

func TestFailOverSMTP(t *testing.T) {
	s := start(t, Options{Fail: mustFail(t, "bob@x.example=550 5.1.1 no such user, ann@x.example once=451 4.7.1 greylisted, data cy@x.example=554 5.7.1 no")})
	for _, step := range [][2]string{{"bob@x.example", "550 5.1.1 no such user"}, {"ann@x.example", "451 4.7.1 greylisted"}, {"ann@x.example", ""}, {"cy@x.example", "554 5.7.1 no"}} {
		err := send(t, s, letter(step[0], "x"), step[0])
		if (err == nil) != (step[1] == "") || err != nil && strings.ReplaceAll(err.Error(), "\"", "") != step[1] {
			t.Errorf("%s: %v, want %q", step[0], err, step[1])
		}
	}
	if st := s.Stats(); st.Messages != 1 || st.Refused != 3 || st.Domains[0] != (Domain{"x.example", 1, 3}) {
		t.Errorf("stats %+v", st)
	}
}
