// Package campaign turns campaign.yaml into a checked value:
//
//  1. campaign.yaml, the nearest mailblast.yaml above it and .env are read, within bounds (package source);
//  2. names that people type for a key are put right, with a warning;
//  3. each key of the table in keys.go takes its value: from a flag or its variable, campaign.yaml, mailblast.yaml, or
//     its default, in this order; ${VAR} is expanded in strings that are no templates;
//  4. what several keys say together is checked;
//  5. every fault is told at once, with its file, line and column; a campaign with one is never returned.
//
// Nothing is dialled, run or written here.
package campaign

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign/secret"
)

// Campaign is a checked campaign.yaml. docs/campaign.md says what each key means.
type Campaign struct {
	Path string // of campaign.yaml, as it was given
	Dir  string // its folder, absolute; templates and attachments lie below it

	Name        string
	From        string // a mailbox, or a template that makes one
	To          string // template; empty: the column email, e-mail or mail
	CC, BCC     []string
	ReplyTo     string
	ReturnPath  string // empty: the address of From
	Subject     string // empty: the template's front matter has it
	Preheader   string // template
	Template    string // relative to Dir
	Locale      string // template of a language; empty: one letter for all
	Images      string // embed or link
	Text        string // "auto", "none" or a file relative to Dir
	Layout      string // "none" or a name below layouts/
	Recipients  Recipients
	Key         string // a column; DefaultKey: the to address
	Unique      string // a column, DefaultKey or "none"
	Expect      Expect
	Suppress    []string // absolute paths of files with people who must not be written to
	Repeat      string   // never, daily, weekly, monthly, on-change or always
	OnNull      Nulls
	Vars        map[string]any
	Attachments []Attachment
	Headers     []Header
	Unsubscribe Unsubscribe

	SMTP        Relay
	Fallback    *Relay // nil: none
	Capture     Capture
	Rate        Rates
	Connections int
	Memory      int64  // octets
	Delivery    string // relay or direct
	Direct      Direct
	Queues      []Queue
	General     General
	Pipelining  bool
	OnUnknown   string // hold or resend
	Retry       Retry
	MaxMessage  int64  // octets
	State       string // directory, absolute; it may not exist yet
	Server      Secret // the database that the journal is in, postgres://…; empty: it is in State
	Secret      Secret // empty: the file secret in State, or what Server has

	// Warnings are faults that do not keep the campaign from being sent.
	Warnings Faults

	places  map[string]place
	origins map[string]string
	set     []Setting
}

// Secret is text that is never printed.
type Secret = secret.Text

// DefaultKey is the value of Key and Unique that stands for the to address.
const DefaultKey = "email"

// Recipients says where rows come from: File, or DSN with Query.
type Recipients struct {
	File      string // absolute, or Stdin
	Charset   string // of a text file, as package charset names it; empty: to be found out
	Delimiter byte   // 0: to be found out
	Sheet     string // of a workbook; empty: the only one that has cells
	DSN       Secret // postgres://… or sqlite:FILE; the path of a SQLite file is made absolute
	Query     string
	Params    map[string]any
}

// Expect is how many rows there should be; anything else sends nothing. A Max of 0 is no maximum.
type Expect struct{ Min, Max int64 }

// Null is what printing a NULL does: fail, skip, or print Text.
type Null struct{ Do, Text string }

// Nulls is what printing a NULL does, and for which columns it does something else.
type Nulls struct {
	Default Null
	Columns map[string]Null
}

// Skips tells whether a row may be left out for a NULL.
func (n Nulls) Skips() bool {
	for _, c := range n.Columns {
		if c.Do == "skip" {
			return true
		}
	}
	return n.Default.Do == "skip"
}

// Attachment is a file that goes with letters. Path and Name may be templates.
type Attachment struct {
	Path     string // relative to the campaign's folder
	Name     string // as the recipient sees it; empty: the path's last element
	Optional bool   // a letter goes without the file if it is not there
}

// Header is a header field of our user's own. Value is a template.
type Header struct{ Name, Value string }

// Unsubscribe is what goes into List-Unsubscribe. {token} stands for the recipient's signed id.
type Unsubscribe struct {
	URL, Mailto string
	Required    bool // false: a notice that must be sent even without
}

// Rate is N messages per Per. The zero Rate is no limit.
type Rate struct {
	N   float64
	Per time.Duration
}

// String writes the rate as campaign.yaml does.
func (r Rate) String() string {
	for _, u := range units {
		if r.N > 0 && r.Per == u.per {
			return strconv.FormatFloat(r.N, 'f', -1, 64) + "/" + u.name
		}
	}
	return "none"
}

// Rates limits all sending together, and each domain. PerDomain["*"] is for every domain that is not named.
type Rates struct {
	Total     Rate
	PerDomain map[string]Rate
}

// Relay is a server that takes all mail.
type Relay struct {
	Capture bool // the built-in capture server; nothing else is set then

	Host string // a name in A-labels or an IP address
	Port int
	TLS  string // starttls, implicit, opportunistic or none

	User            string
	Password        Secret   // as campaign.yaml has it
	PasswordFile    string   // absolute
	PasswordCommand []string // argv
	TokenCommand    []string // argv; prints a bearer token for XOAUTH2
	Auth            string   // auto, plain, login or xoauth2
	InsecureAuth    bool     // the password may go over an unencrypted connection

	Hello  string // empty: the machine's name
	CAFile string // absolute; empty: the system's roots
	dir    string // where commands run
}

// Credential gets the password or token when it is needed: from campaign.yaml, a file, or the first line that a command
// prints. It is empty when there is none.
func (r *Relay) Credential(ctx context.Context) (Secret, error) {
	switch {
	case len(r.TokenCommand) > 0:
		return secret.Command(ctx, "token_command", r.TokenCommand, r.dir)
	case len(r.PasswordCommand) > 0:
		return secret.Command(ctx, "password_command", r.PasswordCommand, r.dir)
	case r.PasswordFile != "":
		return secret.ReadFile(r.PasswordFile)
	}
	return r.Password, nil
}

// Capture is what the built-in capture server does in rehearsals.
type Capture struct {
	Fail    string // which recipients and messages it refuses
	Latency time.Duration
}

// Direct is for delivery to the recipients' mail exchangers.
type Direct struct {
	Port          int
	Resolver      string // "system" or host:port
	AllowNetworks []netip.Prefix
	Bind          netip.Addr // zero: the system's choice
	Hello         string     // empty: the machine's name
	TLS           string     // opportunistic, starttls or none
}

// Queue is a specific queue.
type Queue struct {
	Name                  string
	Domains               []string // lower-case A-labels
	Connections           int
	Rate                  Rate
	MessagesPerConnection int
}

// General is the queue of every domain that no specific queue names.
type General struct {
	Connections, PerDomain, MessagesPerConnection int
	Idle                                          time.Duration
	Rate                                          Rate
}

// Retry is for what was refused for now.
type Retry struct {
	For, First, Max, Wait time.Duration
	Jitter                bool
}

// Setting is one key with its value as `check --show config` prints it, secrets masked.
type Setting struct {
	Key, Value string
	Origin     string // "--rate", "MAILBLAST_RATE", "campaign.yaml:12", "mailblast.yaml:3" or "default"
}

// place is where a value's content begins.
type place struct {
	file      string
	line, col int
}

// Pos tells where the content of a key's value begins, to point at faults inside of it. Fields are named as "subject",
// "cc[0]", "headers.X-Campaign" and "attachments[1]". A field that is not in a file gives that of campaign.yaml with
// line 0.
func (c *Campaign) Pos(field string) (file string, line, col int) {
	if p, ok := c.places[field]; ok {
		return p.file, p.line, p.col
	}
	return c.Path, 0, 0
}

// Settings lists every key with its value and where that comes from, in the order of docs/campaign.md.
func (c *Campaign) Settings() []Setting { return c.set }
