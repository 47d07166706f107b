package source

import (
	"regexp"
	"strings"
	"unicode"
)

// Mask hides what looks like a secret in a line and makes the rest printable. Every character hidden becomes a *, so that a
// caret below the line still fits. It rather hides too much than too little.
func Mask(line string) string {
	dark := make([]bool, len(line))
	hideValues(line, dark)
	hidePasswords(line, dark)
	return starred(line, dark)
}

// starred puts a * for every dark character, and a space for what cannot be shown.
func starred(line string, dark []bool) string {
	var b strings.Builder
	b.Grow(len(line))
	for i, c := range line {
		switch {
		case dark[i]:
			b.WriteByte('*')
		case c == '\t' || !unicode.IsPrint(c):
			b.WriteByte(' ')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// shade makes the octets from one place to another dark, but not the space at their end.
func shade(line string, dark []bool, from, to int) {
	to = from + len(strings.TrimRight(line[from:to], " \t"))
	for i := from; i < to; i++ {
		dark[i] = true
	}
}

var (
	// key is the name of something, with what stands between it and its value.
	key      = regexp.MustCompile(`([A-Za-z][\w-]*)["']?\s*[:=]\s*`)
	quoted   = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)`)
	variable = regexp.MustCompile(`^["']?\$\{\w*(?::\?[^}]*)?\}["']?\s*(?:$|#|[,}])`)
	port     = regexp.MustCompile(`^(?:[0-9]{1,5}|\$\{\w*\})(?:[/?#"' \t,}\]]|$)`)
	login    = regexp.MustCompile(`^\$\{\w*(?::\?[^}]*)?\}@[^@]*$`)
)

// hideValues hides the values of what is named like a secret.
func hideValues(line string, dark []bool) {
	for _, v := range secretsOf(line) {
		shade(line, dark, v[0], v[1])
	}
}

// secretsOf gives from where to where the values of what is named like a secret stand. A variable tells nothing, but its
// default does.
func secretsOf(line string) (found [][2]int) {
	brace, done := strings.IndexAny(line, "{["), 0
	for _, m := range key.FindAllStringSubmatchIndex(line, -1) {
		at := m[1]
		if m[0] < done || !secretName(line[m[2]:m[3]]) {
			continue
		}
		if v := variable.FindString(line[at:min(len(line), at+maxVariable)]); v != "" {
			done = at + len(v)
			continue
		}
		parameter := strings.HasSuffix(strings.TrimRight(line[m[3]:at], " \t"), "=")
		done = at + extent(line[at:], parameter, brace >= 0 && brace < at)
		found = append(found, [2]int{at, done})
	}
	return found
}

const maxVariable = 1 << 10 // octets that a variable is looked for in

// extent tells how many octets at the beginning of a text are one value.
func extent(text string, parameter, flow bool) int {
	end, q := -1, quoted.FindString(text)
	switch rest := text[len(q):]; {
	case q != "" && (parameter || nothingMore.MatchString(rest)):
		return len(q)
	case q != "" && flow:
		if i := strings.IndexAny(rest, ",}]"); i >= 0 {
			return len(q) + i
		}
	case parameter: // of a URL or a DSN
		end = strings.IndexAny(text, " \t&\"'")
	case strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{"): // a mistake, and a secret nevertheless
	case flow:
		end = strings.IndexAny(text, ",}]")
	}
	if end < 0 {
		end = len(text)
	}
	return end
}

var nothingMore = regexp.MustCompile(`^\s*(?:#|$)`)

// secretName tells whether a key is, or was meant to be, that of a secret. Those that end so name where it is kept.
func secretName(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "file") || strings.HasSuffix(name, "command") {
		return false
	}
	for _, part := range []string{"pass", "pasw", "pwd", "secret", "token", "credential", "kennwort", "apikey", "api_key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	near := func(to string, d int) bool { return len(name) <= len(to)+d && Distance(name, to) <= d }
	return name == "pw" || near("password", 3) || near("secret", 2)
}

// opaque is a URL that lacks its slashes.
var opaque = regexp.MustCompile(`\b(?:postgres|postgresql|smtps?):[^\s:/@]+:(\S+)@`)

// hidePasswords hides what is between user and host of a URL. A password with an @, a / or a space in it makes no URL, but is
// a secret all the same.
func hidePasswords(line string, dark []bool) {
	for _, m := range opaque.FindAllStringSubmatchIndex(line, -1) {
		shade(line, dark, m[2], m[3])
	}
	for at := 0; ; {
		i := strings.Index(line[at:], "://")
		if i < 0 {
			return
		}
		at += i + len("://")
		user := strings.IndexAny(line[at:], ":/@[\"' \t")
		if user < 0 || line[at+user] != ':' {
			continue
		}
		from := at + user + 1
		rest := line[from:]
		if next := strings.Index(rest, "://"); next >= 0 {
			rest = rest[:next]
		}
		word := rest
		if i := strings.IndexAny(rest, " \t\"',}]"); i >= 0 {
			word = rest[:i]
		}
		if port.MatchString(rest) && !strings.Contains(word, "@") || login.MatchString(rest) {
			continue
		}
		end := strings.LastIndexByte(rest, '@')
		if end < 0 { // the host is missing
			end = len(rest)
		}
		shade(line, dark, from, from+end)
	}
}

// hidden gives the lines, from 0, that go on with a secret of the line above: a block, a quoted text, or what stands below
// its key.
func hidden(lines []string) map[int]bool {
	out := map[int]bool{}
	in, quote := -1, "" // the indentation of the secret's key, and the quote that is open
	for i, line := range lines {
		text := strings.TrimLeft(line, " \t")
		indent := len(line) - len(text)
		for strings.HasPrefix(text, "- ") { // the key stands behind the dash
			indent, text = indent+2, text[2:]
		}
		switch {
		case quote != "":
			out[i] = true
			if strings.Contains(text, quote) {
				quote = ""
			}
			continue
		case in >= 0 && (strings.TrimSpace(text) == "" || indent > in):
			out[i] = true
			continue
		}
		in = -1
		if found := secretsOf(line); len(found) > 0 {
			in = indent
			value := line[found[len(found)-1][0]:]
			quote = openQuote(value)
			if value == "" && i+1 < len(lines) && !beginsWithKey.MatchString(lines[i+1]) { // within braces no indentation tells
				out[i+1] = true
			}
		}
	}
	return out
}

var beginsWithKey = regexp.MustCompile(`^\s*[\w-]+["']?\s*:(?:\s|$)`)

// openQuote gives the quote that a value begins with and does not end.
func openQuote(value string) string {
	q := quoted.FindString(value)
	if q == "" || len(q) > 1 && q[len(q)-1] == q[0] && !strings.HasSuffix(q, `\"`) {
		return ""
	}
	return q[:1]
}

// excerpt gives a line, from 1, as it may be shown.
func (f *File) excerpt(line int) string {
	if text, ok := f.shown[line]; ok {
		return text
	}
	if f.shown == nil {
		f.shown, f.hidden = map[int]string{}, hidden(f.lines)
	}
	text := f.lines[line-1]
	if f.hidden[line-1] {
		dark := make([]bool, len(text))
		shade(text, dark, len(text)-len(strings.TrimLeft(text, " \t")), len(text))
		f.shown[line] = starred(text, dark)
	} else {
		f.shown[line] = Mask(text)
	}
	return f.shown[line]
}

// Distance counts the letters to add, drop, change or swap with their neighbour to get from a to b (optimal string
// alignment).
func Distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
