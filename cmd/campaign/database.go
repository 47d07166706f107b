package campaign

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/secret"
	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// database is a DSN. Its faults never repeat it, as it may hold a password.
func database(p *Secret) scalar {
	var dsn string
	return scalar{want: "a database", json: jsonPattern(`^(postgres(ql)?://|sqlite:).+`),
		print: func() string { return redact(p.Reveal()) },
		parse: func(s string) *misfit {
			dsn = strings.TrimSpace(s)
			scheme, rest, _ := strings.Cut(dsn, ":")
			if scheme != "postgres" && scheme != "postgresql" && scheme != "sqlite" || rest == "" {
				return &misfit{"it must be postgres://… or sqlite:FILE", ""}
			}
			if u, err := url.Parse(dsn); scheme != "sqlite" && (err != nil || stray(u)) {
				return &misfit{"it is no URL such as postgres://user:password@host/database", "characters such as @ : / # in a password are written as %40 %3A %2F %23"}
			}
			*p = secret.New(dsn)
			return nil
		},
		relative: func(dir string) {
			if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
				file = strings.TrimPrefix(file, "//")
				if !filepath.IsAbs(file) {
					file = filepath.Join(dir, file)
				}
				*p = secret.New("sqlite:" + file)
			}
		}}
}

// redact shows a DSN without its password.
func redact(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") || dsn == "" {
		return dsn
	}
	u, err := url.Parse(dsn)
	if err != nil || stray(u) {
		return secret.Masked
	}
	if _, has := u.User.Password(); has {
		u.User = url.User(u.User.Username())
	}
	u.RawQuery, u.Fragment, u.RawFragment = "", "", "" // may hold a password, too
	return u.String()
}

// checkSecrets warns of secrets that stand in the file itself, and of a database's password that others could get to know.
func (l *loader) checkSecrets(root *source.Node) {
	if n := root.Get("secret"); n != nil && !l.c.Secret.Empty() {
		l.written("secret: it is", n)
	}
	r := root.Get("recipients")
	if r == nil || r.Kind != source.Map || r.Get("dsn") == nil {
		return
	}
	n := r.Get("dsn")
	u, err := url.Parse(l.c.Recipients.DSN.Reveal())
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") || u.Hostname() == "" {
		return
	}
	_, has := u.User.Password()
	if !has && !u.Query().Has("password") {
		return
	}
	l.written("recipients.dsn: a password is", n)
	mode := u.Query().Get("sslmode")
	switch {
	case loopback(u.Hostname()) || mode == "verify-full" || mode == "verify-ca":
	case mode == "disable":
		l.warn(n.Pos, n.Width, "recipients.dsn: the password goes over an unencrypted connection", "?sslmode=verify-full")
	default:
		l.warn(n.Pos, n.Width, "recipients.dsn: whoever answers as the database gets its password: its certificate is not checked", "?sslmode=verify-full, with &sslrootcert=FILE for an authority of your own")
	}
}

// written warns of a secret that is no variable.
func (l *loader) written(what string, n *source.Node) {
	if _, ok := l.files[n.File]; ok && !strings.Contains(n.Text, "${") {
		l.warn(n.Pos, n.Width, what+" written out in this file", "use ${VAR} and .env")
	}
}
