package rows

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A query that takes its time is told of after 10 s, 20 s, 40 s and so on.
func TestFaultQueryStillRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &postgres{name: "postgres://db.example/shop", o: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		stop := p.patiently(time.Now())
		time.Sleep(time.Minute)
		stop()
		time.Sleep(time.Hour)
		if got := strings.Count(log.String(), "the query still runs"); got != 3 || !strings.Contains(log.String(), "for=40s") {
			t.Errorf("told %d times\n%s", got, log.String())
		}
	})
	t.Attr("fault", "B2 a slow query")
	t.Attr("expected", "the screen says that it still runs, and for how long")
	t.Attr("seen", "told after 10 s, 20 s and 40 s of a query of one minute")
}
