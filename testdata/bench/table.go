package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is one column of the table.
type figure struct {
	name, format string
	of           func(result) float64
}

var figures = []figure{
	{"msg/s", "%.0f", func(r result) float64 { return float64(r.Messages) / r.Seconds }},
	{"CPU µs a message", "%.0f", func(r result) float64 { return float64(r.cpu.Microseconds()) / float64(r.Messages) }},
	{"round trips a message", "%.2f", func(r result) float64 { return float64(r.Reads) / float64(r.Messages) }},
	{"peak memory MiB", "%.1f", func(r result) float64 { return float64(r.peak) / 1024 }},
	{"octets a message", "%.0f", func(r result) float64 { return float64(r.Bytes) / float64(r.Messages) }},
}

func render(senders []sender, all map[string][]result) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Performance

Medians (minimum–maximum) of %d interleaved runs of %d messages over %d connections, against a sink on the same machine.
mailblast renders every message from its row, text and HTML, and journals it before its dot; smtp-source sends one fixed
message of about that size and remembers nothing.

Machine: %s, %d cores; %s; %s.

`, *runs, *num, *conns, cpuModel(), runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2006-01-02"))
	b.WriteString("| sender | delivered once |")
	for _, f := range figures {
		fmt.Fprintf(&b, " %s |", f.name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(figures)) + "\n")
	for _, s := range senders {
		rs := all[s.name]
		once := fmt.Sprintf("%d of %d", rs[0].UniqueRecipients-rs[0].DuplicateRecipients, *num)
		if s.name != "mailblast" {
			once = "one recipient"
		}
		fmt.Fprintf(&b, "| %s | %s |", s.name, once)
		for _, f := range figures {
			lo, mid, hi := spread(rs, f.of)
			fmt.Fprintf(&b, " "+f.format+" ("+f.format+"–"+f.format+") |", mid, lo, hi)
		}
		b.WriteString("\n")
	}
	if len(senders) > 1 {
		b.WriteString("| ratio of medians | |")
		for _, f := range figures {
			_, ours, _ := spread(all["mailblast"], f.of)
			_, theirs, _ := spread(all["smtp-source -d"], f.of)
			fmt.Fprintf(&b, " %.2f× |", ours/theirs)
		}
		b.WriteString("\n")
	}
	b.WriteString("\nMemory does not grow with the list: `TestLongMillion` (`make long`) holds a million rows to 1.2 times the peak of a\nhundred thousand, and `TestVolume` a hundred thousand of a PostgreSQL to 100 MB.\n")
	return b.String()
}

func spread(rs []result, of func(result) float64) (lo, mid, hi float64) {
	var v []float64
	for _, r := range rs {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return v[0], v[len(v)/2], v[len(v)-1]
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}
