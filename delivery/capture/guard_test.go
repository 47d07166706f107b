package capture

import (
	"encoding/base64"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

const hostile = "From: a@acme.example\r\nTo: bob@a.example\r\nSubject: <script>alert(1)</script>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n" +
	"<script>alert(1)</script><img src=http://evil.example/x.png><img src=\"cid:logo\">" +
	"<LINK rel=preconnect href=http://evil.example><iframe srcdoc=\"&lt;link rel=preconnect href=http://evil.example>\">\r\n" +
	"--b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n" +
	"--b\r\nContent-Type: text/html; name=x.html\r\nContent-Disposition: attachment; filename=x.html\r\n\r\n<script>alert(2)</script>\r\n--b--\r\n"

func TestHostIsLoopback(t *testing.T) {
	s := start(t, Options{})
	for host, want := range map[string]int{
		"evil": 403, "evil.example:8025": 403, "127.0.0.1.evil.example": 403, "192.0.2.1": 403, "localhost.evil.example": 403,
		"localhost": 200, "LOCALHOST:1": 200, "127.0.0.1": 200, "[::1]:9": 200,
	} {
		for _, path := range []string{"/", "/api/v1/messages"} {
			if resp, _ := do(t, "GET", s.URL()+path, "", func(r *http.Request) { r.Host = host }); resp.StatusCode != want {
				t.Errorf("Host %s, %s: %s, want %d", host, path, resp.Status, want)
			}
		}
	}
}

func TestOtherSitesCannotDelete(t *testing.T) {
	s := start(t, Options{})
	mustSend(t, s, letter("bob@a.example", "x"), "bob@a.example")
	resp, _ := do(t, "DELETE", s.URL()+"/api/v1/messages", "", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
	if resp.StatusCode != http.StatusForbidden || s.Stats().Stored != 1 {
		t.Errorf("%s, %d stored", resp.Status, s.Stats().Stored)
	}
}

// A message's HTML gets no right to run scripts or to ask other hosts for anything.
func TestMessageHasNoRights(t *testing.T) {
	s := start(t, Options{})
	mustSend(t, s, hostile, "bob@a.example")
	resp, body := do(t, "GET", s.URL()+"/view/latest.html", "", nil)
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "img-src data:;", "sandbox allow-popups"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "script-src") || strings.Contains(policy, "http:") {
		t.Errorf("policy %q gives rights", policy)
	}
	if low := strings.ToLower(body); strings.Contains(low, "<link") || strings.Contains(low, "<iframe") || resp.Header.Get("X-DNS-Prefetch-Control") != "off" {
		t.Errorf("a host can be reached without a request: %s", body)
	}
	if !strings.Contains(body, `src="data:image/png;base64,`+base64.StdEncoding.EncodeToString([]byte("\x89PNG"))) {
		t.Errorf("inline image is not in the page: %s", body)
	}
	resp, _ = do(t, "GET", s.URL()+"/view/latest.html?images=remote", "", nil)
	if p := resp.Header.Get("Content-Security-Policy"); !strings.Contains(p, "img-src data: http: https:;") || !strings.Contains(p, "sandbox") {
		t.Errorf("policy with images: %q", p)
	}
	resp, body = do(t, "GET", s.URL()+"/api/v1/message/latest/part/3", "", nil)
	if resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
		resp.Header.Get("Content-Disposition") != "attachment; filename=x.html" || !strings.Contains(body, "alert(2)") {
		t.Errorf("part: %v %q", resp.Header, body)
	}
}

func TestPagePolicyAllowsItsOwnScriptOnly(t *testing.T) {
	s := start(t, Options{})
	resp, body := do(t, "GET", s.URL()+"/", "", nil)
	policy := resp.Header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none';") || !strings.Contains(policy, hash("script")) {
		t.Errorf("policy %q", policy)
	}
	if strings.Count(body, "<script") != 1 || strings.Count(body, "<style") != 1 || strings.Contains(body, "innerHTML") {
		t.Error("the page has more than one script or style, or writes HTML")
	}
}

func TestPasswordGuardsPageAndSMTP(t *testing.T) {
	s := start(t, Options{User: "ana", Password: "secret"})
	if resp, _ := do(t, "GET", s.URL()+"/", "", nil); resp.StatusCode != 401 {
		t.Errorf("no password: %s", resp.Status)
	}
	if resp, _ := do(t, "GET", s.URL()+"/", "", func(r *http.Request) { r.SetBasicAuth("ana", "secret") }); resp.StatusCode != 200 {
		t.Errorf("with password: %s", resp.Status)
	}
	if err := send(t, s, letter("bob@a.example", "x"), "bob@a.example"); err == nil || !strings.Contains(err.Error(), "530") {
		t.Errorf("without AUTH: %v", err)
	}
	c, err := gosmtp.Dial(s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Auth(sasl.NewPlainClient("", "ana", "secret")); err != nil {
		t.Fatal(err)
	}
	if err := c.SendMail("a@acme.example", []string{"bob@a.example"}, strings.NewReader(letter("bob@a.example", "x"))); err != nil {
		t.Error(err)
	}
}

func TestHostileMessagesAreShown(t *testing.T) {
	s := start(t, Options{})
	for name, body := range map[string]string{
		"no header":      "\r\nhello\r\n",
		"broken header":  "this is no header\r\n\r\nhello\r\n",
		"huge header":    "X: " + strings.Repeat(strings.Repeat("a", 900)+"\r\n ", 1500) + "\r\n\r\nhello\r\n",
		"8-bit":          "Subject: caf\xe9\r\nFrom: \xff\xfe\r\n\r\nna\xefve\x00\r\n",
		"cut multipart":  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello",
		"no boundary":    "Content-Type: multipart/mixed\r\n\r\n--b\r\n",
		"bad base64":     "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n####\r\n",
		"odd charset":    "Content-Type: text/plain; charset=x-none\r\n\r\nhello\r\n",
		"deep multipart": nested(60),
	} {
		mustSend(t, s, body, "bob@a.example")
		var l messageList
		var m fullMessage
		get(t, s, "/api/v1/messages?limit=1", &l)
		get(t, s, "/api/v1/message/latest", &m)
		get(t, s, "/api/v1/message/latest/headers", nil)
		get(t, s, "/view/latest.html", nil)
		if len(l.Messages) != 1 || l.Messages[0].ID != m.ID || len(m.Envelope.To) != 1 {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func nested(n int) string {
	var b strings.Builder
	for i := range n {
		d := string(rune('A'+i%26)) + strings.Repeat("x", i/26)
		b.WriteString("Content-Type: multipart/mixed; boundary=" + d + "\r\n\r\n--" + d + "\r\n")
	}
	return b.String() + "\r\nend\r\n"
}

// A 421 ends the connection, and nothing that was pipelined behind it is taken.
func TestReply421EndsTheConnection(t *testing.T) {
	s := start(t, Options{Fail: mustFail(t, "gmail.example=421 4.7.0 slow down")})
	c, err := textproto.Dial("tcp", s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.PrintfLine("EHLO me\r\nMAIL FROM:<a@acme.example>\r\nRCPT TO:<ok@a.example>\r\nRCPT TO:<x@gmail.example>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n."); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for {
		line, err := c.ReadLine()
		if err != nil {
			break
		}
		lines = append(lines, line)
	}
	if last := lines[len(lines)-1]; last != "421 4.7.0 slow down" {
		t.Errorf("last reply %q", last)
	}
	if st := s.Stats(); st.Messages != 0 || st.Refused != 1 {
		t.Errorf("stats %+v", st)
	}
}
