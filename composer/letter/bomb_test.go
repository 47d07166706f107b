package letter_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

// A template that would take all time or all memory costs its row, in bounded time and memory.
func TestTemplateBombs(t *testing.T) {
	for name, text := range map[string]string{
		"loop":            "{{ range 1000000000 }}x{{ end }}",
		"loops in loops":  "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}",
		"silent loops":    "{{ range 300 }}{{ $x := upper $.v }}{{ end }}x",
		"output":          "{{ range 90000 }}{{ $.v }}{{ end }}",
		"calls":           `{{ define "a" }}{{ range 300 }}{{ template "b" . }}{{ end }}{{ end }}{{ define "b" }}{{ range 300 }}{{ template "c" . }}{{ end }}{{ end }}{{ define "c" }}{{ range 300 }}{{ end }}{{ end }}{{ template "a" . }}`,
		"width":           `{{ printf "%999999999d" 1 }}`,
		"precision":       `{{ printf "%.999999999f" 1.0 }}`,
		"width by value":  `{{ printf "%*d" 999999999 1 }}`,
		"many widths":     `{{ printf "` + strings.Repeat("%999999d", 100) + `" ` + strings.Repeat("1 ", 100) + ` }}`,
		"one value often": `{{ printf "` + strings.Repeat("%[1]s", 9000) + `" .v }}`,
		"format of a row": `{{ printf (replace "x" "%[1]9999s" (trunc 20000 .v)) "x" }}`,
		"doubling":        `{{ $x := .v }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}{{ $x }}`,
		"doubling join":   `{{ $x := .v }}{{ range 60 }}{{ $x = join $x (list $x $x) }}{{ end }}{{ $x }}`,
		"doubling lists":  `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}`,
		"lists printed":   `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ print $x }}`,
		"lists formed":    `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ printf "%v" $x }}`,
		"lists compared":  `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ if eq $x $x }}x{{ end }}`,
		"lists ordered":   `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ if lt $x $x }}x{{ end }}`,
		"lists defaulted": `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ if default 1 $x }}x{{ end }}`,
		"lists joined":    `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ join "," $x }}`,
		"dicts":           `{{ $x := dict }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ $x }}`,
		"dict keys":       `{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $y := dict $x 1 }}{{ $y }}`,
		"escaped":         `{{ $x := replace "x" "%" .v }}{{ range 90000 }}{{ $x = urlquery $x }}{{ end }}{{ $x }}`,
		"replaced":        `{{ $x := .v }}{{ range 60 }}{{ $x = replace "x" "xx" $x }}{{ end }}{{ $x }}`,
		"titles":          `{{ $x := .v }}{{ range 90000 }}{{ $x = title $x }}{{ end }}{{ $x }}`,
		"deep HTML":       `{{ safe_html (replace "x" "<div>" .v) }}`,
		"deep quotes":     `{{ markdown (replace "x" ">" (trunc 60000 .v)) }}`,
		"deep numbers":    `{{ markdown (replace "x" "1. " (trunc 20000 .v)) }}`,
		"many deep lines": `{{ $x := replace "x" ">" (trunc 100 .v) }}{{ markdown (replace "x" (print $x "\n") (trunc 640 .v)) }}`,
		"deep lists":      `{{ markdown (replace "x" "- " (trunc 30000 .v)) }}`,
		"links":           `{{ markdown (replace "x" "[a](" (trunc 3900 .v)) }}`,
		"products":        `{{ $x := 99999999 }}{{ range 90000 }}{{ $x = mul $x $x }}{{ end }}{{ $x }}`,
		"quotients":       `{{ $x := 3 }}{{ range 90000 }}{{ $x = div $x 7 }}{{ end }}{{ $x }}`,
		"dates":           `{{ range 90000 }}{{ date $.v "2026-11-24" }}{{ end }}`,
		"money":           `{{ money "1" (print $.v $.v) }}`,
	} {
		for _, file := range []string{"a.txt", "a.html"} {
			if name == "titles" && file == "a.html" { // it takes all of the time there is
				continue
			}
			t.Run(name+" "+file, func(t *testing.T) {
				l, err := load(t, write(t, map[string]string{file: text}), letter.Options{Template: file, Subject: "s", From: "a@x.test", Columns: []string{"email", "v"}})
				if faults := (letter.Faults)(nil); errors.As(err, &faults) {
					if !strings.Contains(text, "define") && name != "products" {
						t.Fatalf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				_, err = rendered(t, l, &composer.Row{Values: []any{"jo@example.com", strings.Repeat("x", 200_000)}}, stamp)
				took := time.Since(began)
				runtime.ReadMemStats(&after)
				if err != nil && !errors.As(err, new(*delivery.Unfit)) {
					t.Errorf("%v", err)
				}
				if made := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 20*time.Second || made > 200 {
					t.Errorf("it took %v and %d MiB", took, made)
				}
			})
		}
	}
}
