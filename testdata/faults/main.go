// Command faults runs the tests that inject a fault, and shows which fault each row is, what must come of it, and what was
// seen. Steps: find the packages that have such tests, run them, gather what they say of themselves, show the table, judge.
//
// A test says which row it is by t.Attr("fault", "S15 …"), t.Attr("expected", …) and t.Attr("seen", …), and its name begins
// with TestFault. A row may have many lines, and a line may be about several rows: "S9-S10 …", "S38/S39 …", "R5, R6 …".
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"
)

func main() {
	from := flag.String("from", "", "read what `go test -json` wrote to this `file`, and run nothing; - is standard input")
	into := flag.String("into", "", "write the table to this `file` of Markdown as well, if every row is as expected or has no test yet")
	flag.Parse()
	ok, err := run(*from, *into)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(from, into string) (ok bool, err error) {
	read := tests
	if from != "" {
		read = func(take func(io.Reader) error) error { return saved(from, take) }
	}
	var g gathered
	if err := read(g.take); err != nil {
		return false, err
	}
	t := g.table()
	fmt.Print(t.text(width()), g.failures(), t.summary(), "\n")
	if into != "" && !t.failed() {
		if err := os.WriteFile(into, []byte(t.markdown()), 0o644); err != nil {
			return false, err
		}
	}
	return !t.failed() && len(t.missing) == 0, nil
}

// saved hands over the events of a file.
func saved(name string, take func(io.Reader) error) error {
	if name == "-" {
		return take(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return take(f)
}

// tests runs all tests that inject faults, and hands over their events.
func tests(take func(io.Reader) error) error {
	dirs, err := packages(".")
	if err != nil {
		return err
	}
	c := exec.Command("go", append([]string{"test", "-json", "-count=1", "-run", "^TestFault"}, dirs...)...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err = take(out)
	_ = c.Wait() // which tests failed is in the events
	return err
}

// packages are the folders below root whose tests say which faults they inject.
func packages(root string) (dirs []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		if dir := "./" + filepath.ToSlash(filepath.Dir(path)); strings.Contains(string(b), `.Attr("fault"`) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err == nil && len(dirs) == 0 {
		err = fmt.Errorf("no test below %s injects a fault; run this at the top of the source tree", root)
	}
	return dirs, err
}

// width is that of the terminal; where there is none, COLUMNS or 120.
func width() int {
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 0 {
		return w
	}
	if w, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && w > 0 {
		return w
	}
	return 120
}
