package smtpout

import (
	"crypto/tls"
	"testing"

	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

const (
	noTLS   = later + "; nothing goes in clear"
	noTLS2  = "the next host at once; nothing goes in clear"
	inClear = "once more without TLS, noted"
	halts   = "no mail goes until somebody has seen to it, with the reason"
)

// Servers whose TLS is not as it should be.
var (
	expired  = func(ca *smtptest.CA) *tls.Config { return ca.Expired("mx1.example") }
	alone    = func(ca *smtptest.CA) *tls.Config { return ca.SelfSigned("mx1.example") }
	another  = func(ca *smtptest.CA) *tls.Config { return ca.Server("other.example") }
	strange  = func(ca *smtptest.CA) *tls.Config { return ca.Stranger().Server("mx1.example") }
	twelve   = tweaked(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
	oldest   = tweaked(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 })
	demands  = tweaked(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	demands2 = tweaked(func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 })
)

func tweaked(f func(*tls.Config)) func(*smtptest.CA) *tls.Config {
	return func(ca *smtptest.CA) *tls.Config {
		c := ca.Server("mx1.example")
		f(c)
		return c
	}
}

// refusals are the ways in which STARTTLS comes to nothing, by how a script says it and what is seen of it.
var refusals = []struct {
	row, name, script, code, took string
	tcp                           bool
}{
	{"S17", "STARTTLS 454", "starttls: 454 4.7.0 no", " 454", "", false},
	{"S17", "STARTTLS 502", "starttls: 502 5.5.1 what", " 502", "", false},
	{"S17", "STARTTLS 421", "starttls: 421 4.3.2 no; drop", " 421", "", false},
	{"S17", "STARTTLS drop", "starttls: drop", "", "", false},
	{"S17", "STARTTLS hang", "starttls: hang", "", "; 5m0s", false},
	{"S18", "junk for a ServerHello", "starttls: 220 go; wait 10ms; 550 what; hang", "", "", true},
	{"S18", "no ServerHello", "starttls: 220 go; hang", "", "; 1m0s", false},
	{"S18", "closed for a ServerHello", "starttls: 220 go; drop", "", "", false},
}

// TestFaultTLSRefused has every way in which STARTTLS comes to nothing, where TLS is required and where it is wished for.
func TestFaultTLSRefused(t *testing.T) {
	var table []row
	for _, r := range refusals {
		name := r.row + " " + r.name
		at := len(table)
		table = append(table,
			row{name: name + ", required", must: noTLS, script: r.script, demand: route.Required, want: "deferred tls" + r.code + "; closed; cools" + r.took},
			row{name: name + ", required, second host", must: noTLS2, script: r.script, demand: route.Required, second: true,
				want: "sent dot 250 charged at mx2, TLS1.3 verified; closed; cools" + r.took},
			row{name: name + ", required at a relay", must: noTLS, script: r.script, demand: route.Required, relay: true, want: "deferred tls" + r.code + "; closed; cools" + r.took},
			row{name: name + ", opportunistic", must: inClear, script: r.script, demand: route.Opportunistic,
				want: "sent dot 250 charged, in clear; kept; 2 connections" + r.took, says: "TLS failed, going on without"},
			row{name: name + ", and no mail without", must: "once more without TLS, and no more than once", script: r.script + "\nehlo#1: ok\nmail: drop", demand: route.Opportunistic,
				want: "deferred mail charged; closed; 2 connections" + r.took})
		for i := range table[at:] {
			table[at+i].tcp = r.tcp
		}
	}
	rows(t, table)
}

// TestFaultTLS is what else there is about TLS.
func TestFaultTLS(t *testing.T) {
	const stripped = "starttls: raw \"220 go\\r\\n250 injected\\r\\n\"; hang"
	table := []row{
		{name: "S19 plaintext after 220, required", must: "possible attack: " + noTLS, script: stripped, demand: route.Required,
			want: "deferred tls; closed; cools", says: "possible attack"},
		{name: "S19 plaintext after 220, opportunistic", must: "possible attack: " + noTLS, script: stripped, demand: route.Opportunistic,
			want: "deferred tls; closed; cools", says: "possible attack"},
		{name: "S19 plaintext after 220, second host", must: noTLS2, script: stripped, demand: route.Opportunistic, second: true,
			want: "sent dot 250 charged at mx2, TLS1.3 verified; closed; cools"},
		{name: "S20 no STARTTLS, required", must: noTLS, script: "ehlo: 250 x", demand: route.Required, want: "deferred tls; closed; cools",
			says: "TLS is required, the server does not offer STARTTLS"},
		{name: "S20 no STARTTLS, required, second host", must: noTLS2, script: "ehlo: 250 x", demand: route.Required, second: true,
			want: "sent dot 250 charged at mx2, TLS1.3 verified; closed; cools"},
		{name: "S20 no STARTTLS, required at a relay", must: halts, script: "ehlo: 250 x", relay: true, demand: route.Required,
			want: "halt tls, not-tried gate; closed", says: "TLS is required"},
		{name: "S20 no STARTTLS, opportunistic", must: "sent in clear, noted", script: "ehlo: 250 x", demand: route.Opportunistic, want: "sent dot 250 charged, in clear; kept"},
		{name: "S22 TLS 1.2 only, required", must: "works", server: twelve, demand: route.Required, want: "sent dot 250 charged, TLS1.2 verified; kept"},
		{name: "S22 TLS 1.0 only, required", must: noTLS, server: oldest, demand: route.Required, want: "deferred tls; closed; cools"},
		{name: "S22 TLS 1.0 only, required, second host", must: noTLS2, server: oldest, demand: route.Required, second: true,
			want: "sent dot 250 charged at mx2, TLS1.3 verified; closed; cools"},
		{name: "S22 TLS 1.0 only, opportunistic", must: inClear, server: oldest, demand: route.Opportunistic,
			want: "sent dot 250 charged, in clear; kept; 2 connections", says: "TLS failed, going on without"},
		{name: "S23 no extensions after TLS", must: "only the second EHLO counts: no login, no pipelining, no SIZE",
			script: "ehlo#1: 250-x; 250-STARTTLS; 250-PIPELINING; 250-8BITMIME; 250-SMTPUTF8; 250-AUTH PLAIN; 250 SIZE 10\nehlo#2: 250 x",
			demand: route.Required, want: "sent dot 250 charged, TLS1.3 verified; kept"},
		{name: "S23 SIZE before TLS", must: "only the second EHLO counts", script: "ehlo#1: 250-x; 250-SIZE 1; 250 STARTTLS", demand: route.Required,
			want: "sent dot 250 charged, TLS1.3 verified; kept"},
		{name: "S23 SIZE after TLS", must: "only the second EHLO counts", script: "ehlo#2: 250-x; 250 SIZE 1", demand: route.Required,
			want: "failed mail charged; kept", says: "5.3.4"},
		{name: "S23 login before TLS only", must: "only the second EHLO counts: " + halts, script: "ehlo#2: 250 x", demand: route.Required, relay: true, login: true,
			want: "halt auth, not-tried gate; closed", says: "the server offers no login"},
	}
	for _, c := range []struct {
		name   string
		server func(*smtptest.CA) *tls.Config
	}{{"expired", expired}, {"self-signed", alone}, {"for another name", another}, {"of an unknown authority", strange}} {
		table = append(table,
			row{name: "S21 certificate " + c.name + ", required", must: noTLS, server: c.server, demand: route.Required,
				want: "deferred tls; closed; cools", says: "certificate: x509: certificate"},
			row{name: "S21 certificate " + c.name + ", required, second host", must: noTLS2, server: c.server, demand: route.Required, second: true,
				want: "sent dot 250 charged at mx2, TLS1.3 verified; closed; cools"},
			row{name: "S21 certificate " + c.name + ", required at a relay", must: halts, server: c.server, demand: route.Required, relay: true,
				want: "halt tls, not-tried gate; closed", says: "certificate: x509: certificate"},
			row{name: "S21 certificate " + c.name + ", implicit TLS", must: noTLS, server: c.server, demand: route.Implicit,
				want: "deferred tls; closed; cools", says: "certificate: x509: certificate"},
			row{name: "S21 certificate " + c.name + ", opportunistic", must: "encrypted all the same, noted as unverified", server: c.server, demand: route.Opportunistic,
				want: "sent dot 250 charged, TLS1.3 unverified; kept"})
	}
	for version, server := range map[string]func(*smtptest.CA) *tls.Config{"1.2": demands2, "1.3": demands} {
		name := "S22 client certificate demanded in TLS " + version
		table = append(table,
			row{name: name + ", required", must: noTLS, tcp: true, server: server, demand: route.Required, want: "deferred tls; closed; cools", says: "the server ended TLS: tls: "},
			row{name: name + ", required, second host", must: noTLS2, tcp: true, server: server, demand: route.Required, second: true,
				want: "sent dot 250 charged at mx2, TLS1.3 verified; closed; cools"},
			row{name: name + ", implicit TLS", must: noTLS, tcp: true, server: server, demand: route.Implicit, want: "deferred tls; closed; cools", says: "the server ended TLS: tls: "},
			row{name: name + ", opportunistic", must: inClear, tcp: true, server: server, demand: route.Opportunistic,
				want: "sent dot 250 charged, in clear; kept; 2 connections", says: "TLS failed, going on without"})
	}
	rows(t, table)
}

// TestFaultLogin is about AUTH.
func TestFaultLogin(t *testing.T) {
	const relay = "the relay is left alone for a while, nothing is charged"
	rows(t, []row{
		{name: "S24 login refused", must: halts, script: "auth: 535 5.7.8 no", relay: true, demand: route.Required, login: true,
			want: "halt auth 535, not-tried gate; closed", says: "535 5.7.8 no"},
		{name: "S25 login 454", must: relay, script: "auth: 454 4.7.0 later", relay: true, demand: route.Required, login: true, want: "deferred auth 454; closed; cools"},
		{name: "S25 login 421", must: relay, script: "auth: 421 4.3.2 busy; drop", relay: true, demand: route.Required, login: true, want: "deferred auth 421; closed; cools"},
		{name: "S25 login drop", must: relay, script: "auth: drop", relay: true, demand: route.Required, login: true, want: "deferred auth; closed; cools"},
		{name: "S25 login hang", must: relay + "; 1 min limit", script: "auth: hang", relay: true, demand: route.Required, login: true, want: "deferred auth; closed; cools; 1m0s"},
		{name: "S25 endless challenges", must: relay + "; at most 4 are answered", script: "auth: 334 \n: 334 ", relay: true, demand: route.Required, login: true,
			want: "deferred auth; closed; cools; 4 answers", says: "endless challenges"},
		{name: "S26 login in clear only", must: "the password is not sent: " + halts, relay: true, login: true,
			want: "halt auth, not-tried gate; closed", says: "no verified TLS"},
		{name: "S26 login over unverified TLS", must: "the password is not sent: " + halts, relay: true, login: true, demand: route.Opportunistic, server: another,
			want: "halt auth, not-tried gate; closed", says: "no verified TLS"},
		{name: "S26 login after TLS failed", must: "the password is not sent: " + halts, script: "starttls: 454 4.7.0 no", relay: true, login: true, demand: route.Opportunistic,
			want: "halt auth, not-tried gate; closed; 2 connections", says: "no verified TLS"},
		{name: "S27 530 at MAIL", must: halts, script: "mail: 530 5.7.0 log in", relay: true, want: "halt auth 530, not-tried gate; closed", says: "log in"},
		{name: "S27 530 at MAIL, one by one", must: halts, script: "mail: 530 5.7.0 log in", relay: true, serial: true, want: "halt auth 530, not-tried gate; closed"},
	})
}
