package campaign

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/source"
	"github.com/mailblast/mailblast/composer/rows/charset"
	"github.com/mailblast/mailblast/composer/rows/dialect"
)

// Stdin is the file of Recipients that stands for standard input.
const Stdin = "-"

// lists are the files that can be read; workbooks are compressed already.
const lists = `\.([cC][sS][vV]|[tT][sS][vV]|[tT][xX][tT]|[jJ][sS][oO][nN][lL]?|[nN][dD][jJ][sS][oO][nN])(\.([gG][zZ]|[zZ][sS][tT]))?$|\.[xX][lL][sS][xX]$|^-$`

var listName = regexp.MustCompile(lists)

// elsewhere says what to do about files that people have.
var elsewhere = map[string]string{
	".xls": resave, ".xlsb": resave, ".xlsm": resave, ".ods": resave, ".numbers": "export it from Numbers as .xlsx or .csv",
	".zip": "unpack it first", ".db": asQuery, ".sqlite": asQuery,
}

const (
	resave  = "open it in a spreadsheet program and save it as .xlsx, or as .csv in UTF-8"
	asQuery = `a database needs a query: recipients: {dsn: "sqlite:FILE", query: SELECT …}`
)

func recipients(r *Recipients) mapping {
	file := listFile(&r.File)
	return mapping{
		fields: []field{
			{"dsn", database(&r.DSN), "", "postgres://user:password@host/database or sqlite:FILE."},
			{"query", text(&r.Query), "", "One SELECT; it runs in a read-only transaction."},
			{"params", values(&r.Params), "", "Values for :name in the query."},
			{"file", file, "", "A list: .csv, .tsv, .txt, .jsonl, .ndjson or .json, each also as .gz or .zst, an .xlsx workbook, or - for standard input."},
			{"charset", charsetName(&r.Charset), "", "How a text file is encoded, such as windows-1252. Default: found out; what is not certain is refused."},
			{"delimiter", delimiter(&r.Delimiter), "", "What is between the fields of a .csv, .tsv or .txt: one sign, or tab. Default: found out."},
			{"sheet", text(&r.Sheet), "", "The sheet of a workbook. Default: the only one that has cells."},
		},
		short: func(l *loader, path string, n *source.Node) { file.take(l, path, n) },
		json:  file.json,
	}
}

// listFile is a file with recipients, or standard input.
func listFile(p *string) scalar {
	k := path(p)
	inner, relative := k.parse, k.relative
	k.parse = func(s string) *misfit {
		switch {
		case listName.MatchString(strings.TrimSpace(s)):
			return inner(strings.TrimSpace(s))
		case strings.Contains(s, "://"):
			return &misfit{"a database needs a query", "write: recipients: {dsn: …, query: SELECT …}"}
		}
		hint := elsewhere[strings.ToLower(filepath.Ext(s))]
		if hint == "" {
			hint = ".csv, .tsv, .txt, .jsonl, .ndjson and .json, also as .gz or .zst, .xlsx, and - for standard input"
		}
		return &misfit{fmt.Sprintf("%q is no list that can be read", clip(source.Mask(s))), hint}
	}
	k.relative = func(dir string) {
		if *p != Stdin {
			relative(dir)
		}
	}
	k.json = jsonPattern(lists)
	return k
}

// suppressFile is a file with people who must not be written to.
func suppressFile(p *string) scalar {
	k := listFile(p)
	inner := k.parse
	k.parse = func(s string) *misfit {
		if strings.TrimSpace(s) == Stdin {
			return &misfit{"standard input cannot be read here", "import it: mailblast suppress import -"}
		}
		return inner(s)
	}
	return k
}

func charsetName(p *string) scalar {
	return scalar{want: "a charset", print: func() string { return *p }, json: jsonType("string"), parse: func(s string) *misfit {
		c, ok := charset.Lookup(s)
		if !ok {
			hint := "such as utf-8, windows-1252, iso-8859-2 or utf-16le"
			if near := Nearest(strings.TrimSpace(s), charset.Names()); near != "" {
				hint = "did you mean " + near + "?"
			}
			return &misfit{fmt.Sprintf("%q is no charset that is known", clip(s)), hint}
		}
		*p = c.Name
		return nil
	}}
}

func delimiter(p *byte) scalar {
	show := func() string {
		switch *p {
		case 0:
			return ""
		case '\t':
			return "tab"
		}
		return string(rune(*p))
	}
	return scalar{want: "a sign", print: show, json: jsonType("string"), parse: func(s string) *misfit {
		d, ok := dialect.Parse(s)
		if !ok {
			return &misfit{fmt.Sprintf("%q can be no delimiter", clip(s)), `write one sign, such as ";" or "|", or tab`}
		}
		*p = d
		return nil
	}}
}

func (l *loader) checkRecipients(root *source.Node) {
	n := root.Get("recipients")
	if n == nil || n.Kind != source.Map {
		return
	}
	file, dsn, query := present(n, "file"), present(n, "dsn"), present(n, "query")
	fault := func(text, hint string) { l.fault(n.Pos, n.Width, "recipients: "+text, hint) }
	switch {
	case file && (dsn || query):
		fault("file goes without dsn and query", "")
	case !file && !dsn && !query:
		fault("file, or dsn and query, are missing", "")
	case dsn && !query:
		fault("query is missing", "such as query: SELECT email, first_name FROM customers")
	case query && !dsn:
		fault("dsn is missing", "such as dsn: ${DATABASE_URL}")
	case file && present(n, "params"):
		fault("params go with a query only", "")
	}
	l.checkListKeys(n, file)
}

// checkListKeys refuses keys that say nothing about this kind of list.
func (l *loader) checkListKeys(n *source.Node, file bool) {
	name := strings.ToLower(l.c.Recipients.File)
	book, objects := strings.HasSuffix(name, ".xlsx"), strings.Contains(filepath.Base(name), "json")
	for _, k := range []struct {
		key  string
		fits bool
		with string
	}{
		{"charset", file && !book, "a text file"},
		{"delimiter", file && !book && !objects, "a .csv, .tsv or .txt file"},
		{"sheet", file && (book || name == Stdin), "an .xlsx workbook"},
	} {
		if present(n, k.key) && !k.fits && (name != "" || !file) {
			v := n.Get(k.key)
			l.fault(v.Pos, v.Width, fmt.Sprintf("recipients.%s goes with %s only", k.key, k.with), "")
		}
	}
}
