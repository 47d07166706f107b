package journal

import (
	"path/filepath"
	"sync"
	"testing"
)

// Several who open a new journal at the same moment all get it.
func TestOpenTogether(t *testing.T) {
	for range 40 {
		dir := filepath.Join(t.TempDir(), "state")
		var g sync.WaitGroup
		for range 8 {
			g.Go(func() {
				b, err := Open(t.Context(), Options{Dir: dir})
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
