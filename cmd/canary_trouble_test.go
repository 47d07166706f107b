package cmd

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// Nor does one get out when a login is refused, by a server that says it again or that talks nonsense, or when its certificate
// is a stranger's.
func TestCanaryInTrouble(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]func(arg, b64 string, b []byte) string{
		"refusing": func(arg, _ string, b []byte) string {
			return fmt.Sprintf("535-5.7.8 AUTH %s\r\n535 5.7.8 refused: %s, in other words %q", arg, strings.NewReplacer("\x00", ":", "\x01", ":").Replace(string(b)), b)
		},
		"babbling": func(arg, _ string, _ []byte) string { return "AUTH " + arg + " what do you mean?" },
	} {
		for c := range cages {
			t.Run(name+" "+c, func(t *testing.T) {
				t.Parallel()
				server := smtptest.NewCA(t).Server("127.0.0.1")
				p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: server, Extensions: []string{"AUTH PLAIN LOGIN XOAUTH2"}, Reply: func(verb, arg string) string {
					if verb != "AUTH" {
						return ""
					}
					_, b64, _ := strings.Cut(arg, " ")
					b, _ := base64.StdEncoding.DecodeString(b64)
					return says(arg, b64, b)
				}})
				a := aviaries(t, p.Port(), p.Port(), server)
				a.inVain(c)
				a.heard(c, p)
				a.look()
			})
		}
	}
	t.Run("stranger", func(t *testing.T) {
		t.Parallel()
		ca := smtptest.NewCA(t)
		p := parrot(t, ca.Stranger().Server("127.0.0.1"))
		a := aviaries(t, p.Port(), p.Port(), ca.Server("127.0.0.1"))
		a.inVain("url.yaml")
		for _, args := range [][]string{{"status", "url"}, {"report", "url"}, {"report", "url", "-o", "json"}} {
			a.run(args...)
		}
		if p.Count("AUTH") > 0 {
			t.Error("it was given the password")
		}
		a.look()
	})
}

// inVain sends and checks a campaign whose relay takes no login.
func (a *aviary) inVain(c string) {
	a.t.Helper()
	for _, args := range [][]string{{"check", c}, {"check", c, "--json"}, {"send", c, "--patience", "100ms"}, {"send", c, "-v", "--json", "--patience", "100ms"}, {"send", "--test", "jo@acme.test", c}} {
		if e := a.run(args...); e.code == exitOK {
			a.t.Errorf("%q went well\n%s", args, e.out)
		}
	}
}

// Nor when a database cannot be reached, or refuses and says why, or when the campaign is broken.
func TestCanaryInFaults(t *testing.T) {
	t.Parallel()
	a := aviaries(t, 1, 1, smtptest.NewCA(t).Server("127.0.0.1"))
	a.write("echo.yaml", strings.ReplaceAll(campaignHead, "recipients: list.csv", fmt.Sprintf("recipients: {query: SELECT 1, dsn: \"postgres://ana:%s@%s/shop?sslmode=disable\"}\nsecret: ${CAMPAIGN_SECRET}\nsmtp: capture",
		url.PathEscape(secretOf("echo")), indiscreet(t))))
	a.inputs[filepath.Join(a.dir, "echo.yaml")] = true
	for _, c := range []string{"db.yaml", "query.yaml", "nowhere.yaml", "bad.yaml", "torn.yaml", "echo.yaml"} {
		for _, args := range [][]string{{"check", c, "--patience", "200ms"}, {"check", c, "--json", "--patience", "200ms"}, {"send", c, "-v", "--patience", "200ms"}, {"send", "-n", c, "--json", "--patience", "200ms"}, {"check", "--show", "config", c}} {
			e := a.run(args...)
			if e.code == exitOK && args[1] != "--show" {
				t.Errorf("%q went well\n%s", args, e.out)
			}
			if c == "echo.yaml" && args[0] == "send" && !strings.Contains(e.out+e.err, "refused") {
				t.Errorf("the database did not answer: %s%s", e.out, e.err)
			}
		}
	}
	a.look()
}

// indiscreet is a database that asks for the password in clear, and says it again when it refuses it.
func indiscreet(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	message := func(c net.Conn) []byte {
		var n uint32
		if binary.Read(c, binary.BigEndian, &n) != nil || n < 4 || n > 10_000 {
			return nil
		}
		b := make([]byte, n-4)
		_, _ = io.ReadFull(c, b)
		return b
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			message(c)                                          // the start-up
			_, _ = c.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // AuthenticationCleartextPassword
			_, _ = io.ReadFull(c, make([]byte, 1))
			said := "SFATAL\x00C28P01\x00Mrefused the password " + strings.TrimRight(string(message(c)), "\x00") + "\x00\x00"
			_ = binary.Write(c, binary.BigEndian, []byte{'E'})
			_ = binary.Write(c, binary.BigEndian, uint32(len(said)+4))
			_, _ = io.WriteString(c, said)
			c.Close()
		}
	}()
	return l.Addr().String()
}
