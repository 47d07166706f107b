package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
)

func TestMergedAndRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &script{mx: map[string][]*net.MX{"a.example": mxs(1, "mx.example.")}, wait: time.Second}
		r := NewDirect(DirectOptions{Resolver: dns})
		impatient, cut := context.WithTimeout(t.Context(), time.Millisecond)
		defer cut()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.Route(impatient, "a.example"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the one who asked first and was cut: %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				if _, err := r.Route(t.Context(), "a.example"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := dns.count(); n != 2 {
			t.Errorf("%d questions, want the cut one and one for all", n)
		}
		time.Sleep(keepGood - time.Second)
		_, _ = r.Route(t.Context(), "a.example")
		if n := dns.count(); n != 2 {
			t.Error("asked again within the time an answer is kept")
		}
		time.Sleep(2 * time.Second)
		_, _ = r.Route(t.Context(), "a.example")
		if n := dns.count(); n != 3 {
			t.Errorf("%d questions after the answer had aged", n)
		}
	})
}

// D16: the resolver dies in the middle of a run.
func TestResolverDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &script{mx: map[string][]*net.MX{"a.example": mxs(1, "mx.example.")}}
		r := NewDirect(DirectOptions{Resolver: dns})
		if _, err := r.Route(t.Context(), "a.example"); err != nil {
			t.Fatal(err)
		}
		dns.set("mx a.example", &net.DNSError{Err: "server misbehaving", IsTemporary: true})
		dns.mx = nil
		for range 5 {
			time.Sleep(10 * time.Minute)
			if got, err := r.Route(t.Context(), "a.example"); err != nil || got.Hops[0].Host != "mx.example" {
				t.Fatalf("the last good answer did not serve: %v, %v", got, err)
			}
		}
		time.Sleep(keepLast)
		if _, err := r.Route(t.Context(), "a.example"); err == nil {
			t.Error("an answer of two hours ago serves")
		}
		dns.set("", nil)
		dns.mx = map[string][]*net.MX{"a.example": mxs(1, "mx.example.")}
		time.Sleep(keepBad)
		if _, err := r.Route(t.Context(), "a.example"); err != nil {
			t.Errorf("the DNS is back, and still %v", err)
		}
	})
}

func TestNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &script{wait: time.Hour}
		start := time.Now()
		_, err := NewDirect(DirectOptions{Resolver: dns}).Route(t.Context(), "a.example")
		if e := fault(t, err); e.Status != delivery.Deferred || e.NotFound {
			t.Errorf("%+v", e)
		}
		if took := time.Since(start); took != askLimit {
			t.Errorf("took %v", took)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemo[int]()
	ask := func(context.Context) (int, error) { return 1, nil }
	for i := range memory + 10 {
		_, _ = m.get(t.Context(), fmt.Sprint(i), ask)
		m.recall("0")
	}
	if len(m.byName) != memory || m.order.Len() != memory {
		t.Errorf("%d names, %d in order", len(m.byName), m.order.Len())
	}
	if _, ok := m.recall("0"); !ok {
		t.Error("what was used last went first")
	}
	if _, ok := m.recall("1"); ok {
		t.Error("what was used least recently is still there")
	}
}

// oops is a resolver that panics.
type oops struct{ *script }

func (oops) LookupMX(context.Context, string) ([]*net.MX, error) { panic("on purpose") }

// A panic of a question that many share is each one's who asks, on a goroutine that contains it; nobody else's.
func TestFaultPanicOfALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewDirect(DirectOptions{Resolver: oops{&script{}}})
		err := func() (err error) {
			defer panicked.Contain(&err)
			_, err = r.Route(t.Context(), "a.example")
			return err
		}()
		var p *panicked.Error
		if !errors.As(err, &p) || p.What != "panic: string" || !strings.HasPrefix(p.Where, "memo_test.go:") {
			t.Errorf("%v", err)
		}
	})
	t.Attr("fault", "R21 panic while the DNS is asked")
	t.Attr("expected", "it costs who asked a try, and says where it was")
	t.Attr("seen", "contained by who asked, with its place")
}
