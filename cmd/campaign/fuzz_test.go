package campaign

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever the file holds, Load gives a campaign or faults with places, soon and without panic.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/campaigns/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { loadBytes(t, text) })
}

func loadBytes(t *testing.T, text []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "campaign.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c, err := Load(path, examples)
	took := time.Since(began)
	for range 3 { // another process may have had the processor
		if took > 3*slower*time.Second {
			began = time.Now()
			_, _ = Load(path, examples)
			took = time.Since(began)
		}
	}
	if took > 3*slower*time.Second {
		t.Errorf("it took %v", took)
	}
	faults, ok := errors.AsType[Faults](err)
	if err != nil && (!ok || len(faults) == 0) {
		t.Fatalf("an error without faults: %v", err)
	}
	if err == nil && (c.Name == "" || c.From == "" || c.Subject == "" || len(c.Settings()) == 0) {
		t.Errorf("a campaign without its required keys: %+v", c)
	}
	for _, fault := range faults {
		if fault.File == "" || fault.Line < 1 || fault.Column < 1 || fault.Text == "" {
			t.Errorf("a fault without place: %+v", fault)
		}
	}
	if strings.ContainsAny(faults.Error(), "\x1b\x00\x07") {
		t.Errorf("control characters are shown: %q", faults.Error())
	}
}

func TestHostile(t *testing.T) {
	repeat := func(s string, n int) string { return strings.Repeat(s, n/slower) }
	for name, text := range map[string]string{
		"brackets": repeat("[", 1<<19), "braces": repeat("{a: ", 1<<17), "dashes": repeat("- ", 1<<18), "questions": repeat("? ", 1<<18),
		"keys": repeat("k: v\n", 1<<17), "anchors": repeat("&a ", 1<<17), "tags": repeat("! ", 1<<17), "quotes": `a: "` + repeat(`\n`, 1<<18), "long": "a: " + repeat("x", 1<<20-10),
		"flow": "a: [" + repeat("1,", 1<<18) + "]", "colons": repeat(":", 1<<19), "lines": repeat("\n", 1<<20), "documents": repeat("---\n", 1<<17),
		"large": strings.Repeat("#", 1<<21), "aliases": "a: &a [x]\nb: [" + repeat("*a,", 1<<17) + "]", "longkey": repeat("x", 1<<19) + ": 1", "variables": "vars: {a: '" + repeat("${A:-x}", 1<<16) + "'}",
		"unclosed": "vars: {a: '" + repeat("${", 1<<18) + "'}", "folded": "a: >\n" + repeat("  x\n", 1<<17), "staircase": stairs(700), "carriage": repeat("\r", 1<<19),
		"spaces": repeat(" ", 1<<20), "stars": repeat("*a: ", 1<<16), "pipes": repeat("a: |\n", 1<<16), "escapes": `a: "` + repeat(`\u0041`, 1<<16) + `"`,
		"wide": "a: \"" + repeat("日", 1<<17) + "\"", "single": "a: '" + repeat("''", 1<<18) + "'", "comments": repeat("# x\n", 1<<17), "merge": repeat("<<: *a\n", 1<<15),
	} {
		t.Run(name, func(t *testing.T) { loadBytes(t, []byte(text)) })
	}
}

func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
