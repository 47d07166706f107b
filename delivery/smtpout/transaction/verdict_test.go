package transaction

import (
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpout/conn"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

func TestReplies(t *testing.T) {
	x := &transaction{c: &conn.Conn{Name: "mx.example"}}
	for _, c := range []struct {
		stage    delivery.Stage
		code     int
		enhanced string
		want     delivery.Status
	}{
		{delivery.StageDot, 250, "2.0.0", delivery.Sent},
		{delivery.StageDot, 251, "", delivery.Sent},
		{delivery.StageDot, 220, "", delivery.Unknown},
		{delivery.StageDot, 354, "", delivery.Unknown},
		{delivery.StageDot, 451, "4.3.0", delivery.Deferred},
		{delivery.StageDot, 554, "5.7.1", delivery.Failed},
		{delivery.StageRcpt, 450, "4.2.1", delivery.Deferred},
		{delivery.StageRcpt, 550, "5.1.1", delivery.Failed},
		{delivery.StageRcpt, 552, "5.2.2", delivery.Deferred},
		{delivery.StageMail, 552, "5.3.4", delivery.Failed},
	} {
		o := x.replied(&delivery.Message{To: "a@example.org"}, c.stage, smtpwire.Reply{Code: c.code, Enhanced: c.enhanced, Text: "so"})
		if o.Status != c.want || !o.Charged || o.Host != "mx.example" || (o.Class == 0) != (c.want == delivery.Sent) {
			t.Errorf("%s %d %s: %+v, want %s", c.stage, c.code, c.enhanced, o, c.want)
		}
	}
}

func TestCrowded(t *testing.T) {
	for _, c := range []struct {
		code     int
		enhanced string
		want     bool
	}{{452, "", true}, {452, "4.5.3", true}, {452, "4.2.2", false}, {552, "5.5.3", true}, {552, "", false}, {550, "", false}} {
		if got := crowded(smtpwire.Reply{Code: c.code, Enhanced: c.enhanced}); got != c.want {
			t.Errorf("%d %s: %v", c.code, c.enhanced, got)
		}
	}
}

// An address that comes this far unparsed cannot end its command early.
func TestSafe(t *testing.T) {
	for a, want := range map[string]bool{
		"a@example.org": true, "jürgen@example.org": true, "": true,
		"a@example.org>\r\nRCPT TO:<b@example.org": false, "a b@example.org": false, "a<b@example.org": false, "a\x7f@example.org": false,
	} {
		if safe(a) != want {
			t.Errorf("%q: %v", a, !want)
		}
	}
}
