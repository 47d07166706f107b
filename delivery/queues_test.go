package delivery

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
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
