package body

import (
	"io/fs"
	"path"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/locale"
)

// Variants finds the files that hold a template in other languages: offer.de.md beside offer.md, by their languages.
func (l *Loader) Variants(name string) map[string]string {
	found := map[string]string{}
	if !l.Languages {
		return found
	}
	dir, ext := path.Dir(name), path.Ext(name)
	stem := strings.TrimSuffix(path.Base(name), ext)
	entries, err := fs.ReadDir(l.Root.FS(), dir)
	if err != nil {
		return found // the template itself is missed then
	}
	for _, e := range entries {
		tag, ok := strings.CutPrefix(e.Name(), stem+".")
		tag, ext := strings.CutSuffix(tag, ext)
		if !ok || !ext {
			continue
		}
		if lang, err := locale.Parse(tag); err == nil {
			found[lang.String()] = path.Join(dir, e.Name())
		}
	}
	return found
}

// inLanguage gives the file of a language, or that of one it falls back to, or the one without.
func (l *Loader) inLanguage(name string) string {
	if l.tag == "" {
		return name
	}
	lang, err := locale.Parse(l.tag)
	if err != nil {
		return name
	}
	files := l.Variants(name)
	for _, tag := range lang.Fallbacks() {
		if f, ok := files[tag]; ok {
			return f
		}
	}
	return name
}
