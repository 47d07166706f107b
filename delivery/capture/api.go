package capture

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The JSON types have the field names of Mailpit's API, so that test kits written for it work here. Envelope is ours.
type addr struct{ Name, Address string }

type summary struct {
	ID, MessageID        string
	Read                 bool
	From                 addr
	To, Cc, Bcc, ReplyTo []addr
	Subject              string
	Created              time.Time
	Tags                 []string
	Size, Attachments    int
	Snippet              string
	Envelope             envelope
}

type fullMessage struct {
	ID, MessageID        string
	From                 addr
	To, Cc, Bcc, ReplyTo []addr
	ReturnPath, Subject  string
	Date                 time.Time
	Tags                 []string
	Text, HTML           string
	Size                 int
	Inline, Attachments  []part
	Envelope             envelope
	Fault                string `json:",omitempty"` // what of the message could not be understood
}

type messageList struct {
	Total    int        `json:"total"`
	Unread   int        `json:"unread"`
	Count    int        `json:"count"`
	Matching int        `json:"messages_count"`
	Start    int        `json:"start"`
	Tags     []string   `json:"tags"`
	Messages []*summary `json:"messages"`
}

const (
	pageLength    = 50
	maxPageLength = 500
	maxRequest    = 4 << 20 // octets of a request's body
)

// handler is the page and the API behind its guards.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page.serve)
	mux.HandleFunc("GET /view/{ID}", s.serveHTML)
	mux.HandleFunc("GET /api/v1/info", s.serveInfo)
	mux.HandleFunc("GET /api/v1/stats", s.serveStats)
	mux.HandleFunc("GET /api/v1/messages", s.serveList)
	mux.HandleFunc("DELETE /api/v1/messages", s.serveDelete)
	mux.HandleFunc("GET /api/v1/message/{ID}", s.serveMessage)
	mux.HandleFunc("GET /api/v1/message/{ID}/headers", s.serveHeaders)
	mux.HandleFunc("GET /api/v1/message/{ID}/raw", s.serveRaw)
	mux.HandleFunc("GET /api/v1/message/{ID}/part/{PartID}", s.servePart)
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

func (s *Server) writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("capture: reply: " + err.Error()) // the client went away
	}
}

func (s *Server) fault(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if errors.Is(err, errNoEntry) {
		code = http.StatusNotFound
	}
	http.Error(w, err.Error(), code)
}

// message finds and reads the message of the request's path; nil means that the reply is given.
func (s *Server) message(w http.ResponseWriter, r *http.Request) (*entry, envelope, []byte) {
	e, err := s.store.find(strings.TrimSuffix(r.PathValue("ID"), ".html"))
	if err != nil {
		s.fault(w, err)
		return nil, envelope{}, nil
	}
	env, raw, err := s.store.load(e)
	if err != nil {
		s.fault(w, err)
		return nil, envelope{}, nil
	}
	return e, env, raw
}

func (s *Server) serveList(w http.ResponseWriter, r *http.Request) {
	start, err1 := number(r, "start", 0)
	limit, err2 := number(r, "limit", pageLength)
	if err := errors.Join(err1, err2); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list := messageList{Start: start, Tags: []string{}, Messages: []*summary{}}
	for _, e := range s.store.list(start, min(limit, maxPageLength)) {
		sum, err := s.summary(e)
		if errors.Is(err, errNoEntry) {
			continue // dropped meanwhile
		}
		if err != nil {
			s.fault(w, err)
			return
		}
		list.Messages = append(list.Messages, sum)
	}
	list.Total, list.Unread = s.store.counts()
	list.Count, list.Matching = len(list.Messages), list.Total
	s.writeJSON(w, list)
}

func number(r *http.Request, name string, unset int) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, errors.New(name + ": not a number from 0 on")
	}
	return n, nil
}

// summary parses a message the first time it is listed.
func (s *Server) summary(e *entry) (*summary, error) {
	sum, read := s.store.listed(e)
	if sum == nil {
		env, raw, err := s.store.load(e)
		if err != nil {
			return nil, err
		}
		v := parse(raw)
		m := s.full(e, env, v)
		sum = &summary{ID: m.ID, MessageID: m.MessageID, From: m.From, To: m.To, Cc: m.Cc, Bcc: m.Bcc, ReplyTo: m.ReplyTo,
			Subject: m.Subject, Created: e.at, Tags: m.Tags, Size: e.size, Attachments: len(v.attachments), Snippet: v.snippet(), Envelope: env}
		s.store.setListed(e, sum)
	}
	c := *sum
	c.Read = read
	return &c, nil
}

func (s *Server) full(e *entry, env envelope, v *view) *fullMessage {
	m := &fullMessage{ID: s.store.id(e), Size: e.size, Tags: []string{}, Envelope: env, ReturnPath: env.From, Fault: v.fault,
		Subject: v.subject(), Date: v.date(e.at), Text: v.text.String(), HTML: v.html.String(),
		Inline: orEmpty(v.inline), Attachments: orEmpty(v.attachments),
		To: v.addrs("To"), Cc: v.addrs("Cc"), ReplyTo: v.addrs("Reply-To"), Bcc: []addr{}}
	m.MessageID = strings.Trim(printable([]byte(v.header.Get("Message-Id"))), "<> ")
	m.From = addr{Address: env.From}
	if from := v.addrs("From"); len(from) > 0 {
		m.From = from[0]
	}
	shown := map[string]bool{}
	for _, a := range append(append([]addr(nil), m.To...), m.Cc...) {
		shown[strings.ToLower(a.Address)] = true
	}
	for _, to := range env.To { // whom the header doesn't name was sent a blind copy
		if !shown[strings.ToLower(to)] {
			m.Bcc = append(m.Bcc, addr{Address: to})
		}
	}
	return m
}

func orEmpty(ps []part) []part {
	if ps == nil {
		return []part{}
	}
	return ps
}

func (s *Server) serveMessage(w http.ResponseWriter, r *http.Request) {
	if e, env, raw := s.message(w, r); e != nil {
		s.store.setRead(e)
		s.writeJSON(w, s.full(e, env, parse(raw)))
	}
}

func (s *Server) serveHeaders(w http.ResponseWriter, r *http.Request) {
	e, _, raw := s.message(w, r)
	if e == nil {
		return
	}
	fields := map[string][]string{}
	for f := parse(raw).header.Fields(); f.Next(); {
		fields[f.Key()] = append(fields[f.Key()], printable([]byte(f.Value())))
	}
	s.writeJSON(w, fields)
}

func (s *Server) serveRaw(w http.ResponseWriter, r *http.Request) {
	e, env, raw := s.message(w, r)
	if e == nil {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.URL.Query().Get("dl") != "" {
		w.Header().Set("Content-Disposition", attachment(fileName(e.seq, env)))
	}
	_, _ = w.Write(raw) // the client went away
}

// servePart gives no part a type that a browser would act on.
func (s *Server) servePart(w http.ResponseWriter, r *http.Request) {
	e, _, raw := s.message(w, r)
	if e == nil {
		return
	}
	p, b, ok := content(raw, r.PathValue("PartID"))
	if !ok {
		http.Error(w, "no such part", http.StatusNotFound)
		return
	}
	if p.FileName == "" {
		p.FileName = "part-" + p.PartID
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", attachment(p.FileName))
	_, _ = w.Write(b) // the client went away
}

func attachment(name string) string {
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": name}); d != "" {
		return d
	}
	return "attachment"
}

func (s *Server) serveDelete(w http.ResponseWriter, r *http.Request) {
	var q struct{ IDs []string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&q)
	if err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, "wants {\"IDs\": [\"…\"]}, or nothing for all", http.StatusBadRequest)
		return
	}
	s.store.remove(q.IDs)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok")
}

func (s *Server) serveStats(w http.ResponseWriter, r *http.Request) {
	limit, err := number(r, "limit", 1000)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	st := s.Stats()
	st.Domains = st.Domains[:min(limit, len(st.Domains))]
	s.writeJSON(w, st)
}

func (s *Server) serveInfo(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	st := s.Stats()
	total, unread := s.store.counts()
	size, deleted := s.store.usage()
	s.writeJSON(w, map[string]any{
		"Version": "mailblast capture", "LatestVersion": "", "Database": "", "DatabaseSize": size,
		"Messages": total, "Unread": unread, "Tags": map[string]int{},
		"RuntimeStats": map[string]any{
			"Uptime": int64(time.Since(s.started).Seconds()), "Memory": m.Sys, "MessagesDeleted": deleted,
			"SMTPAccepted": st.Messages, "SMTPAcceptedSize": st.Bytes, "SMTPRejected": st.Refused, "SMTPIgnored": 0,
		},
	})
}
