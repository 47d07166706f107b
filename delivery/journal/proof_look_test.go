package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

// memory gives a directory in memory where the system has one, since the proofs open some hundred thousand journals.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mailblast-proof-")
	if err != nil {
		return filepath.Join(t.TempDir(), "state")
	}
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "state")
}

// sight is what `send` and `report` learn from a journal.
type sight struct {
	states []state.State
	report map[delivery.ID]delivery.Status
	barred []Suppression
}

func (s *sight) same(o *sight) bool {
	return slices.Equal(s.states, o.states) && maps.Equal(s.report, o.report) && slices.Equal(s.barred, o.barred)
}

func (s *sight) String() string {
	text := ""
	for n, st := range s.states {
		text += fmt.Sprintf("%d %v, ", n, st.Status)
	}
	return text + fmt.Sprintf("%d barred", len(s.barred))
}

// look opens a journal as send does, and gives what it learns before the first letter could leave. With more, it then
// sends some.
func look(ctx context.Context, dir string, more bool) (s *sight, begun bool, err error) {
	b, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s = &sight{report: map[delivery.ID]delivery.Status{}}
	for x, err := range b.Suppressions(ctx, 0) {
		if err != nil {
			return nil, true, err
		}
		s.barred = append(s.barred, x)
	}
	r, err := b.Begin(ctx, storySpec)
	if err != nil {
		return nil, true, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.info.Key != storySpec.Key || r.info.Campaign != storySpec.Campaign {
		return nil, true, fmt.Errorf("begun was %+v", r.info)
	}
	if s.states, err = r.Lookup(ctx, everybody(storyRun)); err != nil {
		return nil, true, err
	}
	for o, err := range b.Outcomes(ctx, r.info) {
		if err != nil {
			return nil, true, err
		}
		if o.Status.Final() {
			s.report[o.ID] = o.Status
		}
	}
	if more {
		err = sendMore(ctx, b, r)
	}
	return s, true, err // with both, it stopped while it sent
}

// sendMore has 15 sent and 16 put on the wire.
func sendMore(ctx context.Context, b *Book, r *Run) (err error) {
	stop := serve(b)
	defer func() { err = errors.Join(err, stop()) }()
	for n := 15; n <= 16; n++ {
		m := &delivery.Message{ID: someone(storyRun, n), To: "p@x.test", First: day(n), Journal: r}
		if err := r.Intend([]*delivery.Message{m})(ctx); err != nil {
			return err
		}
	}
	r.Record([]delivery.Outcome{{ID: someone(storyRun, 15), Status: delivery.Sent, First: day(15), Attempt: 1, Try: 1, Charged: true}})
	return r.Flush(ctx)
}

// grown is what a journal tells after sendMore.
func (s *sight) grown() *sight {
	g := &sight{states: slices.Clone(s.states), report: maps.Clone(s.report), barred: s.barred}
	for n, status := range map[int]delivery.Status{15: delivery.Sent, 16: delivery.Unknown} {
		g.states[n] = state.State{Status: status, Attempts: 1, Tries: 1, First: time.UnixMicro(day(n).UnixMicro())}
		g.report[someone(storyRun, n)] = status
	}
	return g
}

// typed tells whether an error says what it is about.
func typed(err error) bool {
	var (
		damaged *refusal.DamagedError
		newer   *refusal.NewerError
		lost    *refusal.LostError
		host    *refusal.HostError
		secret  *refusal.SecretError
	)
	return errors.As(err, &damaged) || errors.As(err, &newer) || errors.As(err, &lost) || errors.As(err, &host) || errors.As(err, &secret)
}

// verdicts count what came of damage.
type verdicts struct{ refused, harmless, later int }

func (v verdicts) String() string {
	return fmt.Sprintf("%d refused, %d harmless, %d of these refused by the run after", v.refused, v.harmless, v.later)
}

// trial lays files that may be damaged, and holds what comes of them against what is allowed: any of these sights in full, or a
// refusal with a type that leaves the files as they are. What is taken for sound must stay so when more is sent.
type trial struct {
	t    testing.TB
	dir  string
	more bool
	v    verdicts
}

func (r *trial) do(name string, f files, allowed ...*sight) {
	r.t.Helper()
	defer func() {
		if p := recover(); p != nil {
			r.t.Fatalf("%s: panic: %v", name, p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f.lay(r.t, r.dir)
	seen, begun, err := look(ctx, r.dir, r.more)
	if seen == nil {
		r.refused(ctx, name, f, begun, err)
		return
	}
	r.v.harmless++
	at := slices.IndexFunc(allowed, seen.same)
	switch {
	case at < 0:
		r.t.Errorf("%s: a lie: %v; allowed are %v", name, seen, allowed)
	case err != nil && !typed(err):
		r.t.Errorf("%s: stopped without a type: %v", name, err)
	case r.more:
		r.after(ctx, name, allowed[at], err)
	}
}

// after looks again when more was sent, or some of it before an error stopped it.
func (r *trial) after(ctx context.Context, name string, before *sight, stopped error) {
	r.t.Helper()
	again, _, err := look(ctx, r.dir, false)
	if again == nil && typed(err) {
		r.v.later++
		return
	}
	want := before.grown()
	if stopped != nil && again != nil { // how far it came is not known
		for n := 15; n <= 16; n++ {
			want.states[n] = again.states[n]
			delete(want.report, someone(storyRun, n))
			delete(again.report, someone(storyRun, n))
		}
	}
	if err != nil || !again.same(want) {
		r.t.Errorf("%s: a lie after more was sent: %v, %v; allowed is %v", name, again, err, want)
	}
}

// refused makes sure that a refusal has a type and changes nothing. Where only the rows told of the damage, the log may have been
// brought into the file: then the journal must stay refused.
func (r *trial) refused(ctx context.Context, name string, f files, begun bool, err error) {
	r.t.Helper()
	r.v.refused++
	if !typed(err) {
		r.t.Errorf("%s: refused without a type: %v", name, err)
	}
	if !begun {
		if !pick(r.t, r.dir).same(f) {
			r.t.Errorf("%s: the refusal changed the files", name)
		}
		return
	}
	if seen, _, err := look(ctx, r.dir, false); seen != nil || !typed(err) {
		r.t.Errorf("%s: refused once, and then taken: %v, %v", name, seen, err)
	}
}
