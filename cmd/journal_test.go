package cmd

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// damage does to a file what a disk may do: damage cut FILE OCTETS, damage flip FILE OFFSET, damage page FILE N (which becomes
// zeros). And it tells whether anything of a folder has changed: damage print FOLDER FILE.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage cut|flip|page|print FILE N")
	}
	path := ts.MkAbs(args[1])
	if args[0] == "print" {
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(imprint(ts, path)), 0o600))
		return
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	b, err := os.ReadFile(path)
	ts.Check(err)
	switch args[0] {
	case "cut":
		b = b[:n]
	case "flip":
		b[n] ^= 0x20
	case "page":
		clear(b[(n-1)*4096 : n*4096])
	default:
		ts.Fatalf("damage %s: no such damage", args[0])
	}
	ts.Check(os.WriteFile(path, b, 0o600))
}

// imprint is what a folder holds: names, rights, times and contents.
func imprint(ts *testscript.TestScript, dir string) string {
	var all strings.Builder
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s %v %v %x\n", path, info.Mode(), info.ModTime(), sha256.Sum256(b))
		return err
	}))
	return all.String()
}
