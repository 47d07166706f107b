package repair_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/journaltest"
	"github.com/mailblast/mailblast/delivery/journal/repair"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// process is a book with a run that is served.
type process struct {
	*journal.Run
	book *journal.Book
	end  func(testing.TB)
}

func begin(t testing.TB, dir string, s journal.Spec) (p process, err error) {
	t.Helper()
	return start(t, journal.Options{Dir: dir}, s)
}

func start(t testing.TB, o journal.Options, s journal.Spec) (p process, err error) {
	t.Helper()
	ctx := context.Background()
	b, err := journal.Open(ctx, o)
	if err != nil {
		return p, err
	}
	r, err := b.Begin(ctx, s)
	if err != nil {
		return p, errors.Join(err, b.Close())
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.Serve(serving) }()
	return process{r, b, func(t testing.TB) {
		stop()
		check(t, errors.Join(<-done, r.Close(), b.Close()))
	}}, nil
}

func (p process) id(n int) delivery.ID {
	i := delivery.ID{Run: p.Info().ID}
	i.Key[0], i.Key[1] = byte(n), byte(n>>8)
	return i
}

// give gives deliveries an outcome each: place n that of statuses[n].
func (p process) give(t testing.TB, statuses ...delivery.Status) {
	t.Helper()
	for n, s := range statuses {
		to := fmt.Sprintf("p%d@x.test", n)
		check(t, p.Intend([]*delivery.Message{{ID: p.id(n), To: to}})(context.Background()))
		if s != delivery.NotTried {
			p.Record([]delivery.Outcome{{ID: p.id(n), To: to, Status: s, Attempt: 1, Try: 1, At: time.Now()}})
		}
		check(t, p.Flush(context.Background()))
	}
}

func (p process) states(t testing.TB, n int) (all []delivery.Status) {
	t.Helper()
	ids := make([]delivery.ID, n)
	for i := range ids {
		ids[i] = p.id(i)
	}
	states, err := p.Lookup(context.Background(), ids)
	check(t, err)
	for _, s := range states {
		all = append(all, s.Status)
	}
	return all
}

func mend(t testing.TB, dir string) (repair.Result, *salvage.Finding) {
	t.Helper()
	w, err := salvage.Open(context.Background(), salvage.Place{Dir: dir})
	check(t, err)
	f, err := w.Judge(context.Background())
	check(t, err)
	r, err := repair.Run(context.Background(), salvage.Place{Dir: dir}, w, f, time.Unix(1_800_000_000, 0))
	check(t, errors.Join(err, w.Close()))
	return r, f
}

func wrong(t testing.TB, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "journal.db"))
	check(t, err)
	_, err = db.Exec(query)
	check(t, errors.Join(err, db.Close()))
}

const (
	no      = delivery.NotTried
	later   = delivery.Deferred
	sent    = delivery.Sent
	failed  = delivery.Failed
	unknown = delivery.Unknown
)

// Whatever is lost, nobody is taken for sent who was not, and nobody who may have got their mail for unsent: the one are
// listed as before, the other are unknown, those included that the journal never heard of.
func TestFaultRepair(t *testing.T) {
	t.Parallel()
	was := []delivery.Status{sent, failed, later, no, sent} // outcomes 1, 2, 3 and 4, intents 1 to 5
	for query, want := range map[string][]delivery.Status{
		`DELETE FROM outcomes WHERE seq = 4`:           {sent, failed, unknown, unknown, unknown, unknown},
		`DELETE FROM outcomes WHERE seq = 1`:           {unknown, failed, unknown, unknown, sent, unknown},
		`DELETE FROM outcomes`:                         {unknown, unknown, unknown, unknown, unknown, unknown},
		`UPDATE outcomes SET status = 2 WHERE seq = 2`: {sent, unknown, unknown, unknown, sent, unknown},
		`DELETE FROM intents WHERE seq = 4`:            {sent, failed, unknown, unknown, sent, unknown},
		`DELETE FROM intents`:                          {sent, failed, unknown, unknown, sent, unknown},
		`DELETE FROM runs`:                             {sent, failed, unknown, unknown, sent, unknown},
		`UPDATE meta SET commits = 3`:                  {sent, failed, unknown, unknown, sent, unknown},
		`DELETE FROM meta`:                             {sent, failed, unknown, unknown, sent, unknown},
		`DROP TABLE outcomes`:                          {unknown, unknown, unknown, unknown, unknown, unknown},
		`DELETE FROM kept`:                             nil, // nothing was kept
		`DROP TABLE kept`:                              {sent, failed, later, unknown, sent, no},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
		check(t, err)
		p.give(t, was...)
		p.end(t)
		wrong(t, dir, query)
		before := files(t, dir)
		r, f := mend2(t, dir)
		if f.Sound() != (want == nil) {
			t.Errorf("%s: %+v", query, f)
		}
		if want == nil {
			continue
		}
		if now := files(t, r.Aside); !maps.Equal(now, before) {
			t.Errorf("%s: the damaged files are not as they were", query)
		}
		for range 2 {
			p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
			check(t, err)
			if got := p.states(t, len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
			p.end(t)
		}
	}
	t.Attr("fault", "R13 rows, tables or commits of the journal are damaged; it is repaired")
	t.Attr("expected", "never a wrong sent, never silently unsent")
	t.Attr("seen", "what is intact stays; whoever may have got their mail is unknown")
}

// mend2 repairs what is not sound.
func mend2(t testing.TB, dir string) (r repair.Result, f *salvage.Finding) {
	t.Helper()
	w, err := salvage.Open(context.Background(), salvage.Place{Dir: dir})
	check(t, err)
	f, err = w.Judge(context.Background())
	check(t, errors.Join(err, w.Close()))
	if f.Sound() {
		return r, f
	}
	return mend(t, dir)
}

// files gives what a directory has of a journal, but for what SQLite makes beside it to read.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"journal.db", "journal.db-wal", "journal.mark", "journal.runs"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		check(t, err)
		all[name] = string(b)
	}
	return all
}

// A journal that was repaired is one like any other.
func TestSuiteOfRepaired(t *testing.T) {
	t.Parallel()
	repaired := filepath.Join(t.TempDir(), "state")
	p, err := begin(t, repaired, journal.Spec{Campaign: "autumn"})
	check(t, err)
	p.give(t, sent, failed, later)
	p.end(t)
	wrong(t, repaired, `DELETE FROM outcomes WHERE seq = 2; DELETE FROM intents WHERE seq = 3`)
	mend(t, repaired)
	journaltest.Run(t, 100, func(t testing.TB, dir string) journaltest.Process {
		dir = filepath.Join(dir, "state")
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			check(t, errors.Join(os.CopyFS(dir, os.DirFS(repaired)), os.Chmod(dir, 0o700)))
		}
		p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
		check(t, err)
		return journaltest.Process{Run: p.Info().ID, Journal: p, End: p.end, Status: func(ctx context.Context, ids []delivery.ID) ([]delivery.Status, error) {
			states, err := p.Lookup(ctx, ids)
			out := make([]delivery.Status, len(states))
			for i := range states {
				out[i] = states[i].Status
			}
			return out, err
		}}
	})
}
