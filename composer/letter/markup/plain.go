package markup

import (
	"bytes"
	"fmt"

	"github.com/inbucket/html2text"
	"golang.org/x/net/html"
)

// Plain makes the text part of an HTML document.
func Plain(doc []byte) (string, error) {
	node, err := html.Parse(bytes.NewReader(doc))
	if err != nil {
		return "", fmt.Errorf("text from HTML: %w", err)
	}
	s, err := html2text.FromHTMLNode(node)
	if err != nil {
		return "", fmt.Errorf("text from HTML: %w", err)
	}
	return s, nil
}
