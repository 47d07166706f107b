package journal

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

func TestRunsByName(t *testing.T) { both(t, testRunsByName) }

func testRunsByName(t *testing.T) {
	ctx := context.Background()
	b := open(t, filepath.Join(t.TempDir(), "state"))
	for _, s := range []Spec{{Campaign: "spring"}, {Campaign: "spring", Again: true}, {Campaign: "weekly", Key: "w1"},
		{Campaign: "weekly", Key: "w2"}, {Campaign: "weekly", Key: "w1", Again: true}, {Campaign: "weekly", Key: "w1"}} {
		begin(t, b, s)
	}
	for name, want := range map[string]string{"spring": "spring#2", "spring#1": "spring", "spring#2": "spring#2", "weekly": "weekly/w1#2",
		"weekly/w1": "weekly/w1#2", "weekly/w1#1": "weekly/w1", "weekly/w2": "weekly/w2", "": "weekly/w1#2"} {
		got, err := b.Find(ctx, name)
		if err != nil || got.Name() != want {
			t.Errorf("%q: got %q, %v; want %q", name, got.Name(), err, want)
		}
	}
	for _, name := range []string{"autumn", "spring#3", "spring#0", "spring#x", "weekly/w3"} {
		if got, err := b.Find(ctx, name); !errors.Is(err, ErrNoRun) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	runs, err := b.Runs(ctx, "", 0)
	if check(t, err); len(runs) != 5 {
		t.Errorf("%d runs", len(runs))
	}
}

func collect(t *testing.T, b *Book, r *Run) []delivery.Outcome {
	var all []delivery.Outcome
	for o, err := range b.Outcomes(context.Background(), r.Info()) {
		check(t, err)
		all = append(all, o)
	}
	return all
}

// What is recorded is read back whole, one outcome a delivery, by a reader that has its own view while a run writes.
func TestOutcomes(t *testing.T) { both(t, testOutcomes) }

func testOutcomes(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	b := open(t, dir)
	stop := serve(b)
	other := begin(t, b, Spec{Campaign: "other"})
	r := begin(t, b, Spec{Campaign: "spring"})
	full := delivery.Outcome{ID: id(r, 1), To: "ä@x.test", Status: delivery.Failed, Stage: delivery.StageRcpt, Class: delivery.ClassHard,
		Code: 550, Enhanced: "5.1.1", Text: strings.Repeat("ü", 300), Host: "mx", TLS: "TLS1.3 verified", Queue: "general", Via: 1,
		Attempt: 2, Try: 3, Charged: true, First: time.UnixMicro(1e15), At: time.UnixMicro(2e15), Took: time.Second}
	earlier := full
	earlier.Status, earlier.Next = delivery.Deferred, time.UnixMicro(3e15)
	other.Record([]delivery.Outcome{{ID: id(other, 1), Status: delivery.Sent}})
	r.Record([]delivery.Outcome{earlier, {ID: id(r, 2), Status: delivery.Sent}, full, {ID: id(r, 3), Status: delivery.Deferred}, {ID: id(r, 4), Status: delivery.NotTried}})
	check(t, b.flush(ctx, r))

	reader := open(t, dir)
	got := collect(t, reader, r)
	full.Text = strings.Repeat("ü", 256)
	if len(got) != 3 || got[0].ID != id(r, 2) || got[1] != full || got[2].Status != delivery.Deferred {
		t.Errorf("got %+v", got)
	}
	check(t, r.Expect(ctx, 3, 1))
	check(t, r.Finish(ctx))
	info, err := reader.Find(ctx, "spring")
	if check(t, err); info.Finished.IsZero() || info.Rows != 3 {
		t.Errorf("%+v", info)
	}
	check(t, stop())
}

func TestSkipped(t *testing.T) { both(t, testSkipped) }

func testSkipped(t *testing.T) {
	ctx := context.Background()
	b := open(t, filepath.Join(t.TempDir(), "state"))
	for _, rows := range [][]Skipped{{{1, 2, "x", delivery.ClassInvalid, "no @"}, {3, 4, "y@x.test", delivery.ClassDuplicate, "row 2"}}, {{2, 0, "z", delivery.ClassNull, "n"}}, nil} {
		r := begin(t, b, Spec{Campaign: "spring"})
		check(t, r.Skip(ctx, rows[:min(1, len(rows))]))
		if len(rows) > 1 {
			check(t, r.Skip(ctx, rows[1:]))
		}
		var got []Skipped
		for s, err := range b.Skipped(ctx, r.Info()) {
			check(t, err)
			got = append(got, s)
		}
		if !slices.Equal(got, rows) {
			t.Errorf("got %v, want %v", got, rows)
		}
	}
}

// A deferred delivery whose row left the list is skipped, and goes on where it was when the row comes back.
func TestGoneAndBack(t *testing.T) { both(t, testGoneAndBack) }

func testGoneAndBack(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	first := time.UnixMicro(1764000000000000)
	process := func(f func(*Run)) {
		b := open(t, dir)
		stop := serve(b)
		f(begin(t, b, Spec{Campaign: "spring"}))
		check(t, stop())
	}
	look := func(r *Run, ns ...int) []state.State {
		var ids []delivery.ID
		for _, n := range ns {
			ids = append(ids, id(r, n))
		}
		got, err := r.Lookup(ctx, ids)
		check(t, err)
		return got
	}
	process(func(r *Run) {
		for n := range 3 {
			r.Record([]delivery.Outcome{{ID: id(r, n), Status: delivery.Deferred, Attempt: 2, Try: 3, Charged: true, First: first}})
		}
	})
	process(func(r *Run) {
		look(r, 0, 2)
		if n, err := r.Gone(ctx); n != 1 || err != nil {
			t.Errorf("%d gone, %v", n, err)
		}
	})
	want := state.State{Attempts: 2, Tries: 3, First: first}
	for range 2 { // once back, it is as if it had not been gone
		process(func(r *Run) {
			for range 2 {
				if got := look(r, 0, 1, 2)[1]; got.Status != want.Status || got.Attempts != 2 || got.Tries != 3 || !got.First.Equal(first) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
			if n, err := r.Gone(ctx); n != 0 || err != nil || r.Before().Skipped != 0 {
				t.Errorf("%d gone, %v, %+v", n, err, r.Before())
			}
		})
	}
	process(func(r *Run) {
		r.Record([]delivery.Outcome{{ID: id(r, 1), Status: delivery.Deferred, Attempt: 3, Try: 4, Charged: true}})
	})
	process(func(r *Run) {
		if got := look(r, 1)[0]; got.Status != delivery.Deferred || got.Attempts != 3 {
			t.Errorf("deferred again: %+v", got)
		}
	})
}

func TestReopenUnknownKeepsItsDate(t *testing.T) { both(t, testReopenUnknownKeepsItsDate) }

func testReopenUnknownKeepsItsDate(t *testing.T) {
	ctx := context.Background()
	b := open(t, filepath.Join(t.TempDir(), "state"))
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring"})
	m := message(r, 1)
	m.First = time.UnixMicro(1764000000000000)
	check(t, r.Intend([]*delivery.Message{m})(ctx))
	r = begin(t, b, Spec{Campaign: "spring"})
	n, err := r.Reopen(ctx, delivery.Unknown, time.Minute, nil)
	if check(t, err); n != 1 {
		t.Errorf("%d reopened", n)
	}
	got, err := r.Lookup(ctx, []delivery.ID{m.ID})
	if check(t, err); got[0].Status != delivery.NotTried || got[0].Tries != 0 || !got[0].First.Equal(m.First) || time.Until(got[0].Next) < 50*time.Second {
		t.Errorf("got %+v", got[0])
	}
	r.Record([]delivery.Outcome{{ID: m.ID, Status: delivery.Deferred, Attempt: 1, Try: 1, Charged: true}})
	check(t, b.flush(ctx, r))
	if all := collect(t, b, r); len(all) != 1 || all[0].Status != delivery.Deferred {
		t.Errorf("got %+v", all)
	}
	check(t, stop())
}

func TestKeep(t *testing.T) { both(t, testKeep) }

func testKeep(t *testing.T) {
	ctx := context.Background()
	b := open(t, filepath.Join(t.TempDir(), "state"))
	r := begin(t, b, Spec{Campaign: "spring"})
	for _, name := range []string{"Ana", "Anna"} {
		check(t, r.Keep(ctx, []string{"email", "name"}, []Kept{{ID: id(r, 1), To: "a@x.test", Fields: []string{"a@x.test", name}}}))
	}
	info, err := b.Find(ctx, "spring")
	check(t, err)
	got, err := b.Fields(ctx, id(r, 1))
	if check(t, err); !slices.Equal(info.Columns, []string{"email", "name"}) || !slices.Equal(got, []string{"a@x.test", "Anna"}) {
		t.Errorf("%v %v", info.Columns, got)
	}
	if none, err := b.Fields(ctx, id(r, 2)); none != nil || err != nil {
		t.Errorf("%v %v", none, err)
	}
}

func TestTemp(t *testing.T) {
	dir := t.TempDir()
	b, err := OpenTemp(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(t, b.Close())
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
