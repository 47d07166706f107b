package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/templates"
)

// clipped is the size in octets past which Gmail cuts a message off.
const clipped = 102 << 10

// framed shows a page at the widths of a desktop's reading pane and of a phone, in light and in dark mode: the reader's
// colour scheme is that of the frame.
const framed = `<div><iframe width="640" name="%[1]s" class="light" srcdoc="%[2]s"></iframe><iframe width="320" name="%[1]s" class="dark" srcdoc="%[2]s"></iframe>` +
	`<iframe width="320" name="%[1]s" class="light" srcdoc="%[2]s"></iframe><iframe width="640" name="%[1]s" class="dark" srcdoc="%[2]s"></iframe></div>`

// frames is the page around them, which says in <pre id="found"> what is wrong with them: what is wider than the window, text that is hard to tell from its ground (WCAG 2.2 §1.4.3), links alone in
// their line that a finger misses, images without a text, and tables that a screen reader would read out as data.
const frames = `<!DOCTYPE html>
<html><head><meta charset="utf-8"><style>
body { margin: 16px; width: 1984px; background: #7d8288 } iframe { border: 0; margin: 0 16px 16px 0; vertical-align: top }
.light { color-scheme: light } .dark { color-scheme: dark } pre { display: none }
</style></head>
<body>%s<pre id="found"></pre><script>
const channels = c => (c.match(/[\d.]+/g) || []).map(Number);
const luminance = c => channels(c).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
	.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
function ground(e) {
	for (; e; e = e.parentElement) {
		const c = getComputedStyle(e).backgroundColor;
		if ((channels(c)[3] ?? 1) > 0) return c;
	}
	return 'rgb(255, 255, 255)';
}
function inspect(frame) {
	const doc = frame.contentDocument, root = doc.documentElement, found = [], say = s => found.push(frame.name + ', ' + frame.width + ' px, ' + frame.className + ': ' + s);
	frame.height = root.scrollHeight;
	if (frame.contentWindow.matchMedia('(prefers-color-scheme: dark)').matches !== (frame.className === 'dark')) say('it is not');
	if (root.scrollWidth > root.clientWidth) say('it is ' + root.scrollWidth + ' px wide');
	const texts = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
	let words = 0;
	while (texts.nextNode()) {
		const n = texts.currentNode, e = n.parentElement;
		if (!n.data.trim() || e.tagName === 'STYLE' || e.getClientRects().length === 0) continue;
		words++;
		const ratio = contrast(getComputedStyle(e).color, ground(e));
		if (ratio < 4.5) say('contrast ' + ratio.toFixed(1) + ' of "' + n.data.trim().slice(0, 40) + '"');
	}
	if (words < 10) say('only ' + words + ' texts');
	for (const a of doc.querySelectorAll('a'))
		if (a.parentElement.textContent.trim() === a.textContent.trim() || getComputedStyle(a).display !== 'inline') {
			const h = a.getBoundingClientRect().height;
			if (h < 44) say('the link "' + a.textContent + '" is ' + h + ' px high');
		}
	for (const i of doc.querySelectorAll('img:not([alt])')) say('no alt: ' + i.src);
	for (const t of doc.querySelectorAll('table:not([role=presentation])')) if (!t.querySelector('th')) say('a table is neither data nor presentation');
	if (!root.lang || !doc.title) say('no language or no title');
	return found;
}
window.onload = () => { document.getElementById('found').textContent = JSON.stringify([...document.querySelectorAll('iframe')].flatMap(inspect)); };
</script></body></html>`

// The starter campaigns are letters to be proud of: nothing overflows on a phone, everything can be read in light and in
// dark, links can be hit, and Gmail does not cut them off. With MAILBLAST_SHOTS=DIR there are pictures to look at.
func TestStarterPages(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium", "chromium")
	all, long := "", "" // the latter are below what is in the picture
	for _, sample := range []string{"newsletter", "notice"} {
		s := &sending{t: t, dir: t.TempDir()}
		s.run("init", "--sample", sample).exits(exitOK)
		if n := len(s.run("preview", "-o", "eml").exits(exitOK).out); n > clipped {
			t.Errorf("%s has %d octets, over %d", sample, n, clipped)
		}
		all += fmt.Sprintf(framed, sample, html.EscapeString(s.run("preview", "-o", "html").exits(exitOK).out))
		s.write("people.csv", "email,first_name,city,service\njo@example.com,"+strings.Repeat("Llanfairpwllgwyngyll", 5)+",Hottentottententententoonstelling,backup\n")
		long += fmt.Sprintf(framed, sample+", long", html.EscapeString(s.run("preview", "-o", "html").exits(exitOK).out))
	}
	page := filepath.Join(t.TempDir(), "frames.html")
	must(os.WriteFile(page, fmt.Appendf(nil, frames, all+long), 0o600))
	browser := []string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + t.TempDir()}
	for _, found := range foundByBrowser(t, chromium, append(browser, "--dump-dom", page)) {
		t.Error(found)
	}
	dir := os.Getenv("MAILBLAST_SHOTS")
	if dir == "" {
		return
	}
	must(os.MkdirAll(dir, 0o755))
	for shot, size := range map[string][]string{"all.png": {"--window-size=1984,2200"}, "starter.png": {"--window-size=1008,1212", "--force-device-scale-factor=0.75"}} {
		shot = filepath.Join(dir, shot)
		if b, err := exec.CommandContext(t.Context(), chromium, slices.Concat(browser, size, []string{"--screenshot=" + shot, page})...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		t.Log(shot)
	}
}

// foundByBrowser gives what a page of frames says of itself.
func foundByBrowser(t *testing.T, chromium string, args []string) (found []string) {
	t.Helper()
	var errs bytes.Buffer
	c := exec.CommandContext(t.Context(), chromium, args...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	_, text, ok := strings.Cut(string(out), `<pre id="found">`)
	text, _, ok2 := strings.Cut(text, "</pre>")
	if !ok || !ok2 || json.Unmarshal([]byte(html.UnescapeString(text)), &found) != nil {
		t.Fatalf("the page says %q\n%s", text, &errs)
	}
	return found
}

// The samples share their look, and the one from a database is the newsletter with another list.
func TestStartersShareTheirLook(t *testing.T) {
	read := func(name string) string {
		b, err := templates.FS.ReadFile(name)
		must(err)
		return string(b)
	}
	for _, name := range []string{"letter.md", "layouts/base.html", "layouts/base.txt"} {
		if read("newsletter/"+name) != read("postgres/"+name) {
			t.Errorf("%s differs between newsletter and postgres", name)
		}
	}
	news, _, _ := strings.Cut(read("newsletter/layouts/base.html"), "You get this")
	notice, _, _ := strings.Cut(read("notice/layouts/base.html"), "You get this")
	if news != notice {
		t.Error("newsletter and notice differ above their feet")
	}
}
