package composer

import (
	"encoding/hex"
	"testing"

	"github.com/mailblast/mailblast/delivery/address"
)

// What a journal knows people by, and what identifies their letters, must never change: a version that derived them
// otherwise would take everybody in every journal for somebody new. A failure here is a second copy for all of them.
func TestKeysAreForever(t *testing.T) {
	m := newMACs(Options{Secret: []byte("0123456789abcdef"), Campaign: "spring", Run: "2026-W48", Generation: 1})
	for to, want := range map[string]string{
		"Ana@Acme.Example": "ana@acme.example 40ce9f3aba99f64089ce84016b0cba0d c8bba9493fd1de6d401525bff674c1bc " +
			"eyd3z4t2ys2ktphgnf7w5vwz6jruykdf@acme.example 6zrgqakx4vo6kcp4s5a2s3sxdftek5zy ziloqqcxo6zgap7qigd7p7kk6cdd37ds",
		"josé@münchen.example": "josé@xn--mnchen-3ya.example ae4494474399b82df874a3472b8b5efb 5cd3a9175a1a87e9d975b7b178cb93ac " +
			"2dk3ixavui765livw5a2vvyop7rewzhq@xn--mnchen-3ya.example 7hwphzjid57vggaa3vqqlm7tvaxllsxy hucwhfd4vjwns2nxk34hhbngzz3ev4ja",
		"O'Brien+news@x.co.uk": "o'brien+news@x.co.uk 5f8b5e2f26d934df89f546d6b0b3e0f6 0484c02e8026afa0c1e14f688adc1780 " +
			"7ggz26fehclmmixbjc4gadfhycx5wfjv@x.co.uk olt3y24bsdjw7aiewb7g55xp6lsjy4t5 jrgs27ueroxo7ald27nkwepqrycujnpd",
		"jose\u0301@cafe.example": "josé@cafe.example 970d5f4741cff6af75c37c1d2303ae39 fdcdef1b138a6faf6bd77a4476da248a " +
			"7sh7c7rwvxtiver2ghhys65uvn2fj5wh@cafe.example h7qslvevm66mus6al6u4rzxh23kluxtd txoy4xd6vpoz2liyizzgucpdqlbn6h5d",
	} {
		a, err := address.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		key := m.of("key", a.Key())
		cc := m.copy(key, a.Key())
		s := m.stamp(key, a.Domain)
		got := a.Key() + " " + hex.EncodeToString(key[:]) + " " + hex.EncodeToString(cc[:]) + " " + s.MessageID + " " + s.Boundary + " " + s.Token
		if got != want {
			t.Errorf("%s:\n%s\n%s", to, got, want)
		}
	}
	if got := hex.EncodeToString(sliceOf(m.of("key", "order 17"))); got != "f63148072038d1d3593a8fe549d8bfa4" {
		t.Error(got)
	}
}

func sliceOf(k [16]byte) []byte { return k[:] }
