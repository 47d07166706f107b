package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mailblast/mailblast"

// imports is a package of ours, and what it imports, tests apart.
type imports struct {
	ImportPath string
	Imports    []string
}

func rooms(t *testing.T) (all []imports) {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p imports
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// The rooms import each other only as testdata/imports.txt allows.
func TestImportTable(t *testing.T) {
	table := importTable(t)
	seen := map[string]bool{}
	for _, p := range rooms(t) {
		room := relative(p.ImportPath)
		allowed, ok := table[room]
		if !ok {
			t.Errorf("%s is not in testdata/imports.txt", room)
		}
		seen[room] = true
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module) && !slices.Contains(allowed, relative(i)) {
				t.Errorf("%s imports %s: testdata/imports.txt does not allow it", room, relative(i))
			}
		}
	}
	for room := range table {
		if !seen[room] {
			t.Errorf("testdata/imports.txt names %s, which does not exist", room)
		}
	}
}

func relative(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func importTable(t *testing.T) map[string][]string {
	f, err := os.Open("../testdata/imports.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	table := map[string][]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		room, imports, ok := strings.Cut(s.Text(), ":")
		if ok && !strings.HasPrefix(room, "#") {
			table[room] = strings.Fields(imports)
		}
	}
	return table
}

// No file over 500 lines, no function over 70, no init, no sleep outside tests, and no process state below cmd.
func TestHouseRules(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == ".ci"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			checkFile(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, path string) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Error(err)
		return
	}
	line := func(p token.Pos) int { return fset.Position(p).Line }
	if n := line(f.End()); n > 500 {
		t.Errorf("%s has %d lines, over 500", path, n)
	}
	room := filepath.ToSlash(filepath.Dir(path))
	below := room != "../cmd" && room != ".." && !strings.HasSuffix(room, "test")
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				t.Errorf("%s:%d: init()", path, line(n.Pos()))
			}
			if l := line(n.End()) - line(n.Pos()); l > 70 {
				t.Errorf("%s:%d: %s has %d lines, over 70", path, line(n.Pos()), n.Name.Name, l)
			}
		case *ast.SelectorExpr:
			checkCall(t, path, line(n.Pos()), n, below)
		}
		return true
	})
}

// state of the process, which only cmd may touch.
var state = []string{"os.Stdin", "os.Stdout", "os.Stderr", "os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.Args",
	"signal.Notify", "fmt.Print", "fmt.Printf", "fmt.Println", "log.Print", "log.Printf", "log.Println", "log.Fatal", "slog.Default"}

func checkCall(t *testing.T, path string, line int, n *ast.SelectorExpr, below bool) {
	x, ok := n.X.(*ast.Ident)
	if !ok {
		return
	}
	name := x.Name + "." + n.Sel.Name
	if name == "time.Sleep" && !strings.HasSuffix(filepath.Dir(path), "test") {
		t.Errorf("%s:%d: time.Sleep outside tests", path, line)
	}
	if below && slices.Contains(state, name) {
		t.Errorf("%s:%d: %s below cmd", path, line, name)
	}
}
