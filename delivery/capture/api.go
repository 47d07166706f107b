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

	"github.com/mailblast/mailblast/delivery/capture/store"
	"github.com/mailblast/mailblast/delivery/capture/view"
)

// entry is a message of the store, with its line of the list once that was asked for.
type entry = store.Entry[summary]

// The JSON types have the field names of Mailpit's API, so that test kits written for it work here. Envelope is ours.
type summary struct {
	ID, MessageID        string
	Read                 bool
	From                 view.Address
	To, Cc, Bcc, ReplyTo []view.Address
	Subject              string
	Created              time.Time
	Tags                 []string
	Size, Attachments    int
	Snippet              string
	Envelope             store.Envelope
}

type fullMessage struct {
	ID, MessageID        string
	From                 view.Address
	To, Cc, Bcc, ReplyTo []view.Address
	ReturnPath, Subject  string
	Date                 time.Time
	Tags                 []string
	Text, HTML           string
	Size                 int
	Inline, Attachments  []view.Part
	Envelope             store.Envelope
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
	if errors.Is(err, store.ErrNoEntry) {
		code = http.StatusNotFound
	}
	http.Error(w, err.Error(), code)
}

// message finds and reads the message of the request's path; nil means that the reply is given.
func (s *Server) message(w http.ResponseWriter, r *http.Request) (*entry, store.Envelope, []byte) {
	e, err := s.store.Find(strings.TrimSuffix(r.PathValue("ID"), ".html"))
	if err != nil {
		s.fault(w, err)
		return nil, store.Envelope{}, nil
	}
	env, raw, err := s.store.Load(e)
	if err != nil {
		s.fault(w, err)
		return nil, store.Envelope{}, nil
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
	for _, e := range s.store.List(start, min(limit, maxPageLength)) {
		sum, err := s.summary(e)
		if errors.Is(err, store.ErrNoEntry) {
			continue // dropped meanwhile
		}
		if err != nil {
			s.fault(w, err)
			return
		}
		list.Messages = append(list.Messages, sum)
	}
	list.Total, list.Unread = s.store.Counts()
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
	sum, read := s.store.Noted(e)
	if sum == nil {
		env, raw, err := s.store.Load(e)
		if err != nil {
			return nil, err
		}
		v := view.Parse(raw)
		m := s.full(e, env, v)
		sum = &summary{ID: m.ID, MessageID: m.MessageID, From: m.From, To: m.To, Cc: m.Cc, Bcc: m.Bcc, ReplyTo: m.ReplyTo,
			Subject: m.Subject, Created: e.At, Tags: m.Tags, Size: e.Size, Attachments: len(v.Attachments), Snippet: v.Snippet(), Envelope: env}
		s.store.Note(e, sum)
	}
	c := *sum
	c.Read = read
	return &c, nil
}

func (s *Server) full(e *entry, env store.Envelope, v *view.Message) *fullMessage {
	text, _ := v.Text()
	m := &fullMessage{ID: s.store.ID(e), Size: e.Size, Tags: []string{}, Envelope: env, ReturnPath: env.From, Fault: v.Fault,
		Subject: v.Subject(), Date: v.Date(e.At), Text: text, HTML: v.HTML(),
		Inline: orEmpty(v.Inline), Attachments: orEmpty(v.Attachments),
		To: v.Addresses("To"), Cc: v.Addresses("Cc"), ReplyTo: v.Addresses("Reply-To"), Bcc: []view.Address{}}
	m.MessageID = strings.Trim(view.Printable([]byte(v.Header.Get("Message-Id"))), "<> ")
	m.From = view.Address{Address: env.From}
	if from := v.Addresses("From"); len(from) > 0 {
		m.From = from[0]
	}
	shown := map[string]bool{}
	for _, a := range append(append([]view.Address(nil), m.To...), m.Cc...) {
		shown[strings.ToLower(a.Address)] = true
	}
	for _, to := range env.To { // whom the header doesn't name was sent a blind copy
		if !shown[strings.ToLower(to)] {
			m.Bcc = append(m.Bcc, view.Address{Address: to})
		}
	}
	return m
}

func orEmpty(ps []view.Part) []view.Part {
	if ps == nil {
		return []view.Part{}
	}
	return ps
}

func (s *Server) serveMessage(w http.ResponseWriter, r *http.Request) {
	if e, env, raw := s.message(w, r); e != nil {
		s.store.SetRead(e)
		s.writeJSON(w, s.full(e, env, view.Parse(raw)))
	}
}

func (s *Server) serveHeaders(w http.ResponseWriter, r *http.Request) {
	e, _, raw := s.message(w, r)
	if e == nil {
		return
	}
	fields := map[string][]string{}
	for f := view.Parse(raw).Header.Fields(); f.Next(); {
		fields[f.Key()] = append(fields[f.Key()], view.Printable([]byte(f.Value())))
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
		w.Header().Set("Content-Disposition", attachment(e.FileName(env)))
	}
	_, _ = w.Write(raw) // the client went away
}

// servePart gives no part a type that a browser would act on.
func (s *Server) servePart(w http.ResponseWriter, r *http.Request) {
	e, _, raw := s.message(w, r)
	if e == nil {
		return
	}
	p, b, ok := view.Content(raw, r.PathValue("PartID"))
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
	s.store.Remove(q.IDs)
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
	total, unread := s.store.Counts()
	size, deleted := s.store.Usage()
	s.writeJSON(w, map[string]any{
		"Version": "mailblast capture", "LatestVersion": "", "Database": "", "DatabaseSize": size,
		"Messages": total, "Unread": unread, "Tags": map[string]int{},
		"RuntimeStats": map[string]any{
			"Uptime": int64(time.Since(s.started).Seconds()), "Memory": m.Sys, "MessagesDeleted": deleted,
			"SMTPAccepted": st.Messages, "SMTPAcceptedSize": st.Bytes, "SMTPRejected": st.Refused, "SMTPIgnored": 0,
		},
	})
}
