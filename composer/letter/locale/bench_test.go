package locale

import (
	"testing"
	"time"
)

func Benchmark(b *testing.B) {
	at := time.Date(2026, 11, 24, 15, 4, 0, 0, time.UTC)
	for _, tag := range []string{"de-AT", "ru", "fa"} {
		l := locale(b, tag)
		for name, do := range map[string]func() (string, error){
			"Parse":  func() (string, error) { _, err := Parse(tag); return "", err },
			"Date":   func() (string, error) { return l.Date("full", at) },
			"Layout": func() (string, error) { return l.Date("Monday, 2 January 2006", at) },
			"Number": func() (string, error) { return l.Number("1234567.891", 2) },
			"Money":  func() (string, error) { return l.Money("1234.5", "EUR") },
			"Plural": func() (string, error) { return l.Plural(int64(22)) },
		} {
			b.Run(tag+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
