package capture

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/mailblast/mailblast/delivery/capture/view"
)

//go:embed page.html
var pageHTML string

// page is the one page, with the policy that lets run what is in it and nothing else.
type page struct {
	policy   string
	loopback bool
}

func newPage(loopback bool) *page {
	return &page{loopback: loopback, policy: "default-src 'none'; connect-src 'self'; frame-src 'self'; img-src data:; " +
		"script-src '" + hash("script") + "'; style-src '" + hash("style") + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}

// hash names the content of the page's one element of that name (CSP Level 3, §2.3.1).
func hash(element string) string {
	_, rest, _ := strings.Cut(pageHTML, "<"+element+">")
	text, _, _ := strings.Cut(rest, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func (p *page) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, pageHTML) // the client went away
}

// guard lets in who asks by a name of this machine: a page elsewhere whose name was pointed here (DNS rebinding) is
// not. Where others can reach the page, the password does that.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.page.loopback && !localName(r.Host) {
			http.Error(w, "this page answers to a loopback address or localhost only", http.StatusForbidden)
			return
		}
		if user, password, _ := r.BasicAuth(); s.opts.User != "" && !s.knows(user, password) {
			h.Set("WWW-Authenticate", `Basic realm="mailblast capture", charset="UTF-8"`)
			http.Error(w, "a user and password are needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// serveHTML shows a message's HTML with no rights: no scripts, no forms, no requests; images of other hosts only when
// the reader asks for them. Links open in a new tab.
func (s *Server) serveHTML(w http.ResponseWriter, r *http.Request) {
	e, _, raw := s.message(w, r)
	if e == nil {
		return
	}
	images := "data:"
	if r.URL.Query().Get("images") == "remote" {
		images = "data: http: https:"
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src "+images+
		"; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-DNS-Prefetch-Control", "off")
	doc := unasked.ReplaceAllString(view.Parse(raw).HTMLWithImages(raw), "<meta")
	_, _ = io.WriteString(w, newTab(doc)) // the client went away
}

// unasked are the elements that reach a host without any directive that forbids it: a link by rel=preconnect or
// dns-prefetch, a frame by the links of its srcdoc. As a meta they do nothing.
var unasked = regexp.MustCompile(`(?i)<(?:link|iframe)\b`)

// newTab has links open in a tab of their own: the frame may show nothing but the message.
func newTab(doc string) string {
	const base = `<base target="_blank">`
	low := strings.ToLower(doc)
	if i := strings.Index(low, "<head>"); i >= 0 && len(low) == len(doc) {
		i += len("<head>")
		return doc[:i] + base + doc[i:]
	}
	if strings.Contains(low, "<!doctype") || strings.Contains(low, "<html") {
		return doc + base
	}
	return "<!doctype html>" + base + doc
}
