package delivery

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Row 1 and 3: with no, one and seventeen specific queues, each carries its own domains only, the general queue all
// else.
func TestQueuesNoneOneSeventeen(t *testing.T) {
	for _, n := range []int{0, 1, 17} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { queuesCarryTheirOwn(t, n) })
		})
	}
}

func queuesCarryTheirOwn(t *testing.T, n int) {
	general := &fakeSender{}
	o := Options{Connections: 20, General: QueueOptions{Sender: general}}
	own := make([]*fakeSender, n)
	for i := range n {
		own[i] = &fakeSender{}
		o.Queues = append(o.Queues, QueueOptions{
			Name: fmt.Sprint("q", i), Domains: []string{fmt.Sprintf("a%d.example", i), fmt.Sprintf("b%d.example", i)}, Sender: own[i],
		})
	}
	r := newRig(t, o)
	end := r.start(context.Background())
	for i := range 17 {
		r.submit(fmt.Sprintf("a%d.example", i), 10)
		r.submit(fmt.Sprintf("b%d.example", i), 5)
	}
	r.submit("else.example", 7)
	r.d.Close()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if got := r.j.finals()[Sent]; got != 17*15+7 {
		t.Errorf("sent %d", got)
	}
	for i, s := range own {
		if len(s.domains) != 2 || s.domains[fmt.Sprintf("a%d.example", i)] != 10 || s.domains[fmt.Sprintf("b%d.example", i)] != 5 {
			t.Errorf("queue %d carried %v", i, s.domains)
		}
	}
	if want := 2*(17-n) + 1; len(general.domains) != want {
		t.Errorf("the general queue carried %d domains, want %d: %v", len(general.domains), want, general.domains)
	}
}

// Row 2: while no delivery ever ends, with 200 threads, a million Submits return and nothing is sent; what waits stays
// within its memory.
func TestSubmitWaitsForNoDelivery(t *testing.T) {
	const many = manySubmits
	hang := &fakeSender{answer: func(ctx context.Context, _ string, _ int, b *Batch) []Outcome {
		<-ctx.Done()
		return all(b, Outcome{Status: NotTried})
	}}
	r := newRig(t, Options{Connections: 200, Memory: 8 << 20, General: QueueOptions{Sender: hang}})
	ctx, cut := context.WithCancel(context.Background())
	end := r.start(ctx)
	before := heap()
	for i := range many {
		m := &Message{To: fmt.Sprintf("p%d@d%d.example", i, i%1000), Domain: fmt.Sprintf("d%d.example", i%1000), Content: letter(fmt.Sprint(i)), Journal: r.j}
		m.ID.Copy = uint16(i)
		m.ID.Run = uint64(i)
		if err := r.d.Submit(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	for r.d.Stats()[0].InFlight < 200 { // the threads take what they can hold
		runtime.Gosched()
	}
	grown := heap() - before
	s := r.d.Stats()[0]
	if s.Waiting != many-200 || s.InFlight != 200 || s.Threads != 200 || len(r.j.finals()) != 0 {
		t.Errorf("%+v, %v", s, r.j.finals())
	}
	t.Logf("%d waiting, %d of them spilled, in %d octets", s.Waiting, s.Spilled, grown)
	if grown > 12<<20 {
		t.Errorf("%d octets in memory", grown)
	}
	cut()
	if err := end(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := r.d.Stats()[0].Waiting; got != many {
		t.Errorf("%d wait in the end", got)
	}
}

// heap is what is in use of it.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// Row 4: a queue has several transactions going at once.
func TestQueueHasSeveralThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, time.Second)
			return nil
		}}
		r := newRig(t, Options{General: QueueOptions{Sender: &fakeSender{}}, Queues: []QueueOptions{{Name: "big", Domains: []string{"big.example"}, Connections: 7, Sender: slow}}})
		end := r.start(context.Background())
		began := time.Now()
		r.submit("big.example", 70)
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if slow.most != 7 || time.Since(began) != 10*time.Second {
			t.Errorf("%d at once, %s", slow.most, time.Since(began))
		}
	})
}

// Row 5: a pool grows with what is posted to its queue, up to its maximum, and shrinks to the reserved thread.
func TestPoolGrowsAndShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, time.Second)
			return nil
		}}
		r := newRig(t, Options{Connections: 20, General: QueueOptions{Sender: slow, Connections: 12}})
		end := r.start(context.Background())
		threads := func() int {
			synctest.Wait()
			return r.d.Stats()[0].Threads
		}
		if got := threads(); got != 1 {
			t.Errorf("%d threads before there is anything", got)
		}
		r.submit("a.example", 3)
		if got := threads(); got != 3 {
			t.Errorf("%d threads for 3 messages", got)
		}
		r.submit("a.example", 100)
		if got := threads(); got != 12 {
			t.Errorf("%d threads, the maximum is 12", got)
		}
		time.Sleep(time.Minute)
		if got := threads(); got != 1 {
			t.Errorf("%d threads when there is nothing left", got)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// Row 5: all queues share the connections; each keeps one, the rest follows depth, and follows it as depths change.
func TestPoolsShareConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func() *fakeSender {
			return &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
				wait(ctx, time.Second)
				return nil
			}}
		}
		r := newRig(t, Options{Connections: 12, General: QueueOptions{Sender: slow()}, Queues: []QueueOptions{
			{Name: "a", Domains: []string{"a.example"}, Sender: slow()},
			{Name: "b", Domains: []string{"b.example"}, Sender: slow()},
		}})
		end := r.start(context.Background())
		threads := func() (n [3]int) {
			synctest.Wait()
			for i, s := range r.d.Stats() {
				n[i] = s.Threads
			}
			return n
		}
		r.submit("a.example", 1000)
		if got := threads(); got != [3]int{10, 1, 1} {
			t.Errorf("one queue has work: %v", got)
		}
		r.submit("b.example", 1000)
		time.Sleep(2 * time.Second)
		if got := threads(); got[0]+got[1] != 11 || got[0] < 4 || got[1] < 4 || got[2] != 1 {
			t.Errorf("two queues have as much: %v", got)
		}
		r.submit("c.example", 8000)
		time.Sleep(2 * time.Second)
		if got := threads(); got[2] < 7 || got[0] < 1 || got[1] < 1 || got[0]+got[1]+got[2] != 12 {
			t.Errorf("the third has most: %v", got)
		}
		for range 3600 {
			time.Sleep(time.Second)
			if got := threads(); got[0]+got[1]+got[2] > 12 {
				t.Fatalf("more than there are: %v", got)
			}
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Error(err)
		}
		if got := r.j.finals()[Sent]; got != 10_000 {
			t.Errorf("%d sent", got)
		}
	})
}

// Row 6: one connection of the general queue pumps all domains of a site, in turn.
func TestOneThreadManyDomains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := &fakeSender{site: func(string, int) (string, bool) { return "relay", true }}
		relay.answer = func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, 10*time.Millisecond)
			return nil
		}
		r := newRig(t, Options{Connections: 1, General: QueueOptions{Sender: relay, PerDomain: 3}})
		end := r.start(context.Background())
		r.submit("first.example", 1)
		for i := range 100 {
			r.submit(fmt.Sprintf("d%d.example", i), 3)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if relay.serves != 1 || len(relay.domains) != 101 {
			t.Errorf("%d connections for %d domains", relay.serves, len(relay.domains))
		}
		for i, o := range r.j.order[1:101] {
			if want := fmt.Sprintf("@d%d.example", i); !strings.HasSuffix(o.To, want) {
				t.Fatalf("turn %d is of %s, want %s", i, o.To, want)
			}
		}
	})
}

// Row 6: in the general queue a thread leaves a site after its turn when others wait, so that none hogs the pool.
func TestNoSiteHogsTheGeneralQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, 100*time.Millisecond)
			return nil
		}}
		r := newRig(t, Options{Connections: 2, General: QueueOptions{Sender: s, PerDomain: 3}})
		end := r.start(context.Background())
		r.submit("big.example", 2000)
		small := r.submit("small.example", 1)
		began := time.Now()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if os := r.j.of(small[0]); len(os) != 1 || os[0].At.Sub(began) > 2*time.Second {
			t.Errorf("the small one after 3s: %+v", os)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// Row 10: clones share one content; those that go the same way go in one transaction.
func TestClonesShareTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay := &fakeSender{room: 50, site: func(string, int) (string, bool) { return "relay", true }}
		direct := &fakeSender{room: 50}
		r := newRig(t, Options{General: QueueOptions{Sender: direct}, Queues: []QueueOptions{{Name: "own", Domains: []string{"a.example", "b.example"}, Sender: relay}}})
		var ms []*Message
		for i := range 120 {
			ms = append(ms, r.clone([]string{"a.example", "b.example", "c.example", "d.example"}[i%4], "one"))
		}
		ms[0].From = "" // another reverse-path is another transaction
		end := r.start(context.Background())
		if err := r.d.Submit(context.Background(), ms...); err != nil {
			t.Fatal(err)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(relay.batches)
		slices.Sort(direct.batches)
		if !slices.Equal(relay.batches, []int{1, 9, 50}) || !slices.Equal(direct.batches, []int{30, 30}) {
			t.Errorf("transactions of %v and %v", relay.batches, direct.batches)
		}
		if got := r.j.finals()[Sent]; got != 120 {
			t.Errorf("%d sent", got)
		}
	})
}

// Row 10: what one letter to 10,000 recipients takes in memory and in the spill file.
func TestClonesTakeLittle(t *testing.T) {
	const many = 10_000
	hang := &fakeSender{room: 1, answer: func(ctx context.Context, _ string, _ int, b *Batch) []Outcome {
		<-ctx.Done()
		return all(b, Outcome{Status: NotTried})
	}}
	for _, memory := range []int64{64 << 20, 64 << 10} {
		r := newRig(t, Options{Connections: 1, Memory: memory, General: QueueOptions{Sender: hang}})
		ctx, cut := context.WithCancel(context.Background())
		end := r.start(ctx)
		before := heap()
		func() {
			ms := make([]*Message, many)
			for i := range ms {
				ms[i] = &Message{To: fmt.Sprintf("person%d@d%d.example", i, i%10), Domain: []string{"a.example", "b.example"}[i%2], Content: letter("one letter, however long it is"), Journal: r.j}
				ms[i].ID.Copy = uint16(i)
			}
			if err := r.d.Submit(ctx, ms...); err != nil {
				t.Fatal(err)
			}
		}()
		for r.d.Stats()[0].InFlight == 0 {
			runtime.Gosched()
		}
		each := (heap() - before) / many
		t.Logf("memory %d: %d octets a clone, %d spilled", memory, each, r.d.Stats()[0].Spilled)
		if each > 320 || memory < 1<<20 && each > 40 {
			t.Errorf("%d octets a clone", each)
		}
		cut()
		if err := end(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// Row 12: one domain answers 20 seconds late and has half of the rows; every other domain finishes as if it were alone,
// in its own queue and in the general one.
func TestSlowDomainHoldsUpNobody(t *testing.T) {
	alone, beside := otherDomains(t, 0), otherDomains(t, 2000)
	for d, took := range alone {
		if beside[d] > took+time.Second {
			t.Errorf("%s took %s alone, %s beside a slow domain", d, took, beside[d])
		}
	}
}

// otherDomains gives when each domain but slow.example, of which there are so many rows, was done.
func otherDomains(t *testing.T, slow int) map[string]time.Duration {
	last := map[string]time.Duration{}
	synctest.Test(t, func(t *testing.T) {
		answer := func(ctx context.Context, domain string, _ int, _ *Batch) []Outcome {
			if domain == "slow.example" {
				wait(ctx, 20*time.Second)
			} else {
				wait(ctx, 100*time.Millisecond)
			}
			return nil
		}
		r := newRig(t, Options{Connections: 20, Memory: 64 << 10, General: QueueOptions{Sender: &fakeSender{answer: answer}, PerDomain: 3},
			Queues: []QueueOptions{{Name: "own", Domains: []string{"own.example"}, Connections: 5, Sender: &fakeSender{answer: answer}}}})
		began := time.Now()
		end := r.start(context.Background())
		for i := range 2000 { // in the order of the list, read only as the dispatcher asks for it
			if err := r.d.Hungry(context.Background()); err != nil {
				t.Fatal(err)
			}
			if i < slow {
				r.submit("slow.example", 1)
			}
			if i%2 == 0 {
				r.submit("own.example", 1)
			} else {
				r.submit(fmt.Sprintf("d%d.example", i/2%4), 1)
			}
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		r.d.Drain()
		if p := (*Paused)(nil); slow > 0 && !errors.As(end(), &p) {
			t.Error("not paused")
		} else if slow == 0 {
			_ = end()
		}
		for _, o := range r.j.order {
			if _, domain, _ := strings.Cut(o.To, "@"); domain != "slow.example" {
				last[domain] = max(last[domain], o.At.Sub(began))
			}
		}
		if got := r.j.finals()[Sent]; got < 2000 {
			t.Errorf("%d sent", got)
		}
	})
	return last
}

// Row 12: while every thread of one queue hangs, each other queue finishes.
func TestHangingQueueHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &fakeSender{answer: func(ctx context.Context, _ string, _ int, b *Batch) []Outcome {
			<-ctx.Done()
			return all(b, Outcome{Status: Unknown, Stage: StageDot})
		}}
		good := &fakeSender{}
		r := newRig(t, Options{Connections: 10, General: QueueOptions{Sender: good}, Queues: []QueueOptions{
			{Name: "dead", Domains: []string{"dead.example"}, Sender: hang},
			{Name: "own", Domains: []string{"own.example"}, Sender: good},
		}})
		ctx, cut := context.WithCancel(context.Background())
		end := r.start(ctx)
		r.submit("dead.example", 1000)
		synctest.Wait()
		r.submit("own.example", 500)
		r.submit("a.example", 500)
		synctest.Wait()
		if got := r.j.finals()[Sent]; got != 1000 {
			t.Errorf("%d sent beside a dead queue", got)
		}
		cut()
		if err := end(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got := r.j.finals(); got[Unknown] != 8 || r.d.Stats()[0].Waiting != 992 {
			t.Errorf("after the cut: %v, %+v", got, r.d.Stats()[0])
		}
	})
}

func TestOptionFaults(t *testing.T) {
	s := &fakeSender{}
	_, err := New(Options{Connections: 2, Memory: -1, General: QueueOptions{Name: "general", Domains: []string{"g.example"}}, Queues: []QueueOptions{
		{Name: "a", Domains: []string{"x.example", "y.example"}, Sender: s},
		{Name: "b", Domains: []string{"y.example"}, Sender: s, PerDomain: -1},
		{Name: "b", Sender: s},
	}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"revive: missing", "connections: 2 is too few: each of 4 queues keeps one", "memory: -1", "queue general: the general queue takes every other domain",
		"queue general: no sender", "queue b: domain y.example is already in queue a", "queue b: the name is used twice", "queue b: a limit below zero", "queue b: no domains",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// A screen may look at the queues before, while and after Run begins.
func TestStatsWhileRunBegins(t *testing.T) {
	for range 50 {
		r := newRig(t, Options{General: QueueOptions{Connections: 2, Sender: &fakeSender{}}})
		r.d.Close()
		ended := make(chan error, 1)
		go func() { ended <- r.d.Run(t.Context()) }()
		for range 20 {
			if s := r.d.Stats()[0]; s.Name != "general" || s.Max != 2 {
				t.Fatalf("%+v", s)
			}
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}
