package journal

import (
	"path/filepath"
	"sync"
	"testing"
)

// Several who open a new journal at the same moment all get it.
func TestOpenTogether(t *testing.T) { both(t, testOpenTogether) }

func testOpenTogether(t *testing.T) {
	times := 40
	if at(t, "").Server != "" { // which makes tables more slowly
		times = 4
	}
	for range times {
		dir := filepath.Join(t.TempDir(), "state")
		var g sync.WaitGroup
		for range 8 {
			g.Go(func() {
				b, err := Open(t.Context(), at(t, dir))
				if err != nil {
					t.Error(err)
					return
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
	}
}
