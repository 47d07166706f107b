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
		print: func() string { return Redact(p.Reveal()) },
		parse: func(s string) *misfit {
			dsn = strings.TrimSpace(s)
			scheme, rest, _ := strings.Cut(dsn, ":")
			if scheme != "postgres" && scheme != "postgresql" && scheme != "sqlite" || rest == "" {
				return &misfit{"it must be postgres://… or sqlite:FILE", ""}
			}
			if scheme != "sqlite" && broken(dsn) {
				return &misfit{"it is no URL such as postgres://user:password@host/database", escapes}
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

// state is a directory, or the DSN of a server; what a machine has for itself is then in the directory that is the default.
func state(dir *string, server *Secret) scalar {
	k, dsn := path(dir), database(server)
	isDSN := func() bool { return !server.Empty() }
	print, parse, relative := k.print, k.parse, k.relative
	k.want = "a directory or a database"
	k.print = func() string {
		if isDSN() {
			return dsn.print()
		}
		return print()
	}
	k.parse = func(s string) *misfit {
		*dir, *server = "", Secret{}
		if text, hint := StateFault(s); text != "" {
			return &misfit{text, hint}
		}
		if IsServer(s) {
			return dsn.parse(s)
		}
		return parse(s)
	}
	k.relative = func(in string) {
		if !isDSN() {
			relative(in)
		}
	}
	return k
}

// IsServer tells that a state is a database of a server, not a directory.
func IsServer(state string) bool {
	scheme, _, ok := strings.Cut(strings.TrimSpace(state), "://")
	return ok && (scheme == "postgres" || scheme == "postgresql")
}

const escapes = "characters such as @ : / # in a password are written as %40 %3A %2F %23"

// broken tells that a URL is none, or was parted in the middle of its password.
func broken(dsn string) bool {
	u, err := url.Parse(dsn)
	if err == nil {
		_, err = url.ParseQuery(u.RawQuery)
	}
	return err != nil || stray(u)
}

// StateFault tells why a state is neither a directory nor a database, and what to write; empty: it is one. Little of a state is
// repeated, as it may hold a password.
func StateFault(state string) (text, hint string) {
	s := strings.TrimSpace(state)
	scheme, _, isURL := strings.Cut(s, "://")
	letters := strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz") == ""
	switch {
	case IsServer(s) && !broken(s):
		return "", ""
	case isURL && letters && !IsServer(s):
		return scheme + ":// is no place for it", "a directory, or postgres://user@host/database"
	case isURL, strings.HasPrefix(s, "postgres:"), strings.HasPrefix(s, "postgresql:"), strings.Contains(s, "password="):
		return "it is no URL such as postgres://user:password@host/database", escapes
	}
	return "", ""
}

// NewSecret makes text secret.
func NewSecret(text string) Secret { return secret.New(text) }

// Redact shows a DSN without its password.
func Redact(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") || dsn == "" {
		return dsn
	}
	u, err := url.Parse(dsn)
	if err != nil || broken(dsn) {
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
	if n := root.Get("state"); n != nil && !l.c.Server.Empty() {
		l.checkDSN("state", l.c.Server.Reveal(), n)
	}
	if r := root.Get("recipients"); r != nil && r.Kind == source.Map && r.Get("dsn") != nil {
		l.checkDSN("recipients.dsn", l.c.Recipients.DSN.Reveal(), r.Get("dsn"))
	}
}

// checkDSN warns of a database's password.
func (l *loader) checkDSN(key, dsn string, n *source.Node) {
	u, err := url.Parse(dsn)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") || u.Hostname() == "" {
		return
	}
	_, has := u.User.Password()
	if !has && !u.Query().Has("password") {
		return
	}
	l.written(key+": a password is", n)
	mode := u.Query().Get("sslmode")
	switch {
	case loopback(u.Hostname()) || mode == "verify-full" || mode == "verify-ca":
	case mode == "disable":
		l.warn(n.Pos, n.Width, key+": the password goes over an unencrypted connection", "?sslmode=verify-full")
	default:
		l.warn(n.Pos, n.Width, key+": whoever answers as the database gets its password: its certificate is not checked", "?sslmode=verify-full, with &sslrootcert=FILE for an authority of your own")
	}
}

// written warns of a secret that is no variable.
func (l *loader) written(what string, n *source.Node) {
	if _, ok := l.files[n.File]; ok && !strings.Contains(n.Text, "${") {
		l.warn(n.Pos, n.Width, what+" written out in this file", "use ${VAR} and .env")
	}
}
