package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// plan counts what is to be done, and holds it against what the campaign expects.
func (p *pipeline) plan(ctx context.Context) (*screen.Plan, error) {
	doubted := p.run.Before().Unknown
	pl, err := p.composer.Plan(ctx)
	if err != nil {
		return nil, err
	}
	info := p.run.Info()
	p.found = info.Found + p.run.Before().Unknown - doubted
	v := &screen.Plan{
		Run: info.Name(), From: p.c.From, Via: p.via(), List: p.listName(), Rehearsal: p.rehearsal(), Limits: p.limits(), Rows: pl.Rows,
		Already: pl.Past[delivery.Sent], Suppressed: pl.Past[delivery.Suppressed] + pl.Barred,
		Duplicate: pl.Skipped[delivery.ClassDuplicate], Invalid: pl.Skipped[delivery.ClassInvalid], Null: pl.Skipped[delivery.ClassNull],
		Beyond: pl.LeftOut, ToSend: pl.ToSend, Doubtful: pl.Doubtful, Deliveries: pl.Deliveries, InDoubt: p.inDoubt(pl),
		Width: p.width(), About: p.about(pl.Deliveries), CanTest: !p.rehearsal(),
	}
	v.Ended = pl.Ended - v.Already - pl.Past[delivery.Suppressed]
	p.edited = p.edits()
	v.Notes = append(v.Notes, p.edited...)
	if pl.Differ > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%s of those that are unknown would get another letter than the one they may have: it, or their row, was changed", screen.Comma(pl.Differ)))
	}
	if pl.Waiting > 0 {
		v.Notes = append(v.Notes, verb(pl.Waiting, "of them was put off before and waits for its next try", "of them were put off before and wait for their next try"))
	}
	if pl.First >= 0 {
		if v.FirstTo, v.FirstSubject, err = p.first(ctx, pl.First); err != nil {
			return nil, err
		}
	}
	if p.o.test == "" {
		if err := p.expected(pl); err != nil {
			return nil, err
		}
	}
	p.planned = pl
	return v, nil
}

// expected refuses a list whose length is outside of what the campaign expects.
func (p *pipeline) expected(pl composer.Plan) error {
	x := p.c.Expect
	if n := int64(pl.Rows); n >= x.Min && (x.Max == 0 || n <= x.Max) {
		return nil
	}
	want := fmt.Sprintf("at least %d", x.Min)
	if x.Max > 0 {
		want = fmt.Sprintf("between %d and %d", x.Min, x.Max)
	}
	return failf(exitRefused, "the list has %s, the campaign expects %s. Nothing was sent", plural(pl.Rows, "row"), want).
		hinted("look at the list, or change expect: in %s", p.c.Path)
}

// first gives address and subject of the first letter.
func (p *pipeline) first(ctx context.Context, ref int64) (to, subject string, err error) {
	r, err := p.rows.At(ref)
	if err != nil {
		return "", "", err
	}
	to = p.letter.Addressee(r)
	stamp, err := p.composer.Stamp(r)
	if err != nil {
		return to, "", nil
	}
	body, err := p.letter.Render(ctx, r, stamp, delivery.Form{EightBit: true, UTF8: true, Date: p.now()})
	if u := (*delivery.Unfit)(nil); errors.As(err, &u) {
		return to, "", nil // it is told as an outcome
	} else if err != nil {
		return "", "", err
	}
	defer func() { _ = body.Close() }()
	var b bytes.Buffer
	if _, err := body.WriteTo(&head{&b}); err != nil && !errors.Is(err, io.ErrShortWrite) {
		return "", "", err
	}
	m, err := mail.ReadMessage(&b)
	if err != nil {
		return to, "", nil
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		subject = m.Header.Get("Subject")
	}
	return to, subject, nil
}

// head takes the first 64 KiB.
type head struct{ *bytes.Buffer }

func (h *head) Write(b []byte) (int, error) {
	if h.Len() > 64<<10 {
		return 0, io.ErrShortWrite
	}
	return h.Buffer.Write(b)
}

// listName names where the recipients come from; of a database only what is no secret.
func (p *pipeline) listName() string {
	r := p.c.Recipients
	switch r.File {
	case "":
	case campaign.Stdin:
		return "standard input"
	default:
		return below(p.c.Dir, r.File)
	}
	if file, ok := strings.CutPrefix(r.DSN.Reveal(), "sqlite:"); ok {
		return below(p.c.Dir, strings.TrimPrefix(file, "//"))
	}
	return "the database"
}

// via names the way out.
func (p *pipeline) via() string {
	switch {
	case p.capture != nil:
		return "built-in capture server (no mail leaves this machine)"
	case p.target != nil:
		return net.JoinHostPort(p.target.Host, strconv.Itoa(p.target.Port))
	case p.c.Delivery == "direct":
		return "the recipients' mail exchangers"
	}
	return net.JoinHostPort(p.c.SMTP.Host, strconv.Itoa(p.c.SMTP.Port))
}

func (p *pipeline) limits() (l []string) {
	if p.c.Rate.Total.N > 0 {
		l = append(l, p.c.Rate.Total.String())
	}
	return append(l, plural(p.c.Connections, "connection"))
}

// about forecasts the length of a run that a rate bounds; without a rate nothing is known yet.
func (p *pipeline) about(n int) time.Duration {
	r := p.c.Rate.Total
	if r.N <= 0 {
		return 0
	}
	return time.Duration(float64(n) / r.N * float64(r.Per))
}
