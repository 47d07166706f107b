package cmd

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
)

// plural counts things: 1 row, 12 rows.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return screen.Comma(n) + " " + thing + "s"
}

// verb is plural with words that change otherwise: 1 address looks, 12 addresses look.
func verb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return screen.Comma(n) + " " + many
}

func columnsText(cols []composer.Column) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	return "columns " + strings.Join(names, " ")
}

// below is a path as seen from a folder, if it lies below it.
func below(dir, path string) string {
	if r, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return path
}

// filesText lists the files that a letter is made of.
func (k *checkup) filesText() string {
	const most = 12
	files := append([]string{filepath.Base(k.c.Path)}, k.letter.Files()...)
	if more := len(files) - most; more > 0 {
		files = append(files[:most], plural(more, "more file"))
	}
	return strings.Join(files, ", ")
}

// bytesText writes a size as people do.
func bytesText(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d MB", n/1_000_000)
	case n >= 10_000:
		return fmt.Sprintf("%d KB", n/1000)
	}
	return plural(int(n), "octet")
}
