package composer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"

	"github.com/mailblast/mailblast/delivery"
)

// content is the letter for one row, rendered when a connection asks for it.
type content struct {
	c   *Composer
	ref int64
	key [16]byte
}

// Ref is the row's place in the row store.
func (m *content) Ref() string { return string(binary.AppendVarint(nil, m.ref)) }

func parseRef(ref string) (int64, error) {
	at, n := binary.Varint([]byte(ref))
	if n != len(ref) || n <= 0 {
		return 0, errors.New("a reference to a row is damaged")
	}
	return at, nil
}

// Open renders the letter.
func (m *content) Open(ctx context.Context, f delivery.Form) (delivery.Body, error) {
	r, err := m.c.o.Rows.At(m.ref)
	if err != nil {
		return nil, fmt.Errorf("row store: %w", err)
	}
	env, err := m.c.o.Letter.Envelope(r)
	if err != nil {
		return nil, err
	}
	return m.c.o.Letter.Render(ctx, r, m.c.mac.stamp(m.key, env.From.Domain), f)
}

// Stamp gives what the letter of a row carries of its own, for previews.
func (c *Composer) Stamp(r *Row) (Stamp, error) {
	m, s := c.read(r)
	if s != nil {
		return Stamp{}, &delivery.Unfit{Status: delivery.Skipped, Class: s.Class, Text: s.Text}
	}
	return c.mac.stamp(m.key, m.env.From.Domain), nil
}

// macs derives every identity of a run from its secret.
type macs struct {
	hashes        *sync.Pool // of keyed hash.Hash: keying one costs as much as a sum
	campaign, run string
}

func newMACs(o Options) macs {
	hashes := &sync.Pool{New: func() any { return hmac.New(sha256.New, o.Secret) }}
	return macs{hashes: hashes, campaign: o.Campaign, run: o.Run + "#" + strconv.Itoa(o.Generation)}
}

// sum is an HMAC-SHA-256 over parts that cannot run into each other.
func (m macs) sum(parts ...string) [sha256.Size]byte {
	h := m.hashes.Get().(hash.Hash)
	defer m.hashes.Put(h)
	h.Reset()
	b := make([]byte, 0, 256)
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(p))), p...)
	}
	h.Write(b)
	return [sha256.Size]byte(h.Sum(b[:0]))
}

// of gives the MAC of a row's key, or of its unique value. It is the same in every run of a campaign.
func (m macs) of(purpose, value string) [16]byte {
	s := m.sum(purpose, m.campaign, value)
	return [16]byte(s[:16])
}

// copy gives the key of a delivery to one of the row's cc or bcc.
func (m macs) copy(row [16]byte, to string) [16]byte { return m.of("copy", string(row[:])+to) }

// lower is base32 (RFC 4648 §6) in lower case: it survives servers that fold case.
var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// stamp derives what a letter carries from the MAC of its row's key. The token is the same in every run, since an
// unsubscribe link is used long after its run has ended.
func (m macs) stamp(key [16]byte, domain string) Stamp {
	id := m.sum("message-id", m.campaign, m.run, string(key[:]))
	boundary := m.sum("boundary", m.campaign, m.run, string(key[:]))
	token := m.sum("unsubscribe", m.campaign, string(key[:]))
	var mid strings.Builder
	mid.WriteString(lower.EncodeToString(id[:20]))
	mid.WriteByte('@')
	mid.WriteString(domain)
	return Stamp{
		MessageID: mid.String(),
		Boundary:  lower.EncodeToString(boundary[:20]),
		Token:     lower.EncodeToString(token[:20]),
	}
}
