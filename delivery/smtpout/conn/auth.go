package conn

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// maxChallenges ends a login that goes round in circles.
const maxChallenges = 4

// login does AUTH (RFC 4954). A refusal halts: trying again would lock the account.
func (c *Conn) login(ctx context.Context) *fault.Fault {
	if !c.verified && !(c.o.InsecureAuth && c.loopback()) {
		return c.noLogin("not logging in: the connection has no verified TLS, the password could be read on the way")
	}
	mechanism, why := choose(c.o.Auth.Mechanism, c.Ext.Auth)
	if why != "" {
		return c.noLogin(why)
	}
	secret, err := c.o.Auth.Password(ctx)
	if err != nil {
		return c.noLogin(fmt.Sprintf("no password to log in with: %v", err))
	}
	first, answers, err := responses(mechanism, c.o.Auth.User, secret)
	if err != nil {
		return c.noLogin(err.Error())
	}
	command := []string{"AUTH ", mechanism}
	if first != "" {
		command = append(command, " ", encode(first))
	}
	c.mask = newMask(secret, encode(first))
	if f := c.o.Gate.enter(ctx); f != nil {
		return c.shared(f)
	}
	return c.inGate(func() *fault.Fault { return c.present(mechanism, answers, command) })
}

// inGate does a login and gives the others its verdict. A panic is none, and says nothing about the password: the next may try.
func (c *Conn) inGate(login func() *fault.Fault) *fault.Fault {
	f, cut := new(fault.Fault), true
	defer func() { c.o.Gate.leave(f, cut) }()
	f = login()
	cut = c.Cut() != nil
	return f
}

// shared makes what another connection was told c's own.
func (c *Conn) shared(f *fault.Fault) *fault.Fault {
	own := *f
	own.Stage = delivery.StageAuth
	return c.own(&own)
}

// present says AUTH and answers the challenges.
func (c *Conn) present(mechanism string, answers, command []string) *fault.Fault {
	r, f := c.Ask(delivery.StageAuth, c.o.Timeouts.Auth, command...)
	for n := 0; f == nil && r.Code == 334; n++ {
		if n == maxChallenges {
			f = c.Fault(delivery.StageAuth, "protocol error: endless challenges")
			f.Cools = true
			return f
		}
		answer := ""
		if n < len(answers) {
			answer = encode(answers[n])
		}
		r, f = c.Ask(delivery.StageAuth, c.o.Timeouts.Auth, answer)
	}
	if f != nil {
		return f
	}
	return c.loggedIn(mechanism, r)
}

func (c *Conn) loggedIn(mechanism string, r smtpwire.Reply) *fault.Fault {
	if r.Code == 235 && !r.Long {
		c.Login = mechanism
		return nil
	}
	f := c.Said(delivery.StageAuth, r)
	f.Halts = c.o.Relay && r.Class() == 5
	return f
}

func (c *Conn) noLogin(text string) *fault.Fault {
	f := c.Fault(delivery.StageAuth, text)
	f.Cools, f.Halts = true, c.o.Relay
	return f
}

func (c *Conn) loopback() bool {
	a, ok := c.raw.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	return ok && ip.Unmap().IsLoopback()
}

// choose picks the mechanism, or tells why there is none.
func choose(want string, offered []string) (mechanism, why string) {
	want = strings.ToUpper(want)
	for _, m := range offered {
		if m == want || want == "" && (m == "PLAIN" || m == "LOGIN") {
			return m, ""
		}
	}
	if len(offered) == 0 {
		return "", "the server offers no login"
	}
	offered = slices.Clone(offered)
	slices.Sort(offered)
	list := smtpwire.Printable(strings.Join(slices.Compact(offered), ", "))
	if want == "" {
		return "", "the server offers only these ways to log in: " + list
	}
	return "", fmt.Sprintf("the server does not offer to log in by %s, only by %s", want, list)
}

// responses gives the initial response and the answers to the challenges that follow.
func responses(mechanism, user, secret string) (first string, answers []string, err error) {
	switch mechanism {
	case "PLAIN": // RFC 4616
		if strings.ContainsRune(user+secret, 0) {
			return "", nil, fmt.Errorf("a login by PLAIN cannot have a NUL")
		}
		return "\x00" + user + "\x00" + secret, nil, nil
	case "LOGIN":
		return "", []string{user, secret}, nil
	case "XOAUTH2": // a refusal comes as a challenge, to be answered with an empty line
		if strings.ContainsRune(user+secret, 1) {
			return "", nil, fmt.Errorf("a login by XOAUTH2 cannot have a control character")
		}
		return "user=" + user + "\x01auth=Bearer " + secret + "\x01\x01", nil, nil
	}
	return "", nil, fmt.Errorf("login by %s is not known here", mechanism)
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
