// Command bench measures mailblast beside Postfix's smtp-source, interleaved on the same machine against the same sink, and
// prints the table of docs/performance.md. Everything stays on loopback.
//
//	go run . -n 50000 -k 20 -runs 3 -o ../../docs/performance.md
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var (
	num    = flag.Int("n", 50000, "messages a run")
	conns  = flag.Int("k", 20, "connections")
	scale  = flag.String("journal", "20,100,1000", "connections at which the journal is measured on and off; empty: not at all")
	runs   = flag.Int("runs", 3, "runs of each, interleaved")
	out    = flag.String("o", "", "also write the table to this Markdown file")
	work   string
	addr   string
	root   string
	source string
)

// result is what one run of one sender showed.
type result struct {
	Messages, UniqueRecipients, DuplicateRecipients int
	Seconds                                         float64
	Reads, Bytes                                    int64
	cpu                                             time.Duration
	peak                                            int64 // KiB
}

func main() {
	flag.Parse()
	log.SetFlags(0)
	var err error
	if work, err = os.MkdirTemp("", "mailblast-bench"); err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(work)
	if root, err = filepath.Abs("../.."); err != nil {
		log.Fatal(err)
	}
	run("go", "build", "-o", filepath.Join(work, "sink"), "./sink")
	build("mailblast")
	build("unjournaled", "-tags", "unjournaled")
	for _, p := range []string{"smtp-source", "/usr/sbin/smtp-source"} {
		if source == "" {
			source, _ = exec.LookPath(p)
		}
	}
	addr = freeAddr()
	prepare()
	senders := []sender{{"mailblast", func() *exec.Cmd { return blast("mailblast", *conns) }}}
	if source != "" {
		senders = append(senders, sender{"smtp-source -d", plain})
	} else {
		log.Print("smtp-source is not installed (package postfix): no reference beside our figures")
	}
	table := render(senders, interleave(senders, *conns)) + journalTable() + "\nMade by `make bench`.\n"
	fmt.Print(table)
	if *out != "" {
		if err := os.WriteFile(*out, []byte(table), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// build makes a program of the project.
func build(name string, flags ...string) {
	c := exec.Command("go", append(append([]string{"build"}, flags...), "-o", filepath.Join(work, name), ".")...)
	c.Dir = root
	if b, err := c.CombinedOutput(); err != nil {
		log.Fatalf("go build: %v\n%s", err, b)
	}
}

// interleave runs the senders in turns, so that what the machine does otherwise troubles all of them alike.
func interleave(senders []sender, k int) map[string][]result {
	all := map[string][]result{}
	for i := range *runs {
		for _, s := range senders {
			log.Printf("run %d: %s, %d messages over %d connections", i+1, s.name, *num, k)
			all[s.name] = append(all[s.name], measure(s.command()))
		}
	}
	return all
}

type sender struct {
	name    string
	command func() *exec.Cmd
}

func run(name string, args ...string) {
	if b, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		log.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, b)
	}
}

func freeAddr() string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// prepare writes the list (80 % of it at five large domains), the campaign, and one fixed message of the same size.
func prepare() {
	var list bytes.Buffer
	list.WriteString("email,name,city,code\n")
	for i := 1; i <= *num; i++ {
		domain := fmt.Sprintf("big%d.example", i%5)
		if i%10 >= 8 {
			domain = fmt.Sprintf("small%d.example", i%200)
		}
		fmt.Fprintf(&list, "user%d@%s,Name%d Surname%d,City%d,CODE%07d\n", i, domain, i%997, i%7919, i%311, i)
	}
	write("people.csv", list.Bytes())
	fill := func(name string, r *strings.Replacer) string {
		b, err := os.ReadFile(filepath.Join("template", name))
		if err != nil {
			log.Fatal(err)
		}
		return r.Replace(string(b))
	}
	ours := strings.NewReplacer("{{.Name}}", "{{ .name }}", "{{.City}}", "{{ .city }}", "{{.Code}}", "{{ .code }}", "{{.Email}}", "{{ .email }}")
	fixed := strings.NewReplacer("{{.Name}}", "Name1 Surname1", "{{.City}}", "City1", "{{.Code}}", "CODE0000001", "{{.Email}}", "user1@big1.example")
	write("letter.html", []byte(fill("body.html", ours)))
	write("letter.txt", []byte(fill("body.txt", ours)))
	write("message.eml", []byte("From: Shop <news@shop.example>\nTo: Name1 Surname1 <user1@big1.example>\nSubject: News for Name1 Surname1\n"+
		"Date: Mon, 02 Mar 2026 10:00:00 +0000\nMessage-ID: <1.bench@shop.example>\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/alternative; boundary=\"b1\"\n\n--b1\nContent-Type: text/plain; charset=utf-8\n\n"+
		fill("body.txt", fixed)+"\n--b1\nContent-Type: text/html; charset=utf-8\n\n"+fill("body.html", fixed)+"\n--b1--\n"))
}

// campaign writes one that opens k connections, and gives its path.
func campaign(k int) string {
	host, port, _ := net.SplitHostPort(addr)
	name := fmt.Sprintf("campaign-%d.yaml", k)
	write(name, fmt.Appendf(nil, `name: bench
from: Shop <news@shop.example>
subject: "News for {{ .name }}"
template: letter.html
text: letter.txt
recipients: people.csv
repeat: always
unsubscribe: false
smtp: {host: %s, port: %s, tls: none}
connections: %d
general: {connections: %d, per_domain: %[3]d, messages_per_connection: 1000000}
`, host, port, k, k))
	return filepath.Join(work, name)
}

func write(name string, b []byte) {
	if err := os.WriteFile(filepath.Join(work, name), b, 0o600); err != nil {
		log.Fatal(err)
	}
}

// blast sends with a program that build made.
func blast(program string, k int) *exec.Cmd {
	return exec.Command(filepath.Join(work, program), "send", "-y", "-q", campaign(k))
}

func plain() *exec.Cmd {
	return exec.Command(source, "-d", "-s", fmt.Sprint(*conns), "-m", fmt.Sprint(*num), "-F", filepath.Join(work, "message.eml"),
		"-f", "news@shop.example", "-t", "user1@big1.example", addr)
}
