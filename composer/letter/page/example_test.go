package page_test

import (
	"fmt"

	"github.com/mailblast/mailblast/composer/letter/page"
)

// The images of a letter get new addresses, and a text goes in front of all others.
func Example() {
	p := page.Parse(page.Template{Name: "letter.html", Text: `<body class="{{ .kind }}">
<img src="logo.png" alt="{{ .name }}"><img src="{{ .photo }}">
</body>`})
	var edits []page.Edit
	for n := range p.Root.All() {
		if src := n.Attribute("src"); n.Name == "img" && src != nil && !src.Dynamic {
			edits = append(edits, page.Edit{Offset: src.ValueStart, Length: src.ValueEnd - src.ValueStart, Text: "cid:" + src.Value})
		}
		if n.Name == "body" {
			edits = append(edits, page.Edit{Offset: n.End, Text: "<div hidden>Our news</div>"})
		}
	}
	text, err := page.Apply(p.Templates[0].Text, edits)
	fmt.Println(text, err)
	// Output:
	// <body class="{{ .kind }}"><div hidden>Our news</div>
	// <img src="cid:logo.png" alt="{{ .name }}"><img src="{{ .photo }}">
	// </body> <nil>
}
