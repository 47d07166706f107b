package vocabulary

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer/letter/locale"
)

// What templates may call is this and nothing else. A name is added here by somebody who has asked what a stranger's template
// could do with it.
const approved = `add coalesce contains date default dict dir div eq first ge gt hasPrefix hasSuffix join lang last le list lower lt
	markdown money mul ne nl2br number plural print printf println replace safe_html safe_url split sub ternary title trim trunc upper urlquery`

// A template reaches no file, no network, no environment and no program: no function does, and none could, for want of the
// packages of the library that do.
func TestFunctionsReachNothing(t *testing.T) {
	got := slices.Sorted(maps.Keys(Functions(func() locale.Locale { return locale.Locale{} })))
	if want := strings.Fields(approved); !slices.Equal(got, want) {
		t.Errorf("functions\n%q, approved are\n%q", got, want)
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(f.Imports)
		for _, i := range f.Imports {
			switch path := strings.Trim(i.Path.Value, `"`); {
			case path == "net/url", path == "io":
			case path == "os", path == "net", path == "syscall", path == "unsafe", path == "plugin", path == "embed", path == "runtime",
				strings.HasPrefix(path, "os/"), strings.HasPrefix(path, "net/"), strings.HasPrefix(path, "io/"), strings.HasPrefix(path, "golang.org/x/sys"):
				t.Errorf("%s imports %s", file.Name(), path)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d imports were seen", seen)
	}
}
