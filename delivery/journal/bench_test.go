package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// One operation is one message: its intent on disk, then its outcome.
func BenchmarkMessage(b *testing.B) {
	for _, size := range []int{1, 20, 512} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			book := open(b, filepath.Join(b.TempDir(), "state"))
			stop := serve(book)
			r := begin(b, book, Spec{Campaign: "bench"})
			ms, os := make([]*delivery.Message, size), make([]delivery.Outcome, size)
			for b.Loop() {
				for n := range ms {
					ms[n] = message(r, n)
					os[n] = sentOutcome(r, n)
				}
				check(b, r.Intend(ms)(context.Background()))
				r.Record(os)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/message")
			check(b, stop())
		})
	}
}

func sentOutcome(r *Run, n int) delivery.Outcome {
	return delivery.Outcome{ID: id(r, n), To: "somebody@example.test", Status: delivery.Sent, Stage: delivery.StageDot, Code: 250,
		Enhanced: "2.0.0", Text: "Ok: queued as 4XYZ12ABCD", Host: "mx.example.test [192.0.2.1]", TLS: "TLS1.3 verified",
		Queue: "general", Attempt: 1, Try: 1, Charged: true, First: time.UnixMicro(1764000000123456), At: time.UnixMicro(1764000001123456), Took: time.Second}
}

// Outcomes alone, in groups of 512, without waiting.
func BenchmarkOutcomes(b *testing.B) {
	book := open(b, filepath.Join(b.TempDir(), "state"))
	r := begin(b, book, Spec{Campaign: "bench"})
	os := make([]delivery.Outcome, 512)
	for n := range os {
		os[n] = sentOutcome(r, n)
	}
	for b.Loop() {
		check(b, book.commit(context.Background(), &batch{parts: []*part{{run: r, outcomes: os}}}))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*512), "ns/outcome")
}
