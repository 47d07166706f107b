package style_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style"
)

// need gives the path of a program. Without it the test is left out, by name; with CI=true it fails.
func need(t *testing.T, program, install string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal("missing with CI=true: no " + program + "; install " + install)
	default:
		t.Skip("left out: no " + program + "; install " + install)
	}
	return path
}

// randomLetters is how many letters are drawn beside those in testdata, always the same.
const randomLetters = 10

// rows are what the letters are rendered with.
var rows = []map[string]any{
	{"name": "Ana", "link": "https://x.test/", "items": []string{"one", "two"}, "vip": true, "kind": "flat", "color": "#123456"},
	{"name": "Bo", "link": "mailto:bo@x.test", "items": []string{}, "vip": false, "kind": "tint vip", "color": ""},
}

func rendered(t *testing.T, list []page.Template, row any) string {
	t.Helper()
	var b bytes.Buffer
	if err := compile(t, list).Execute(&b, row); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// In a browser every element of every letter, of testdata/mail or drawn, has the same computed style before and after, on narrow and
// wide screens, light and dark.
func TestComputedStyles(t *testing.T) {
	chromium := need(t, "chromium", "chromium")
	files, err := filepath.Glob("testdata/mail/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no letters", err)
	}
	type pair struct{ Name, Before, After string }
	var pairs []pair
	add := func(name string, in []page.Template) {
		out, _, _ := style.Inline(in...)
		checkKept(t, in, out)
		for _, row := range rows {
			pairs = append(pairs, pair{name + " for " + row["name"].(string), rendered(t, in, row), rendered(t, out, row)})
		}
	}
	for _, file := range files {
		add(filepath.Base(file), templates(readFile(t, file)))
	}
	for seed := range randomLetters {
		add("random "+strconv.Itoa(seed), rapid.Custom(letter).Example(seed))
	}
	letters, err := json.Marshal(pairs) // with < escaped, so that no letter ends the script
	if err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(t.TempDir(), "host.html")
	if err := os.WriteFile(host, bytes.Replace([]byte(compareScript), []byte("LETTERS"), letters, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for scheme, setting := range map[string]string{"dark": "0", "light": "1"} {
		got := compared(t, chromium, host, "--blink-settings=preferredColorScheme="+setting)
		if got.Scheme != scheme || got.Elements < 10*len(pairs) || len(got.Widths) != 2 {
			t.Fatalf("the browser saw %d elements of %d letters, %s, at widths %v; want %s", got.Elements, len(pairs), got.Scheme, got.Widths, scheme)
		}
		for _, d := range got.Differences {
			t.Errorf("%s: %s", scheme, d)
		}
	}
}

type comparison struct {
	Scheme      string
	Widths      []int
	Elements    int
	Differences []string
}

var outcome = regexp.MustCompile(`(?s)<pre>(.*)</pre>`)

func compared(t *testing.T, chromium, host, scheme string) (c comparison) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND", scheme, "--dump-dom", "file://"+host)
	run.WaitDelay = 10 * time.Second
	out, err := run.Output()
	m := outcome.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("chromium: %v: %.2000s", err, out)
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// compareScript lays each letter out in frames of two widths and compares what the elements look like, before and after.
const compareScript = `<!DOCTYPE html><meta charset="utf-8"><pre></pre><script>
const letters = LETTERS
const result = {Scheme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light", Widths: [], Elements: 0, Differences: []}
function frame(text, width) {
  const f = document.createElement("iframe")
  f.style = "border: 0; height: 400px; width: " + width + "px"
  document.body.append(f)
  f.contentDocument.open()
  f.contentDocument.write(text)
  f.contentDocument.close()
  if (!result.Widths.includes(f.contentWindow.innerWidth)) result.Widths.push(f.contentWindow.innerWidth)
  return f
}
const properties = [...getComputedStyle(document.body)]
const seen = f => [...f.contentDocument.querySelectorAll("*")].filter(e => !e.closest("head, style, script"))
for (const letter of letters) for (const width of [320, 640]) {
  const frames = [frame(letter.Before, width), frame(letter.After, width)]
  const [before, after] = frames.map(seen)
  if (before.length != after.length) result.Differences.push(letter.Name + ": " + before.length + " elements, then " + after.length)
  before.forEach((e, i) => {
    if (!after[i]) return
    result.Elements++
    const a = frames[0].contentWindow.getComputedStyle(e), b = frames[1].contentWindow.getComputedStyle(after[i])
    for (const p of properties) if (a[p] != b[p] && result.Differences.length < 40)
      result.Differences.push(letter.Name + " at " + width + ": " + p + " is " + b[p] + ", was " + a[p] + ": " + after[i].cloneNode().outerHTML)
  })
  frames.forEach(f => f.remove())
}
document.querySelector("pre").textContent = JSON.stringify(result)
</script>`
