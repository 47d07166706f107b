package composer

import (
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/address"
)

// The token of an unsubscribe link, the Message-ID and the boundary can be made by nobody who has not the secret, and tell
// nothing of the address: each is 160 bits of an HMAC. The token is of the campaign and stays; the others are of the run.
func TestTokensTellNothing(t *testing.T) {
	type made struct{ secret, campaign, run, to string }
	first := made{"0123456789abcdef", "spring", "W48", "ana@acme.example"}
	stamp := func(m made) Stamp {
		a, err := address.Parse(m.to)
		if err != nil {
			t.Fatal(err)
		}
		macs := newMACs(Options{Secret: []byte(m.secret), Campaign: m.campaign, Run: m.run, Generation: 1})
		return macs.stamp(macs.of("key", a.Key()), "sender.example")
	}
	was := stamp(first)
	id, _, _ := strings.Cut(was.MessageID, "@")
	for name, s := range map[string]string{"token": was.Token, "Message-ID": id, "boundary": was.Boundary} {
		if len(s) != 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Errorf("%s %q is no 160 bits of base32", name, s)
		}
	}
	if was.Token == id || was.Token == was.Boundary || id == was.Boundary {
		t.Errorf("one tells another: %+v", was)
	}
	for name, c := range map[string]struct {
		made
		stays bool // the token does
	}{
		"another secret":    {made{"0123456789abcdeg", first.campaign, first.run, first.to}, false},
		"another campaign":  {made{first.secret, "summer", first.run, first.to}, false},
		"another person":    {made{first.secret, first.campaign, first.run, "bob@acme.example"}, false},
		"another run":       {made{first.secret, first.campaign, "W49", first.to}, true},
		"parts that shift":  {made{first.secret, "springW", "48", first.to}, false},
		"the same, as ANA@": {made{first.secret, first.campaign, first.run, "ANA@acme.example"}, true},
	} {
		now := stamp(c.made)
		if (now.Token == was.Token) != c.stays {
			t.Errorf("%s: token %s, was %s", name, now.Token, was.Token)
		}
		if c.run == first.run && c.stays != (now.MessageID == was.MessageID) || c.run != first.run && (now.MessageID == was.MessageID || now.Boundary == was.Boundary) {
			t.Errorf("%s: %+v, was %+v", name, now, was)
		}
	}
}
