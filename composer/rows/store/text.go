package store

import "github.com/mailblast/mailblast/composer/text"

// Text gives the text form of a value as the documentation of package rows states it.
func Text(v any) string { return text.Of(v) }
