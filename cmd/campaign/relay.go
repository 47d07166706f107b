package campaign

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/secret"
	"github.com/mailblast/mailblast/cmd/campaign/source"
	"github.com/mailblast/mailblast/delivery/address"
)

func relay(r *Relay) mapping {
	return mapping{
		fields: relayKeys(r),
		need:   []string{"host"},
		brief:  func() (string, bool) { return "capture", r.Capture },
		json:   jsonPattern(`^(capture|smtps?://.+)$`),
		short: func(l *loader, path string, n *source.Node) {
			s, ok := l.text(path, n, scalar{want: "a relay"})
			if !ok {
				return
			}
			if s == "capture" {
				r.Capture = true
				return
			}
			l.relayURL(r, path, n, s)
		},
	}
}

// optionalRelay is a relay that is nil when its key is missing.
func optionalRelay(p **Relay) mapping {
	var r Relay
	m := relay(&r)
	short := m.short
	m.brief = func() (string, bool) { return "", *p == nil }
	m.short = func(l *loader, path string, n *source.Node) { *p = &r; short(l, path, n) }
	m.fields = append([]field{}, m.fields...)
	m.fields[0].kind = host(&r.Host)
	k := m.fields[0].kind.(scalar)
	inner := k.parse
	k.parse = func(s string) *misfit { *p = &r; return inner(s) }
	m.fields[0].kind = k
	return m
}

const exampleURL = "smtp://user:password@smtp.example.org:587"

// relayURL takes smtp://user:password@host:port?tls=…. Faults never repeat it, as it may hold a password.
func (l *loader) relayURL(r *Relay, path string, n *source.Node, s string) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" || u.Fragment != "" || stray(u) {
		l.fault(n.Pos, n.Width, path+": it is no URL such as "+exampleURL, "characters such as @ : / # in a password are written as %40 %3A %2F %23")
		return
	}
	if u.Scheme == "smtps" {
		r.TLS = "implicit"
	}
	take := func(k scalar, value string) {
		if value == "" {
			return
		}
		if m := k.parse(value); m != nil {
			l.fault(n.Pos, n.Width, path+": "+m.text, m.hint)
		}
	}
	take(host(&r.Host), u.Hostname())
	take(count(&r.Port, 1, 65535), u.Port())
	r.User = u.User.Username()
	if password, ok := u.User.Password(); ok {
		r.Password = secret.New(password)
		l.plaintext(path, n)
	}
	for key, values := range u.Query() {
		if key != "tls" || u.Scheme == "smtps" {
			l.fault(n.Pos, n.Width, path+": the URL has an unknown part behind its ?", "only ?tls=starttls, opportunistic or none; more goes into a mapping")
			continue
		}
		take(oneOf(&r.TLS, "starttls", "opportunistic", "none"), values[0])
	}
	r.Auth = "auto"
}

// stray tells that a URL was parted in the middle of its password, which has a / ? or # in it: then an @ comes later, and what
// stands before it would be shown.
func stray(u *url.URL) bool {
	name, _, _ := strings.Cut(u.RawQuery, "=")
	return u.Opaque != "" || strings.Contains(u.Path+u.Fragment+name, "@")
}

// plaintext looks at a password that stands in the file itself.
func (l *loader) plaintext(path string, n *source.Node) {
	f, ok := l.files[n.File]
	if !ok || strings.Contains(n.Text, "${") {
		return
	}
	if f.shared {
		l.fault(n.Pos, n.Width, path+": a password is written out in a file that others can read", "use ${SMTP_PASSWORD} and .env, password_file or password_command; or: chmod 600 "+f.Name)
		return
	}
	l.warn(n.Pos, n.Width, path+": a password is written out in this file", "use ${SMTP_PASSWORD} and .env, password_file or password_command")
}

// checkRelay looks at what the keys of a relay say together, and fills in what follows from them.
func (l *loader) checkRelay(path string, r *Relay, n *source.Node) {
	if r.Capture || n == nil {
		return
	}
	if v := n.Get("password"); v != nil && !r.Password.Empty() {
		l.plaintext(path+".password", v)
	}
	r.dir = l.c.Dir
	if f, ok := l.files[n.File]; ok {
		r.dir = f.dir
	}
	if r.TLS == "" {
		r.TLS = "starttls"
		if loopback(r.Host) {
			r.TLS = "opportunistic"
		}
	}
	if r.Port == 0 {
		r.Port = 587
		if r.TLS == "implicit" {
			r.Port = 465
		}
	}
	l.checkLogin(path, r, n)
	l.checkFiles(path, r, n)
}

func (l *loader) checkLogin(path string, r *Relay, n *source.Node) {
	var given []string
	for name, is := range map[string]bool{"password": !r.Password.Empty() || present(n, "password"), "password_file": present(n, "password_file"),
		"password_command": present(n, "password_command"), "token_command": present(n, "token_command")} {
		if is {
			given = append(given, name)
		}
	}
	fault := func(text, hint string) { l.fault(n.Pos, n.Width, path+": "+text, hint) }
	token := len(r.TokenCommand) > 0
	switch {
	case len(given) > 1:
		fault("only one of password, password_file, password_command and token_command may be given", "")
	case r.User != "" && len(given) == 0:
		fault("user has no password", "add password_file, password_command, token_command or password: ${SMTP_PASSWORD}")
	case r.User == "" && len(given) == 1:
		fault(given[0]+" has no user", "")
	case token && r.Auth != "auto" && r.Auth != "xoauth2":
		fault("token_command goes with auth: xoauth2 only", "")
	case !token && r.Auth == "xoauth2" && r.User != "":
		fault("auth: xoauth2 needs token_command", "")
	case r.User == "" && r.Auth != "auto" && r.Auth != "":
		fault("auth has no user", "")
	case r.TLS == "none" && r.User != "" && !r.InsecureAuth:
		fault("the password would go over an unencrypted connection", "leave tls: none out, or set insecure_auth: true")
	}
	if token {
		r.Auth = "xoauth2"
	}
}

// checkFiles looks at the files that the relay needs, before anything is dialled.
func (l *loader) checkFiles(path string, r *Relay, n *source.Node) {
	look := func(key, file string, test func(os.FileInfo) string) {
		if file == "" || n.Get(key) == nil {
			return
		}
		v := n.Get(key)
		info, err := os.Stat(file)
		if err != nil {
			l.fault(v.Pos, v.Width, path+"."+key+": there is no such file", "")
			return
		}
		if fault := test(info); fault != "" {
			l.fault(v.Pos, v.Width, path+"."+key+": the file "+fault, "chmod 600 "+v.Text)
		}
	}
	look("password_file", r.PasswordFile, secret.Private)
	look("ca_file", r.CAFile, func(os.FileInfo) string { return "" })
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// host is a name or an IP address.
func host(p *string) scalar {
	k := text(p)
	k.want = "a host's name"
	k.parse = func(s string) *misfit {
		name, ok := hostName(s)
		if !ok {
			return &misfit{"it is no host's name or IP address", "the port goes into port:"}
		}
		*p = name
		return nil
	}
	return k
}

// hello is what EHLO may be given: a name, or an address literal (RFC 5321 §4.1.3).
func hello(p *string) scalar {
	k := host(p)
	k.parse = func(s string) *misfit {
		name, ok := hostName(s)
		if !ok {
			return &misfit{"it is no host's name", ""}
		}
		if ip, err := netip.ParseAddr(name); err == nil {
			name = "[" + ip.String() + "]"
			if ip.Is6() {
				name = "[IPv6:" + ip.String() + "]"
			}
		}
		*p = name
		return nil
	}
	return k
}

// hostName takes names without a dot as well: localhost, and those of a private network.
func hostName(s string) (string, bool) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return ip.WithZone("").String(), true
	}
	lower := strings.ToLower(strings.TrimSuffix(s, "."))
	if lower != "" && len(lower) < 64 && strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" && lower[0] != '-' {
		return lower, true
	}
	name, err := address.ParseDomain(lower)
	return name, err == nil
}

func resolver(p *string) scalar {
	k := text(p)
	k.parse = func(s string) *misfit {
		if s != "system" {
			ip, port, err := net.SplitHostPort(s)
			n, perr := strconv.Atoi(port)
			if _, aerr := netip.ParseAddr(ip); err != nil || aerr != nil || perr != nil || n < 1 || n > 65535 {
				return &misfit{"it must be system or an IP address with port", "such as 127.0.0.1:53"}
			}
		}
		*p = s
		return nil
	}
	return k
}

func bind(p *netip.Addr) scalar {
	print := func() string {
		if p.IsValid() {
			return p.String()
		}
		return ""
	}
	return scalar{want: "an IP address", print: print, json: jsonType("string"), parse: func(s string) *misfit {
		ip, err := netip.ParseAddr(s)
		if s != "" && err != nil {
			return &misfit{"it is no IP address", ""}
		}
		*p = ip
		return nil
	}}
}

func networks(p *[]netip.Prefix) list {
	return list{
		item: func(l *loader, path string, n *source.Node) {
			s, ok := l.text(path, n, scalar{want: "a network"})
			if !ok {
				return
			}
			prefix, err := netip.ParsePrefix(s)
			if err != nil {
				l.fault(n.Pos, n.Width, path+": it is no network", "such as 127.0.0.0/8")
				return
			}
			*p = append(*p, prefix.Masked())
		},
		print: func() string {
			all := make([]string, len(*p))
			for i, prefix := range *p {
				all[i] = prefix.String()
			}
			return "[" + strings.Join(all, ", ") + "]"
		},
		json: jsonType("string"),
	}
}
