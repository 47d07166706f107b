package campaign

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

func attachments(p *[]Attachment) list {
	object := func(a *Attachment) []field {
		return []field{
			{"path", perhapsTemplate{&a.Path, local}, "", "Below the campaign's folder. Required; may be a template, which begins with a folder that no row leads out of."},
			{"name", perhapsTemplate{&a.Name, nil}, "", "As the recipient sees it. Default: the path's last element. May be a template."},
			{"optional", boolean(&a.Optional), "false", "true: who has no such file gets the letter without it; false: does not get it."},
		}
	}
	return list{
		item: func(l *loader, path string, n *source.Node) {
			var a Attachment
			before := len(l.faults)
			mapping{fields: object(&a), need: []string{"path"}, short: func(l *loader, path string, n *source.Node) {
				perhapsTemplate{&a.Path, local}.take(l, path, n)
				l.c.places[path+".path"] = l.c.places[path]
			}}.take(l, path, n)
			if len(l.faults) == before {
				*p = append(*p, a)
			}
		},
		print: func() string {
			all := make([]string, len(*p))
			for i, a := range *p {
				all[i] = a.Path
			}
			return "[" + strings.Join(all, ", ") + "]"
		},
		json: mapping{fields: object(&Attachment{}), need: []string{"path"}, json: jsonType("string")}.schema(),
	}
}

// perhapsTemplate is text that may be a template of single rows. Variables are expanded in any other.
type perhapsTemplate struct {
	p     *string
	plain func(text string) *misfit // what is wrong with one that is no template; nil: nothing can be
}

func (k perhapsTemplate) show() string           { return *k.p }
func (k perhapsTemplate) schema() map[string]any { return jsonType("string") }

func (k perhapsTemplate) take(l *loader, path string, n *source.Node) {
	s := letterText(k.p)
	inner := s.parse
	if s.template = strings.Contains(n.Text, "{{"); !s.template && k.plain != nil {
		s.parse = func(text string) *misfit {
			if m := k.plain(text); m != nil {
				return m
			}
			return inner(text)
		}
	}
	s.take(l, path, n)
}

func local(path string) *misfit {
	if !filepath.IsLocal(path) {
		return &misfit{fmt.Sprintf("%q must lie below the campaign's folder", clip(path)), ""}
	}
	return nil
}
