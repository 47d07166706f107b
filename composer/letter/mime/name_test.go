package mime

import (
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/address"
)

// A name that fits a line as one encoded word is never parted over two, wherever in a list it stands.
func TestNameInOnePiece(t *testing.T) {
	a, err := address.Parse("jo@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for before := range 50 {
		for _, name := range []string{"Jörg Groß", "山田 太郎", strings.Repeat("ü", 8) + " the third"} {
			var h Header
			h.Mailboxes("Cc", Mailbox{Name: strings.Repeat("a", before+1), Address: a}, Mailbox{Name: name, Address: a})
			if n := strings.Count(string(h.Bytes()), "=?utf-8?"); n != 1 || h.Err() != nil {
				t.Fatalf("%d words, %v:\n%s", n, h.Err(), h.Bytes())
			}
		}
	}
}
