package main

import (
	"fmt"
	"log"
	"os/exec"
	"strconv"
	"strings"
)

// journalTable measures what remembering costs: the same program with and without its journal, at several numbers of
// connections.
func journalTable() string {
	if *scale == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `
## What the journal costs

The same program with its journal and, built with the tag unjournaled, without: %d interleaved runs of %d messages each.

| connections | msg/s on | msg/s off | msg/s lost | CPU µs a message on | off | added |
|---|---|---|---|---|---|---|
`, *runs, *num)
	speed, cpu := figures[0], figures[1]
	for _, text := range strings.Split(*scale, ",") {
		k, err := strconv.Atoi(text)
		if err != nil {
			log.Fatalf("-journal: %v", err)
		}
		senders := []sender{
			{"on", func() *exec.Cmd { return blast("mailblast", k) }},
			{"off", func() *exec.Cmd { return blast("unjournaled", k) }},
		}
		all := interleave(senders, k)
		mid := func(of figure, which string) float64 { _, m, _ := spread(all[which], of.of); return m }
		text := func(of figure, which string) string {
			lo, m, hi := spread(all[which], of.of)
			return fmt.Sprintf("%.0f (%.0f–%.0f)", m, lo, hi)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %.1f %% | %s | %s | %.1f |\n", k, text(speed, "on"), text(speed, "off"),
			100*(1-mid(speed, "on")/mid(speed, "off")), text(cpu, "on"), text(cpu, "off"), mid(cpu, "on")-mid(cpu, "off"))
	}
	return b.String()
}
